#include "cli/demo/local_postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "base/size.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr Duration kBetweenTries = std::chrono::milliseconds(20);
constexpr uint16_t kPort = 5432;  // names the socket file; nothing listens on TCP

int leading_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string last_lines(FileSystem& fs, const Path& file) {
  const auto text = read_file(fs, file, 64 * kMiB);
  if (!text.ok()) return text.error().what;
  const std::string_view all = as_text(*text);
  return std::string(all.substr(all.size() - std::min<size_t>(all.size(), 2000)));
}

std::vector<int> children_of(FileSystem& fs, int pid) {
  std::vector<int> children;
  const auto text = read_file(fs, fmt::format("/proc/{0}/task/{0}/children", pid), 1 * kMiB);
  if (!text.ok()) return children;
  std::string_view rest = as_text(*text);
  while (!rest.empty()) {
    if (const int child = leading_number(rest); child > 1) children.push_back(child);
    const size_t space = rest.find(' ');
    rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  }
  return children;
}

}  // namespace

Status wait_until(App& app, const std::string& what, Duration within,
                  const std::function<Result<bool>()>& ready) {
  const Deadline deadline = app.clock.after(within);
  for (;;) {
    DR_TRY(const bool done, ready());
    if (done) return {};
    if (deadline.passed(app.clock.mono()))
      return Error{Errc::kCancelled,
                   fmt::format("{} did not happen within {}", what, human_duration(within))};
    if (!app.clock.pause(kBetweenTries, app.stop)) return Error{Errc::kCancelled, "the demo was stopped"};
  }
}

Result<LocalPostgres> LocalPostgres::create(App& app, const Path& scratch) {
  LocalPostgres server(app, scratch);
  const Path versions = "/usr/lib/postgresql";
  const auto found = app.fs.list_dir(versions);
  int newest = 0;
  if (found.ok())
    for (const DirectoryEntry& entry : *found) newest = std::max(newest, leading_number(entry.name));
  server.programs_ = versions / std::to_string(newest) / "bin";
  if (newest == 0 || !app.fs.info(server.programs_ / "postgres").ok())
    return Error{Errc::kNotFound, "there is no PostgreSQL server in /usr/lib/postgresql",
                 "run script/demo, which installs one"};
  server.version_ = std::to_string(newest);
  return server;
}

Status LocalPostgres::initialize() {
  DR_TRY(const ProcessExit made,
         app_->processes.run({{programs_ / "initdb", "-D", data_, "-U", "postgres", "-A", "trust",
                               "--data-checksums", "--locale=C.UTF-8"}},
                             app_->clock.after(kPatience)));
  if (made.code != 0) return Error{Errc::kFailed, "initdb failed:\n" + made.output};
  const std::string settings = fmt::format(
      "listen_addresses = ''\nunix_socket_directories = '{}'\nport = {}\nshared_buffers = 64MB\nwal_level = "
      "replica\n",
      scratch_.string(), kPort);
  return replace_file(app_->fs, data_ / "postgresql.conf", as_bytes(settings));
}

Status LocalPostgres::start() {
  Command command{{programs_ / "postgres", "-D", data_}};
  command.output = scratch_ / "postgres.log";
  DR_TRY(process_, app_->processes.start(command));
  return wait_until(*app_, "PostgreSQL taking connections", kPatience, [this]() -> Result<bool> {
    if (connect("postgres").ok()) return true;
    const auto ended = process_->wait(app_->clock.after(Duration{0}));
    if (!ended.ok()) return false;
    process_.reset();
    return Error{Errc::kFailed, fmt::format("PostgreSQL ended with {}:\n{}", ended->code,
                                            last_lines(app_->fs, scratch_ / "postgres.log"))};
  });
}

Status LocalPostgres::stop() {
  DR_CHECK(process_);
  DR_OK(process_->signal(SIGINT));
  DR_OK(process_->wait(app_->clock.after(kPatience)));
  process_.reset();
  return {};
}

Status LocalPostgres::kill9() {
  DR_CHECK(process_);
  DR_OK(process_->signal(SIGSTOP));  // or it would start new children while the old ones die
  const std::vector<int> children = children_of(app_->fs, process_->pid());
  for (const int child : children) ::kill(child, SIGKILL);
  DR_OK(process_->signal(SIGKILL));
  DR_OK(process_->wait(app_->clock.after(kPatience)));
  process_.reset();
  return wait_until(*app_, "the end of the server's children", kPatience, [&]() -> Result<bool> {
    return std::ranges::none_of(children, [](int child) { return ::kill(child, 0) == 0; });
  });
}

Result<std::unique_ptr<postgres::SqlConnection>> LocalPostgres::connect(const std::string& dbname) {
  postgres::ConnectionSettings settings;
  settings.host = scratch_.string();
  settings.port = kPort;
  settings.user = "postgres";
  settings.dbname = dbname;
  return postgres::connect_sql(settings, app_->clock, app_->clock.after(std::chrono::seconds(5)));
}

Result<std::string> LocalPostgres::value(const std::string& sql, const std::string& dbname) {
  DR_TRY(const auto connection, connect(dbname));
  DR_TRY(const auto rows, connection->query(sql));
  if (rows.empty() || rows[0].empty() || !rows[0][0]) return Error{Errc::kFailed, "no value: " + sql};
  return *rows[0][0];
}

Status LocalPostgres::run(const std::string& sql, const std::string& dbname) {
  DR_TRY(const auto connection, connect(dbname));
  DR_OK(connection->query(sql));
  return {};
}

}  // namespace daruma
