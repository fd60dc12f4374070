#include "lastminutestay/tests/protected_backend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "os/files.h"
#include "support/free_port.h"

namespace lastminutestay {

using namespace std::chrono_literals;
using daruma::Path;
using daruma::ProcessExit;
using daruma::runtime::ServiceStatus;

namespace {

constexpr daruma::Duration kPatience = 90s;
constexpr const char* kServices[] = {"postgresql", "redis", "hotel-data-api", "lastminutestay-api"};

// A list of YAML's, each word quoted.
std::string yaml_list(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += fmt::format("{}'{}'", list.empty() ? "" : ", ", word);
  return "[" + list + "]";
}

std::vector<std::string> as_postgres() {
  if (::geteuid() != 0) return {};
  return {"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"};
}

std::vector<std::string> joined(std::vector<std::string> first, const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

ProtectedBackend::ProtectedBackend()
    : home_(postgres_.make_directory("home")),
      dumps_(postgres_.make_directory("dumps")),
      api_port_(daruma::free_port()),
      provider_port_(daruma::free_port()),
      redis_port_(daruma::free_port()) {
  fill();
  configure();
  start_all();
}

ProtectedBackend::~ProtectedBackend() {
  if (serving_) {
    static_cast<void>(serving_->signal(SIGTERM));
    static_cast<void>(serving_->wait(clock_->after(kPatience)));
  }
  stop_all();
}

// The database is made while the fixture runs PostgreSQL itself; from then on it is a service.
void ProtectedBackend::fill() {
  for (const char* folder : {"logs", "state-api", "provider-logs", "state-provider", "redis"})
    if (!fs_->create_dir(home_ / folder).ok()) fail(folder);
  const std::string secret = "a secret of thirty-two bytes or more";
  if (!daruma::replace_file(*fs_, home_ / "token-secret", daruma::as_bytes(secret)).ok()) fail("secret");
  postgres_.start();
  postgres_.sql("CREATE DATABASE lastminutestay");
  must({LASTMINUTESTAY_API, "migrate"}, api_environment());
  must({LASTMINUTESTAY_API, "generate", "--hotels", "40"}, api_environment());
  token_ = must({LASTMINUTESTAY_API, "token"}, api_environment());
  token_.erase(token_.find('\n'));
  postgres_.stop();
}

std::map<std::string, std::string> ProtectedBackend::api_environment() const {
  std::map<std::string, std::string> out;
  const auto set = [&](const std::string& name, const std::string& value) {
    out["LASTMINUTESTAY_" + name] = value;
  };
  set("STATE", home_ / "state-api");
  set("LOGS", home_ / "logs");
  set("PORT", std::to_string(api_port_));
  set("WORKERS", "2");
  set("POSTGRES_HOST", directory());
  set("POSTGRES_USER", "postgres");
  set("REDIS_PORT", std::to_string(redis_port_));
  set("PROVIDER_PORT", std::to_string(provider_port_));
  set("TOKEN_SECRET_FILE", home_ / "token-secret");
  set("BUSINESS_DATE", "2024-06-20");
  set("CACHE_FRESH_FOR", "1s");
  return out;
}

void ProtectedBackend::configure() {
  std::string environment;
  for (const auto& [name, value] : api_environment())
    environment += fmt::format("      {}: '{}'\n", name, value);
  const std::string host = directory();
  const auto postgres =
      joined(as_postgres(), {postgres_.programs() / "postgres", "-D", postgres_.data(), "-c",
                             "unix_socket_directories=" + host, "-c", "listen_addresses="});
  const std::vector<std::string> redis = {"redis-server",  "--port",    std::to_string(redis_port_),
                                          "--bind",        "127.0.0.1", "--dir",
                                          home_ / "redis", "--save",    "3600 1000000",
                                          "--appendonly",  "no"};
  const std::string text = fmt::format(
      "state: state\n"
      "repository:\n  key: {{file: daruma.key}}\n  copies:\n    - {{name: local, url: "
      "'file://{0}/repository'}}\n"
      "datastores:\n"
      "  lastminutestay:\n    kind: postgres\n"
      "    connection: {{host: '{1}', user: postgres, dbname: lastminutestay}}\n"
      "    service: postgresql\n    data_directory: '{2}'\n"
      "    capture: {{slot: daruma}}\n"
      "  cache:\n    kind: redis\n    connection: {{port: {3}}}\n    service: redis\n"
      "services:\n"
      "  lastminutestay-api:\n    runtime: process\n    command: ['{4}']\n    environment:\n{5}"
      "    health: {{http: 'http://127.0.0.1:{6}/monitoring/health'}}\n"
      "    logs: {{error: '{0}/logs/error.log', access: '{0}/logs/http.log'}}\n"
      "    breakers: 'http://127.0.0.1:{6}/monitoring/circuit-breakers'\n"
      "  hotel-data-api:\n    runtime: process\n    command: ['{7}']\n    environment:\n"
      "      HOTEL_DATA_STATE: '{0}/state-provider'\n      HOTEL_DATA_LOGS: '{0}/provider-logs'\n"
      "      HOTEL_DATA_PORT: '{8}'\n      HOTEL_DATA_WORKERS: '1'\n"
      "    health: {{http: 'http://127.0.0.1:{8}/health'}}\n"
      "  postgresql:\n    runtime: process\n    command: {9}\n    restart: {{policy: never}}\n"
      "    health: {{datastore: lastminutestay}}\n"
      "  redis:\n    runtime: process\n    command: {10}\n    restart: {{policy: never}}\n"
      "    health: {{datastore: cache}}\n"
      "channels:\n"
      "  infrastructure-emergency: {{kind: command, command: [tee, -a, '{0}/told']}}\n"
      "  database-emergency: {{kind: command, command: [tee, -a, '{0}/told']}}\n"
      "targets:\n  production: {{}}\n  staging: {{}}\n"
      "plans: ['{11}/*.yaml']\n",
      home_.native(), host, postgres_.data().native(), redis_port_, LASTMINUTESTAY_API, environment,
      api_port_, LASTMINUTESTAY_PROVIDER, provider_port_, yaml_list(postgres), yaml_list(redis),
      LASTMINUTESTAY_PLANS);
  if (!daruma::replace_file(*fs_, home_ / "daruma.yaml", daruma::as_bytes(text)).ok()) fail("daruma.yaml");
  auto config = daruma::parse_config(text, home_ / "daruma.yaml");
  if (!config.ok()) fail(config.error().what);
  config_ = *std::move(config);
}

void ProtectedBackend::start_all() {
  for (const char* name : kServices) {
    const daruma::Status started = service(name)->start(clock_->after(kPatience));
    if (!started.ok()) fail(started.error().what);
    if (name == std::string("postgresql"))
      wait_until("PostgreSQL answers", [&] { return postgres_.try_sql("SELECT 1").ok(); });
  }
  wait_until("the API is well", [&] {
    const Reply health = get("/monitoring/health/detailed");
    return health.status == 200 && health.body.find(R"("status":"fail")") == std::string::npos &&
           health.json().at("status").as_string() == "pass";
  });
}

void ProtectedBackend::stop_all() const {
  for (const char* name : {"lastminutestay-api", "hotel-data-api", "redis", "postgresql"}) {
    if (config_.service(name) == nullptr) continue;
    signal(name, SIGCONT);
    static_cast<void>(service(name)->stop(clock_->after(10s)));
  }
}

std::unique_ptr<daruma::runtime::ServiceRuntime> ProtectedBackend::service(const std::string& name) const {
  return daruma::runtime::make_runtime({*fs_, *clock_, *processes_, config_.state, DARUMA_PROGRAM},
                                       *config_.service(name));
}

ServiceStatus ProtectedBackend::status(const std::string& name) const {
  auto status = service(name)->status(clock_->after(kPatience));
  if (!status.ok()) fail(status.error().what);
  return *std::move(status);
}

void ProtectedBackend::signal(const std::string& name, int number) const {
  const auto now = service(name)->status(clock_->after(kPatience));
  if (!now.ok()) return;
  for (const int pid : now->pids) {
    ::kill(pid, number == SIGKILL ? SIGSTOP : number);  // its children do not come back meanwhile
    const auto bytes = daruma::read_file(*fs_, fmt::format("/proc/{0}/task/{0}/children", pid), 1 << 16);
    std::istringstream children(bytes.ok() ? std::string(daruma::as_text(*bytes)) : "");
    for (int child = 0; children >> child;) ::kill(child, number);
    if (number == SIGKILL) ::kill(pid, SIGKILL);
  }
}

ProcessExit ProtectedBackend::run(const Arguments& argv,
                                  const std::map<std::string, std::string>& environment) const {
  daruma::Command command{argv};
  command.working_directory = home_;
  for (const auto& [name, value] : environment) command.environment.emplace_back(name, value);
  auto ended = processes_->run(command, clock_->after(kPatience));
  if (!ended.ok()) fail(fmt::format("{}: {}", fmt::join(argv, " "), ended.error().what));
  return *std::move(ended);
}

std::string ProtectedBackend::must(const Arguments& argv,
                                   const std::map<std::string, std::string>& environment) const {
  const ProcessExit ended = run(argv, environment);
  if (ended.code != 0) fail(fmt::format("{}: {}", fmt::join(argv, " "), ended.output));
  return ended.output;
}

ProcessExit ProtectedBackend::command(const Arguments& arguments) const {
  return run(joined({DARUMA_PROGRAM}, arguments), {{"TEST_TOKEN", token_}, {"LANG", "C.UTF-8"}});
}

void ProtectedBackend::store_the_log() {
  if (const ProcessExit made = command({"init"}); made.code != 0) fail(made.output);
  daruma::Command serve{{"setpriv", "--pdeathsig", "KILL", "--", DARUMA_PROGRAM, "serve"}};
  serve.working_directory = home_;
  serve.output = home_ / "serve.log";
  auto started = processes_->start(serve);
  if (!started.ok()) fail(started.error().what);
  serving_ = *std::move(started);
  wait_until("the log is stored", [&] {
    return value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "0";
  });
  if (const ProcessExit made = command({"backup", "lastminutestay"}); made.code != 0) fail(made.output);
  wait_until_stored();
}

void ProtectedBackend::wait_until_stored() {
  const std::string end = value("SELECT pg_current_wal_flush_lsn()");
  wait_until("the log up to " + end + " is stored", [&] {
    return value("SELECT count(*) FROM pg_stat_replication WHERE flush_lsn >= '" + end + "'") != "0";
  });
}

PlanRun ProtectedBackend::recover(const std::string& plan, const Arguments& more) const {
  Arguments arguments = {"recover", plan};
  const auto bytes = daruma::read_file(*fs_, Path(LASTMINUTESTAY_PLANS) / (plan + ".yaml"), 1 << 20);
  const std::string text = bytes.ok() ? std::string(daruma::as_text(*bytes)) : "";
  const std::pair<std::string, std::string> ours[] = {
      {"api", fmt::format("http://127.0.0.1:{}", api_port_)},
      {"provider", fmt::format("http://127.0.0.1:{}/health", provider_port_)},
      {"night", "2024-06-21"},
      {"dumps", dumps_},
      {"integrity", LASTMINUTESTAY_INTEGRITY}};
  for (const auto& [name, value] : ours)
    if (text.find("\n  " + name + ":\n") < text.find("\nsteps:"))
      arguments = joined(arguments, {"--param", name + "=" + value});
  const ProcessExit ended = command(joined(arguments, more));
  PlanRun run{ended.code, ended.output, ""};
  const std::string first = ended.output.substr(0, ended.output.find_first_of(" \n"));
  if (first.find("-" + plan + "-") != std::string::npos) run.id = first;
  return run;
}

boost::json::object ProtectedBackend::step(const PlanRun& run, const std::string& id) const {
  boost::system::error_code malformed;
  const auto value = boost::json::parse(command({"runs", run.id, "--json"}).output, malformed);
  if (malformed || run.id.empty()) fail("not a run: " + run.output);
  for (const auto& each : value.at("steps").as_array())
    if (std::string(each.at("step").as_string()) == id) return each.as_object();
  fail(fmt::format("{} has no step {}", run.id, id));
}

std::string ProtectedBackend::state_of(const PlanRun& run, const std::string& id) const {
  return std::string(step(run, id).at("state").as_string());
}

Reply ProtectedBackend::get(const std::string& target) const { return send("GET", target); }

Reply ProtectedBackend::send(const std::string& method, const std::string& target, const std::string& body,
                             const Headers& headers) const {
  return ask_port(target.starts_with("/admin/") ? provider_port_ : api_port_, method, target, body, headers);
}

Reply ProtectedBackend::book(int night) const {
  return send("POST", "/api/bookings",
              fmt::format(R"({{"roomId":"test-room-id","checkIn":"2024-07-{:02}","checkOut":"2024-07-{:02}",)"
                          R"("guests":2}})",
                          night, night + 1),
              {{"Authorization", "Bearer " + token_}, {"Content-Type", "application/json"}});
}

void ProtectedBackend::provider_is(const std::string& behaviour) const {
  const Reply told = send("PUT", "/admin/behaviour", behaviour);
  if (told.status != 200) fail("the provider does not behave: " + told.body);
}

std::string ProtectedBackend::breaker_state() const {
  return std::string(
      get("/monitoring/circuit-breakers").json().at("circuitBreakers").at(0).at("state").as_string());
}

std::string ProtectedBackend::redis(const Arguments& command) const {
  return run(joined({"redis-cli", "-p", std::to_string(redis_port_)}, command)).output;
}

std::vector<daruma::postgres::SqlRow> ProtectedBackend::sql(const std::string& statement,
                                                            const std::string& database) {
  auto rows = postgres_.try_sql(statement, database);
  if (!rows.ok()) fail(rows.error().what);
  return *std::move(rows);
}

std::string ProtectedBackend::value(const std::string& statement, const std::string& database) {
  const auto rows = sql(statement, database);
  if (rows.empty() || rows[0].empty() || !rows[0][0]) fail("no value: " + statement);
  return *rows[0][0];
}

std::string ProtectedBackend::picture() {
  std::string out;
  for (const char* name : kServices) {
    const ServiceStatus now = status(name);
    out += fmt::format("{}: {} {}\n", name, daruma::runtime::to_string(now.state), fmt::join(now.pids, " "));
  }
  for (const auto& row : sql("SELECT datname FROM pg_database ORDER BY 1")) out += *row[0] + "\n";
  for (const char* table : {"bookings", "booking_nights", "booking_totals", "rooms", "audit_log"})
    out += fmt::format("{}: {}\n", table,
                       value(fmt::format("SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), "
                                         "'')) FROM {} t",
                                         table),
                             "lastminutestay"));
  out += redis({"DBSIZE"}) + breaker_state() + "\n" + command({"runs", "--json"}).output;
  for (const Path& folder : {dumps_, home_, home_ / "logs", home_ / "state", home_ / "state/runs"}) {
    const auto entries = fs_->list_dir(folder);
    if (!entries.ok()) continue;
    std::vector<std::string> names;
    for (const auto& entry : *entries) names.push_back(entry.name);
    std::ranges::sort(names);
    out += fmt::format("{}: {}\n", folder.native(), fmt::join(names, " "));
  }
  return out;
}

void ProtectedBackend::wait_until(const std::string& what, const std::function<bool()>& holds) const {
  const daruma::Deadline deadline = clock_->after(kPatience);
  while (!holds()) {
    if (deadline.passed(clock_->mono())) fail("waited in vain until " + what);
    clock_->pause(20ms);
  }
}

void ProtectedBackend::fail(const std::string& what) const {
  std::cerr << "the protected backend of the test: " << what << "\n";
  for (const char* name : kServices)
    if (config_.service(name) != nullptr)
      if (const auto logs = service(name)->logs(30, clock_->after(2s)); logs.ok())
        std::cerr << name << ":\n" << *logs;
  std::cerr << std::flush;
  stop_all();
  std::_Exit(1);
}

}  // namespace lastminutestay
