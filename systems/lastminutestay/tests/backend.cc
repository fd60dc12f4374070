#include "lastminutestay/tests/backend.h"

#include <fmt/format.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "support/free_port.h"

namespace lastminutestay {

using namespace std::chrono_literals;
using daruma::Command;
using daruma::Path;
using daruma::ProcessExit;

namespace {

constexpr daruma::Duration kPatience = 60s;

std::vector<std::string> lines_of(const Path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string text_of(const Path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

Backend::Backend(BackendOptions options)
    : options_(std::move(options)),
      postgres_({.tcp = options_.network}),
      logs_(scratch_.path() / "logs"),
      port_(daruma::free_port()),
      provider_port_(daruma::free_port()) {
  std::filesystem::create_directory(logs_);
  if (options_.prepare_logs) options_.prepare_logs(logs_);
  std::ofstream(scratch_.path() / "token-secret") << "a secret of thirty-two bytes or more";
  postgres_.start();
  if (options_.network) network_ = std::make_unique<daruma::TcpProxy>(postgres_.tcp_settings().port);
  redis_.start();
  postgres_.sql("CREATE DATABASE lastminutestay");
  must(LASTMINUTESTAY_API, {"migrate"});
  must(LASTMINUTESTAY_API, {"generate", "--hotels", std::to_string(options_.hotels)});
  test_token_ = token();

  auto provider = processes_->start(command(LASTMINUTESTAY_PROVIDER, {}));
  if (!provider.ok()) fail(provider.error().what);
  provider_ = *std::move(provider);
  auto api = processes_->start(command(LASTMINUTESTAY_API, {}));
  if (!api.ok()) fail(api.error().what);
  api_ = *std::move(api);
  wait_until("all workers serve", [&] {
    return text_of(scratch_.path() / "LASTMINUTESTAY_output").find("serving on") != std::string::npos;
  });
  wait_until("the API is ready", [&] { return get("/monitoring/health").status == 200; });
  wait_until("the provider answers", [&] { return health_of("HotelDataAPI") == "pass"; });
}

Backend::~Backend() {
  for (const auto& process : {api_.get(), provider_.get()}) {
    if (process == nullptr) continue;
    static_cast<void>(process->signal(SIGTERM));
    static_cast<void>(process->wait(clock_->after(kPatience)));
  }
}

Command Backend::command(const std::string& program, const std::vector<std::string>& arguments) const {
  const std::string of = program == LASTMINUTESTAY_API ? "LASTMINUTESTAY_" : "HOTEL_DATA_";
  Command command;
  // What serves ends with us, whatever becomes of us.
  if (arguments.empty()) command.argv = {"setpriv", "--pdeathsig", "TERM", "--"};
  command.argv.push_back(program);
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.working_directory = scratch_.path();
  const auto set = [&](const std::string& name, const std::string& value) {
    command.environment.emplace_back(of + name, value);
  };
  set("STATE", scratch_.path() / ("state-" + of));
  std::filesystem::create_directory(scratch_.path() / ("state-" + of));
  if (arguments.empty()) command.output = scratch_.path() / (of + "output");
  if (program == LASTMINUTESTAY_PROVIDER) {
    set("PORT", std::to_string(provider_port_));
    set("WORKERS", "2");
    set("LOGS", scratch_.path() / "provider-logs");
    return command;
  }
  const auto postgres = postgres_.settings();
  set("PORT", std::to_string(port_));
  set("WORKERS", std::to_string(options_.workers));
  set("LOGS", logs_);
  set("POSTGRES_HOST", network_ ? "127.0.0.1" : postgres.host);
  set("POSTGRES_PORT", std::to_string(network_ ? network_->port() : postgres.port));
  set("POSTGRES_USER", "postgres");
  set("REDIS_PORT", std::to_string(redis_.port()));
  set("PROVIDER_PORT", std::to_string(provider_port_));
  set("TOKEN_SECRET_FILE", scratch_.path() / "token-secret");
  set("BUSINESS_DATE", "2024-06-20");
  for (const auto& [name, value] : options_.settings) set(name, value);
  for (const auto& [name, value] : options_.environment) command.environment.emplace_back(name, value);
  return command;
}

void Backend::must(const std::string& program, const std::vector<std::string>& arguments) const {
  const auto ended = processes_->run(command(program, arguments), clock_->after(kPatience));
  if (!ended.ok()) fail(ended.error().what);
  if (ended->code != 0) fail(arguments.at(0) + ": " + ended->output);
}

std::string Backend::token(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {"token"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto ended = processes_->run(command(LASTMINUTESTAY_API, all), clock_->after(kPatience));
  if (!ended.ok() || ended->code != 0) fail("token: " + (ended.ok() ? ended->output : ended.error().what));
  return ended->output.substr(0, ended->output.find('\n'));
}

Reply Backend::get(const std::string& target, const Headers& headers) const {
  return send("GET", target, "", headers);
}

Reply Backend::send(const std::string& method, const std::string& target, const std::string& body,
                    const Headers& headers) const {
  return ask_port(target.starts_with("/admin/") ? provider_port_ : port_, method, target, body, headers);
}

Reply Backend::book(const std::string& body, const std::string& key) const {
  Headers headers = {{"Authorization", "Bearer " + test_token_}, {"Content-Type", "application/json"}};
  if (!key.empty()) headers.emplace_back("Idempotency-Key", key);
  return send("POST", "/api/bookings", body, headers);
}

void Backend::provider_is(const std::string& behaviour) {
  const Reply told = send("PUT", "/admin/behaviour", behaviour);
  if (told.status != 200) fail("the provider does not behave: " + told.body);
}

std::string Backend::breaker_state() const {
  const Reply reply = get("/monitoring/circuit-breakers");
  return std::string(reply.json().at("circuitBreakers").at(0).at("state").as_string());
}

std::string Backend::health_of(const std::string& dependency) const {
  const auto health = get("/monitoring/health/detailed").json();
  const auto* checks = health.as_object().if_contains("checks");
  if (checks == nullptr) return "";
  for (const auto& [name, list] : checks->as_object())
    if (name.starts_with(dependency)) return std::string(list.at(0).at("status").as_string());
  return "";
}

ProcessExit Backend::check_integrity() {
  return postgres_.tool("psql", {"-U", "postgres", "-d", "lastminutestay", "-f", LASTMINUTESTAY_INTEGRITY});
}

std::vector<std::string> Backend::error_lines() const { return lines_of(logs_ / "error.log"); }
std::vector<std::string> Backend::access_lines() const { return lines_of(logs_ / "http.log"); }

double Backend::metric(const std::string& series) const {
  const std::string text = "\n" + get("/monitoring/metrics").body;
  const size_t at = text.find("\n" + series + " ");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + series.size() + 2));
}

std::vector<int> Backend::workers() const {
  std::istringstream children(text_of(fmt::format("/proc/{0}/task/{0}/children", api_->pid())));
  std::vector<int> pids;
  for (int pid = 0; children >> pid;) pids.push_back(pid);
  return pids;
}

void Backend::signal_api(int number) {
  if (auto sent = api_->signal(number); !sent.ok()) fail(sent.error().what);
}

void Backend::wait_until(const std::string& what, const std::function<bool()>& holds) const {
  const daruma::Deadline deadline = clock_->after(kPatience);
  while (!holds()) {
    if (deadline.passed(clock_->mono())) fail("waited in vain until " + what);
    clock_->pause(20ms);
  }
}

void Backend::fail(const std::string& what) const {
  std::cerr << "the backend of the test: " << what << "\n"
            << text_of(scratch_.path() / "LASTMINUTESTAY_output")
            << text_of(scratch_.path() / "HOTEL_DATA_output") << text_of(logs_ / "error.log") << std::flush;
  std::_Exit(1);
}

}  // namespace lastminutestay
