#include "ai_micro_system.h"

#include <fmt/format.h>
#include <signal.h>

#include <boost/json.hpp>

#include "os/files.h"
#include "support/free_port.h"

namespace aimicro {

using daruma::Command;
using daruma::Duration;
using daruma::Path;
using daruma::ProcessExit;
using daruma::TalkAnswer;
using daruma::TalkHeaders;

namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr Duration kBetweenTries = std::chrono::milliseconds(10);

const std::map<std::string, std::string> kFolders = {{"auth-service", "ai-micro-api-auth"},
                                                     {"user-service", "ai-micro-api-user"},
                                                     {"admin-service", "ai-micro-api-admin"},
                                                     {"front-user", "ai-micro-front-user"},
                                                     {"front-admin", "ai-micro-front-admin"}};

// "auth-service" -> "AUTH_SERVICE_"
std::string prefix_of(std::string program) {
  for (char& c : program) c = c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return program + "_";
}

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "ai-micro-service in a test: {}\n", what);
  std::abort();
}

}  // namespace

AiMicroSystem::AiMicroSystem() : postgres_({.tcp = true}), redis_(kRedisPassword) {
  postgres_.start();
  redis_.start();
  for (const char* program : kPrograms) ports_[program] = daruma::free_port();
  for (const char* program : {"auth-service", "user-service", "admin-service"})
    if (const ProcessExit done = command(program, {"migrate"}); done.code != 0) fail(done.output);
  for (const char* program : kPrograms) start(program);
}

AiMicroSystem::~AiMicroSystem() = default;

Command AiMicroSystem::command_of(const std::string& program, const Arguments& arguments) {
  Command command;
  command.argv = {"setpriv", "--pdeathsig", "KILL", std::string(AI_MICRO_BIN) + "/" + program};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.working_directory = Path(AI_MICRO_FOLDER) / kFolders.at(program);
  const Path& root = scratch_.path();
  const std::string prefix = prefix_of(program);
  const auto set = [&](const std::string& name, const std::string& value) {
    command.environment.emplace_back(prefix + name, value);
  };
  const auto url = [&](const char* of) { return fmt::format("http://localhost:{}", ports_.at(of)); };
  set("PORT", std::to_string(ports_.at(program)));
  set("WORKERS", "2");
  set("STATE", (root / "state" / program).string());
  set("LOGS", (root / "logs" / program).string());
  if (program.starts_with("front-")) {
    set("AUTH_URL", url("auth-service"));
    set("USER_URL", url("user-service"));
    set("ADMIN_URL", url("admin-service"));
    set("WATCH", "1s");
    return command;
  }
  set("POSTGRES_PORT", std::to_string(postgres_.tcp_settings().port));
  set("TOKEN_PUBLIC_KEY", (root / "keys" / "public.pem").string());
  set("ORIGINS", url("front-user") + "," + url("front-admin"));
  if (program == "admin-service") {
    set("FILES", files().string());
    set("UPLOAD_MAX_MIB", "1");
  }
  if (program == "auth-service") {
    set("REDIS_PORT", std::to_string(redis_.port()));
    set("REDIS_PASSWORD", kRedisPassword);
    set("TOKEN_PRIVATE_KEY", private_key().string());
    set("TOKEN_REUSE_GRACE", "0s");
    set("PASSWORD_MEMORY_MIB", "8");
    set("PASSWORD_PASSES", "1");
    set("LIMIT_ADDRESS", "100000");
    set("LIMIT_REGISTER", "100000");
  }
  return command;
}

void AiMicroSystem::start(const std::string& program, const Arguments& more) {
  Command command = command_of(program, more);
  command.output = scratch_.path() / (program + ".out");
  auto started = runner_->start(command);
  if (!started.ok()) fail(started.error().what);
  processes_[program] = *std::move(started);
  wait_for_health(program, 200);
}

void AiMicroSystem::stop(const std::string& program) {
  const auto process = std::move(processes_.at(program));
  processes_.erase(program);
  if (!process->signal(SIGTERM).ok() || !process->wait(clock_->after(kPatience)).ok())
    fail(program + " does not stop\n" + everything_logged());
}

void AiMicroSystem::restart(const std::string& program, const Arguments& more) {
  stop(program);
  start(program, more);
}

ProcessExit AiMicroSystem::command(const std::string& program, const Arguments& arguments) {
  const auto done = runner_->run(command_of(program, arguments), clock_->after(kPatience));
  if (!done.ok()) fail(program + ": " + done.error().what);
  return *done;
}

void AiMicroSystem::wait_until(const std::string& what, const std::function<bool()>& condition) {
  const auto deadline = clock_->after(kPatience);
  while (!condition()) {
    if (deadline.passed(clock_->mono())) fail("never: " + what + "\n" + everything_logged());
    clock_->pause(kBetweenTries);
  }
}

void AiMicroSystem::wait_for_health(const std::string& program, int status) {
  const auto deadline = clock_->after(kPatience);
  while (ask(program, "GET", "/health").status != status) {
    if (deadline.passed(clock_->mono()))
      fail(fmt::format("{} does not get to {} of /health\n{}", program, status, everything_logged()));
    const auto& process = processes_.at(program);
    if (process->wait(clock_->after(kBetweenTries)).ok()) fail(program + " ended\n" + everything_logged());
  }
}

TalkAnswer AiMicroSystem::ask(const std::string& program, const std::string& method,
                              const std::string& target, const TalkHeaders& headers, std::string_view body) {
  return daruma::talk(port(program), method, target, headers, body);
}

std::string AiMicroSystem::text_of(const Path& file) {
  const auto bytes = daruma::read_file(scratch_.fs(), file, 64 << 20);
  return bytes.ok() ? std::string(daruma::as_text(*bytes)) : "";
}

std::string AiMicroSystem::public_pem() { return text_of(scratch_.path() / "keys" / "public.pem"); }

std::string AiMicroSystem::logs(const std::string& program) {
  const Path folder = scratch_.path() / "logs" / program;
  return text_of(folder / "error.log") + text_of(folder / "http.log");
}

std::string AiMicroSystem::everything_logged() {
  std::string all;
  for (const char* program : kPrograms)
    all += fmt::format("--- {}\n{}{}", program, text_of(scratch_.path() / (std::string(program) + ".out")),
                       logs(program));
  return all;
}

TalkHeaders Visitor::with(TalkHeaders more) const {
  more.emplace_back("Authorization", "Bearer " + token);
  return more;
}

std::string field_of(const std::string& json, const std::string& name) {
  boost::system::error_code broken;
  const auto value = boost::json::parse(json, broken);
  if (broken || !value.is_object()) return "";
  const auto* field = value.get_object().if_contains(name);
  if (field == nullptr) return "";
  return field->is_string() ? std::string(field->get_string()) : boost::json::serialize(*field);
}

std::string cookie_of(const TalkAnswer& answer) {
  const std::string line = answer.header("Set-Cookie");
  return line.substr(0, line.find(';'));
}

std::string json_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  boost::json::object object;
  for (const auto& [name, value] : fields) object[name] = value;
  return boost::json::serialize(object);
}

}  // namespace aimicro
