#include "support/postgres_server.h"

#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "fmt/format.h"
#include "os/environment.h"
#include "support/free_port.h"

namespace daruma {

namespace {

constexpr const char* kUserForRoot = "postgres";
constexpr Duration kPatience = 60s;
constexpr Duration kBetweenTries = 20ms;

// The newest of Debian's server versions, unless the environment names another.
Result<Path> find_programs(FileSystem& fs) {
  if (const auto named = environment_variable("DARUMA_PG_BIN")) return Path(*named);
  const Path versions = "/usr/lib/postgresql";
  DR_TRY(const std::vector<DirectoryEntry> found, fs.list_dir(versions));
  int newest = 0;
  for (const DirectoryEntry& entry : found) newest = std::max(newest, std::atoi(entry.name.c_str()));
  return versions / std::to_string(newest) / "bin";
}

std::vector<int> children_of(FileSystem& fs, int pid) {
  std::vector<int> children;
  const auto text = read_file(fs, fmt::format("/proc/{0}/task/{0}/children", pid), 1 << 20);
  if (!text.ok()) return children;
  std::istringstream numbers{std::string(as_text(*text))};
  for (int child = 0; numbers >> child;) children.push_back(child);
  return children;
}

// Sends SIGKILL and returns when the process is gone: only then are its sockets and shared memory free.
void kill_and_wait(int pid) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return;  // gone already
  ::kill(pid, SIGKILL);
  pollfd watched{fd, POLLIN, 0};
  DR_CHECK(::poll(&watched, 1, 30'000) == 1);
  ::close(fd);
}

}  // namespace

PostgresServer::PostgresServer(PostgresOptions options) : options_(std::move(options)) {
  prepare();
  data_ = directory() / "data";
  std::vector<std::string> arguments = {"-D",
                                        data_,
                                        "-U",
                                        "postgres",
                                        "-A",
                                        "trust",
                                        "-N",
                                        "--locale=C.UTF-8",
                                        fmt::format("--wal-segsize={}", options_.wal_segment_mib)};
  if (options_.checksums) arguments.emplace_back("--data-checksums");
  must_run("initdb", arguments);
  // Tests kill processes, not machines, so the kernel's cache is durable enough.
  std::string lines = "fsync = off\nshared_buffers = 16MB\n";
  for (const std::string& line : options_.configuration) lines += line + "\n";
  write_file("postgresql.conf", lines);
  if (options_.configuration_outside) move_configuration_out();
}

PostgresServer::PostgresServer(Path data_directory, PostgresOptions options)
    : options_(std::move(options)), data_(std::move(data_directory)) {
  prepare();
  if (::geteuid() == 0) {
    const auto changed = processes_->run({{"chown", "-R", kUserForRoot, data_}}, clock_->after(kPatience));
    must(changed.ok() ? Status() : changed.error());
  }
}

PostgresServer::~PostgresServer() {
  if (!process_) return;
  static_cast<void>(process_->signal(SIGQUIT));
  static_cast<void>(process_->wait(clock_->after(30s)));  // what still lives then is killed with process_
}

void PostgresServer::prepare() {
  auto programs = find_programs(scratch_.fs());
  must(programs.ok() ? Status() : programs.error());
  programs_ = *std::move(programs);
  give_to_server_user(directory());
  if (options_.tcp) port_ = free_port();
}

void PostgresServer::move_configuration_out() {
  const Path etc = make_directory("etc");
  std::string text = std::string(as_text(*read_file(scratch_.fs(), data_ / "postgresql.conf", 1 << 20)));
  text += fmt::format("data_directory = '{}'\nhba_file = '{}'\nident_file = '{}'\n", data_.native(),
                      (etc / "pg_hba.conf").native(), (etc / "pg_ident.conf").native());
  write_file("postgresql.conf", text);
  for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"})
    must(scratch_.fs().rename(data_ / name, etc / name));
}

std::vector<std::string> PostgresServer::as_server_user() const {
  // The server must not outlive a test program that dies.
  std::vector<std::string> argv = {"setpriv", "--pdeathsig", "QUIT"};
  if (::geteuid() == 0) {
    argv.insert(argv.end(), {"--reuid", kUserForRoot, "--regid", kUserForRoot, "--clear-groups"});
  }
  return argv;
}

Status PostgresServer::try_start(Duration patience) {
  DR_CHECK(!process_);
  Command command{as_server_user()};
  command.argv.insert(
      command.argv.end(),
      {programs_ / "postgres", "-D", data_, "-c", "unix_socket_directories=" + directory().native(), "-c",
       fmt::format("listen_addresses={}", options_.tcp ? "127.0.0.1" : ""), "-c",
       fmt::format("port={}", port_)});
  if (options_.configuration_outside)
    command.argv.insert(command.argv.end(),
                        {"-c", "config_file=" + (directory() / "etc/postgresql.conf").native()});
  command.working_directory = directory();
  command.output = directory() / "server.log";
  DR_TRY(process_, processes_->start(command));

  const Deadline deadline = clock_->after(patience);
  while (!deadline.passed(clock_->mono())) {
    const auto connection = postgres::connect_sql(settings(), *clock_, deadline);
    if (connection.ok()) return {};
    const auto ended = process_->wait(clock_->after(kBetweenTries));
    if (ended.ok()) {
      process_.reset();
      return Error{Errc::kFailed, fmt::format("PostgreSQL ended with {}:\n{}", ended->code, log())};
    }
  }
  return Error{Errc::kCancelled, "PostgreSQL takes no connections:\n" + log()};
}

void PostgresServer::start() { must(try_start(kPatience)); }

void PostgresServer::stop() {
  DR_CHECK(process_);
  must(process_->signal(SIGINT));
  const auto ended = wait_for_end(kPatience);
  must(ended.ok() ? Status() : ended.error());
}

void PostgresServer::restart() {
  stop();
  start();
}

Result<ProcessExit> PostgresServer::wait_for_end(Duration patience) {
  DR_CHECK(process_);
  Result<ProcessExit> ended = process_->wait(clock_->after(patience));
  if (ended.ok()) process_.reset();
  return ended;
}

void PostgresServer::kill9() {
  DR_CHECK(process_);
  must(process_->signal(SIGSTOP));  // or it would make new children while the old ones die
  for (const int child : children_of(scratch_.fs(), process_->pid())) kill_and_wait(child);
  must(process_->signal(SIGKILL));
  const auto ended = wait_for_end(kPatience);
  must(ended.ok() ? Status() : ended.error());
}

void PostgresServer::promote() {
  if (value("SELECT pg_promote(true, 60)") != "t") fail({Errc::kFailed, "the server was not promoted"});
}

void PostgresServer::set_data_aside(const std::string& name) {
  DR_CHECK(!process_);
  must(scratch_.fs().rename(data_, directory() / name));
}

void PostgresServer::wait_for_writes() {
  const Deadline deadline = clock_->after(kPatience);
  while (value("SELECT pg_is_in_recovery()") != "f") {
    if (deadline.passed(clock_->mono())) fail({Errc::kFailed, "the recovery did not end"});
    clock_->pause(kBetweenTries);
  }
}

Result<std::vector<postgres::SqlRow>> PostgresServer::try_sql(const std::string& statement,
                                                              const std::string& dbname) {
  postgres::ConnectionSettings to = settings();
  to.dbname = dbname;
  DR_TRY(const auto connection, postgres::connect_sql(to, *clock_, clock_->after(kPatience)));
  return connection->query(statement);
}

std::vector<postgres::SqlRow> PostgresServer::sql(const std::string& statement, const std::string& dbname) {
  auto rows = try_sql(statement, dbname);
  if (!rows.ok()) fail(rows.error());
  return *std::move(rows);
}

std::string PostgresServer::value(const std::string& statement, const std::string& dbname) {
  const auto rows = sql(statement, dbname);
  if (rows.empty() || rows[0].empty() || !rows[0][0]) fail({Errc::kFailed, "no value: " + statement});
  return *rows[0][0];
}

postgres::ConnectionSettings PostgresServer::settings(const std::string& user) const {
  postgres::ConnectionSettings settings;
  settings.host = directory();
  settings.port = port_;
  settings.user = user;
  return settings;
}

postgres::ConnectionSettings PostgresServer::tcp_settings(const std::string& user) const {
  DR_CHECK(options_.tcp);
  postgres::ConnectionSettings over_tcp = settings(user);
  over_tcp.host = "127.0.0.1";
  return over_tcp;
}

ProcessExit PostgresServer::tool(const std::string& program, const std::vector<std::string>& arguments) {
  Command command{as_server_user()};
  command.argv.push_back(programs_ / program);
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment = {{"PGHOST", directory()},
                         {"PGPORT", std::to_string(port_)},
                         {"PGUSER", "postgres"},
                         {"LC_ALL", "C.UTF-8"}};
  command.working_directory = directory();
  auto ended = processes_->run(command, clock_->after(5 * kPatience));
  if (!ended.ok()) fail(ended.error());
  return *std::move(ended);
}

void PostgresServer::must_run(const std::string& program, const std::vector<std::string>& arguments) {
  const ProcessExit ended = tool(program, arguments);
  if (ended.code != 0)
    fail({Errc::kFailed, fmt::format("{} ended with {}:\n{}", program, ended.code, ended.output)});
}

void PostgresServer::write_file(const std::string& relative_path, const std::string& text) {
  must(replace_file(scratch_.fs(), data_ / relative_path, as_bytes(text)));
  give_to_server_user(data_ / relative_path);
}

Path PostgresServer::make_directory(const std::string& name) {
  must(scratch_.fs().create_dir(directory() / name));
  give_to_server_user(directory() / name);
  return directory() / name;
}

std::string PostgresServer::log() {
  const auto text = read_file(scratch_.fs(), directory() / "server.log", 256 << 20);
  return text.ok() ? std::string(as_text(*text)) : text.error().what;
}

void PostgresServer::give_to_server_user(const Path& path) const {
  if (::geteuid() != 0) return;
  const passwd* user = ::getpwnam(kUserForRoot);
  DR_CHECK(user != nullptr && ::lchown(path.c_str(), user->pw_uid, user->pw_gid) == 0);
}

void PostgresServer::must(const Status& status) {
  if (!status.ok()) fail(status.error());
}

void PostgresServer::fail(const Error& error) {
  std::fprintf(stderr, "PostgresServer: %s\n%s\nlog of the server:\n%s\n", error.what.c_str(),
               error.hint.c_str(), log().c_str());
  process_.reset();
  static_cast<void>(remove_tree(scratch_.fs(), directory()));
  std::abort();
}

}  // namespace daruma
