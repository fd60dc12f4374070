#include "kept_system.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "os/files.h"
#include "support/free_port.h"

namespace aimicro {

using daruma::Command;
using daruma::Duration;
using daruma::Path;
using daruma::ProcessExit;
using daruma::TalkAnswer;
using daruma::Value;

namespace {

namespace stdfs = std::filesystem;
using namespace std::chrono_literals;

constexpr Duration kPatience = 90s;
constexpr Duration kBetweenTries = 20ms;

struct Part {
  const char* service;
  const char* folder;
  const char* port;  // the variable
  int shipped;       // the port in daruma.processes.yaml
};
// In the order of startup-all.sh.
constexpr Part kParts[] = {{"postgres", "ai-micro-postgres", "POSTGRES_PORT", 5432},
                           {"redis", "ai-micro-redis", "REDIS_PORT", 6379},
                           {"auth-service", "ai-micro-api-auth", "AUTH_SERVICE_PORT", 8002},
                           {"user-service", "ai-micro-api-user", "USER_SERVICE_PORT", 8001},
                           {"admin-service", "ai-micro-api-admin", "ADMIN_SERVICE_PORT", 8003},
                           {"front-user", "ai-micro-front-user", "FRONT_USER_PORT", 3002},
                           {"front-admin", "ai-micro-front-admin", "FRONT_ADMIN_PORT", 3003}};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string trimmed(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

KeptSystem::KeptSystem() {
  stdfs::permissions(scratch_.path(), stdfs::perms(0755));  // PostgreSQL runs as another user
  for (const Part& part : kParts) ports_[part.service] = daruma::free_port();
  copy_folders();
  write_settings();
  write_configuration();
  for (const Part& part : kParts) {
    start(part.service);
    if (std::string_view(part.service) == "postgres")
      wait_until("PostgreSQL answers", [this] { return sql("postgres", "SELECT 1") == "1"; });
    if (std::string_view(part.service) == "auth-service")  // makes the key that the others check with
      wait_until("auth-service is well",
                 [this] { return ask("auth-service", "GET", "/health").status == 200; });
  }
  wait_for_health();
  for (const char* program : {"auth-service", "user-service", "admin-service"})
    for (const Part& part : kParts)
      if (std::string_view(part.service) == program)
        must({"bash", "-c", R"(cd "$0" && set -a && . ./.env && exec "$1" seed)",
              (home() / part.folder).native(), (home() / "bin" / program).native()});
}

KeptSystem::~KeptSystem() { stop_all(); }

// Those that use a database before it.
void KeptSystem::stop_all() {
  for (size_t i = std::size(kParts); i-- > 0;)
    static_cast<void>(runtime_of(kParts[i].service)->stop(clock_->after(5s)));
}

void KeptSystem::copy_folders() {
  stdfs::create_directories(home());
  stdfs::create_directories(backups());
  for (const Part& part : kParts)
    stdfs::copy(Path(AI_MICRO_FOLDER) / part.folder, home() / part.folder, stdfs::copy_options::recursive);
  for (const char* folder : {"front", "plans", "scripts"})
    stdfs::copy(Path(AI_MICRO_FOLDER) / folder, home() / folder, stdfs::copy_options::recursive);
  stdfs::create_directory(home() / "data");
  stdfs::create_directory_symlink(AI_MICRO_BIN, home() / "bin");
}

// The .env files of a deployment, with our ports and hashes of passwords that take no time.
void KeptSystem::write_settings() {
  must({(home() / "scripts" / "make-env.sh").native(), home().native()});
  const auto value_of = [this](const char* folder) {
    const std::string line = trimmed(text_of(home() / folder / ".env"));
    return line.substr(line.find('=') + 1);
  };
  postgres_password_ = value_of("ai-micro-postgres");
  redis_password_ = value_of("ai-micro-redis");
  for (const Part& part : kParts)
    append(std::string(part.folder) + "/.env", fmt::format("{}={}\n", part.port, port(part.service)));
  const auto url = [this](const char* service) { return fmt::format("http://localhost:{}", port(service)); };
  for (const char* api : {"auth", "user", "admin"}) {
    std::string prefix = api;
    for (char& c : prefix) c = static_cast<char>(c - 'a' + 'A');
    append(fmt::format("ai-micro-api-{}/.env", api),
           fmt::format("{0}_SERVICE_POSTGRES_PORT={1}\n{0}_SERVICE_WORKERS=1\n{0}_SERVICE_ORIGINS={2},{3}\n",
                       prefix, port("postgres"), url("front-user"), url("front-admin")));
    for (const char* front : {"user", "admin"})
      append(fmt::format("ai-micro-front-{}/.env", front),
             fmt::format("FRONT_{}_{}_URL={}\n", front == std::string_view("user") ? "USER" : "ADMIN", prefix,
                         url(fmt::format("{}-service", api).c_str())));
  }
  append("ai-micro-api-auth/.env",
         fmt::format("AUTH_SERVICE_REDIS_PORT={}\nAUTH_SERVICE_PASSWORD_MEMORY_MIB=8\n"
                     "AUTH_SERVICE_PASSWORD_PASSES=1\nAUTH_SERVICE_LIMIT_ADDRESS=100000\n"
                     "AUTH_SERVICE_LIMIT_REGISTER=100000\n",
                     port("redis")));
}

void KeptSystem::write_configuration() {
  std::string yaml = text_of(Path(AI_MICRO_FOLDER) / "daruma.processes.yaml");
  for (const Part& part : kParts)
    for (const char* before : {"port: ", "127.0.0.1:"})
      yaml =
          replaced(yaml, before + std::to_string(part.shipped), before + std::to_string(port(part.service)));
  yaml = replaced(yaml, "/var/lib/daruma", (scratch_.path() / "repository").native());
  append("daruma.yaml", yaml);
  // What does not come back must not be waited for as long as in production.
  const Path plan = home() / "plans" / "auth-service-down.yaml";
  const std::string patient = text_of(plan);
  stdfs::remove(plan);
  append("plans/auth-service-down.yaml", replaced(patient, "for: 30s", "for: 5s"));
  auto config = daruma::load_config(fs(), home(), home() / "daruma.yaml");
  if (!config.ok()) fail(config.error().what);
  config_ = *std::move(config);
}

Command KeptSystem::command(const std::vector<std::string>& argv) const {
  Command command{argv};
  command.working_directory = home();
  command.environment = {{"POSTGRES_PASSWORD", postgres_password_}, {"PGPASSWORD", postgres_password_},
                         {"REDISCLI_AUTH", redis_password_},        {"REDIS_PASSWORD", redis_password_},
                         {"SLACK_WEBHOOK_URL", slack_.url("/ops")}, {"LC_ALL", "C.UTF-8"}};
  return command;
}

std::string KeptSystem::must(const std::vector<std::string>& argv) {
  const auto done = runner_->run(command(argv), clock_->after(kPatience));
  if (!done.ok()) fail(argv[0] + ": " + done.error().what);
  if (done->code != 0) fail(fmt::format("{} ended with {}:\n{}", argv[0], done->code, done->output));
  return done->output;
}

ProcessExit KeptSystem::daruma(const std::vector<std::string>& arguments) {
  auto done = begin(arguments)->wait(clock_->after(3 * kPatience));
  if (!done.ok()) fail("daruma " + arguments[0] + ": " + done.error().what);
  return *std::move(done);
}

std::unique_ptr<daruma::Process> KeptSystem::begin(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{DARUMA_PROGRAM};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto started = runner_->start(command(argv));
  if (!started.ok()) fail(started.error().what);
  return *std::move(started);
}

Value KeptSystem::json(std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const ProcessExit done = daruma(arguments);
  auto value = daruma::parse_json(done.output);
  if (done.code != 0 || !value.ok()) fail(fmt::format("daruma {}: {}", arguments[0], done.output));
  return *std::move(value);
}

std::string KeptSystem::newest_run() {
  const Value all = json({"runs"});
  const Value* runs = all.find("runs");
  return runs && runs->list() && !runs->list()->empty() ? runs->list()->front().text_at("run") : "";
}

std::unique_ptr<daruma::runtime::ServiceRuntime> KeptSystem::runtime_of(const std::string& service) {
  const daruma::ServiceConfig* found = config_.service(service);
  if (!found) fail("no service " + service);
  return daruma::runtime::make_runtime({fs(), *clock_, *runner_, config_.state, DARUMA_PROGRAM}, *found);
}

void KeptSystem::start(const std::string& service) {
  if (const auto done = runtime_of(service)->start(clock_->after(kPatience)); !done.ok())
    fail(done.error().what);
}

void KeptSystem::stop(const std::string& service) {
  if (const auto done = runtime_of(service)->stop(clock_->after(kPatience)); !done.ok())
    fail(done.error().what);
}

daruma::runtime::ServiceStatus KeptSystem::status(const std::string& service) {
  auto status = runtime_of(service)->status(clock_->after(kPatience));
  if (!status.ok()) fail(status.error().what);
  return *std::move(status);
}

void KeptSystem::wait_for_health() {
  for (const char* service : {"auth-service", "user-service", "admin-service", "front-user", "front-admin"})
    wait_until(fmt::format("{} is well", service),
               [&] { return ask(service, "GET", "/health").status == 200; });
}

void KeptSystem::wait_until(const std::string& what, const std::function<bool()>& holds) {
  const auto deadline = clock_->after(kPatience);
  while (!holds()) {
    if (deadline.passed(clock_->mono())) fail("never: " + what);
    clock_->pause(kBetweenTries);
  }
}

TalkAnswer KeptSystem::ask(const std::string& service, const std::string& method, const std::string& target,
                           const daruma::TalkHeaders& headers, std::string_view body) {
  return daruma::talk(port(service), method, target, headers, body);
}

std::string KeptSystem::sql(const std::string& database, const std::string& statement) {
  const auto done = runner_->run(command({"psql", "-h", "127.0.0.1", "-p", std::to_string(port("postgres")),
                                          "-U", "postgres", "-d", database, "-XqAtc", statement}),
                                 clock_->after(kPatience));
  return done.ok() && done->code == 0 ? trimmed(done->output) : "";
}

std::string KeptSystem::counts() {
  const auto rows = [this](const char* database, const char* table) {
    return sql(database, fmt::format("SELECT count(*) FROM {}", table));
  };
  return rows("authdb", "users") + " " + rows("apidb", "profiles") + " " + rows("admindb", "documents");
}

std::string KeptSystem::redis_keys() {
  return trimmed(must({"redis-cli", "-p", std::to_string(port("redis")), "--no-auth-warning", "KEYS", "*"}));
}

void KeptSystem::dump(const std::string& moment) {
  const std::string file = (backups() / fmt::format("all_databases_{}.sql", moment)).native();
  must({"pg_dumpall", "-h", "127.0.0.1", "-p", std::to_string(port("postgres")), "-U", "postgres", "-f",
        file});
  must({"gzip", file});
}

std::vector<std::string> KeptSystem::from_backups() const {
  return {"--param", "backups=" + backups().native(),
          "--param", "evidence=" + evidence().native(),
          "--param", "zone=+00:00"};
}

void KeptSystem::corrupt_postgres() {
  const std::string garbage(8192, '\xdb');
  for (const auto& entry : stdfs::recursive_directory_iterator(home() / "data" / "postgres" / "base")) {
    const bool table = entry.path().filename().native().find_first_not_of("0123456789") == std::string::npos;
    if (!table || !entry.is_regular_file()) continue;
    const auto file = fs().open_write(entry.path());
    if (!file.ok()) fail(file.error().what);
    for (uint64_t at = 0; at < entry.file_size(); at += garbage.size())
      if (!(*file)->write_at(at, daruma::as_bytes(garbage)).ok())
        fail("cannot damage " + entry.path().native());
  }
  for (const int pid : status("postgres").pids) ::kill(pid, SIGKILL);
  wait_until("PostgreSQL is of no use",
             [this] { return sql("authdb", "SELECT count(*) FROM users").empty(); });
}

void KeptSystem::append(const std::string& file, const std::string& text) {
  const std::string all = text_of(home() / file) + text;
  if (!daruma::replace_file(fs(), home() / file, daruma::as_bytes(all)).ok()) fail("cannot write " + file);
}

std::string KeptSystem::text_of(const Path& file) {
  const auto bytes = daruma::read_file(fs(), file, 64 << 20);
  return bytes.ok() ? std::string(daruma::as_text(*bytes)) : "";
}

void KeptSystem::fail(const std::string& what) {
  fmt::print(stderr, "ai-micro-service, kept by Daruma: {}\n", what);
  for (const Part& part : kParts) {
    const auto lines = runtime_of(part.service)->logs(15, clock_->after(5s));
    fmt::print(stderr, "--- {}\n{}\n", part.service, lines.ok() ? *lines : lines.error().what);
  }
  stop_all();
  std::abort();
}

}  // namespace aimicro
