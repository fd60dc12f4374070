#include "runtime/pm2_runtime.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/shell_word.h"
#include "os/environment.h"
#include "os/files.h"
#include "runtime/output_log.h"
#include "runtime/usage.h"

namespace daruma::runtime {
namespace {

constexpr Duration kBetweenTries = 20ms;

State state_of(const std::string& word) {
  if (word == "online") return State::kRunning;
  if (word == "launching" || word == "waiting restart") return State::kStarting;
  if (word == "stopping") return State::kStopping;
  if (word == "stopped") return State::kStopped;
  return word == "errored" ? State::kFailed : State::kUnknown;
}

const Value& environment_of(const Value& entry) {
  static const Value kNothing;
  const Value* found = entry.find("pm2_env");
  return found ? *found : kNothing;
}

// What an entry says beside all variables of its process, which pm2 lays among its own fields.
Value without_variables(const Value& entry) {
  constexpr std::array kKept{
      "status",       "restart_time", "unstable_restarts", "exec_mode",       "pm_uptime",    "created_at",
      "pm_exec_path", "pm_cwd",       "pm_out_log_path",   "pm_err_log_path", "pm_pid_path",  "instances",
      "node_version", "exit_code",    "kill_timeout",      "autorestart",     "max_restarts", "args"};
  Value shown = Value::Map{};
  for (const char* key : {"name", "pid", "pm_id", "monit"})
    if (const Value* value = entry.find(key)) shown.set(key, *value);
  for (const char* key : kKept)
    if (const Value* value = environment_of(entry).find(key)) shown.set(key, *value);
  return shown;
}

}  // namespace

Result<Value::List> pm2_entries(std::string_view text, std::string_view name) {
  while (!text.empty()) {  // banners begin with "[PM2]", so the list is the line that can be read as one
    const size_t end = std::min(text.find('\n'), text.size());
    const auto value = text.starts_with('[') ? parse_json(text.substr(0, end)) : Result<Value>(Value());
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!value.ok() || !value->list()) continue;
    Value::List found;
    for (const Value& entry : *value->list())
      if (entry.text_at("name") == name) found.push_back(entry);
    return found;
  }
  return Error{Errc::kCorrupt, "`pm2 jlist` printed no list"};
}

// Of several instances the state is the worst, but a running one counts more than those that were stopped.
ServiceStatus pm2_status(const Value::List& entries) {
  ServiceStatus status{.state = State::kStopped};
  bool runs = false;
  for (const Value& entry : entries) {
    const Value& environment = environment_of(entry);
    const State state = state_of(environment.text_at("status"));
    runs = runs || state == State::kRunning;
    if (state != State::kRunning && state != State::kStopped) status.state = state;
    const auto pid = static_cast<int>(entry.integer_at("pid"));
    if (pid > 0 && state != State::kStopped && state != State::kFailed) status.pids.push_back(pid);
    status.restarts += static_cast<uint64_t>(environment.integer_at("restart_time"));
    const Instant since{environment.integer_at("pm_uptime") * 1000};
    if (state == State::kRunning && (!status.since || since < *status.since)) status.since = since;
    status.detail += (status.detail.empty() ? "" : ", ") + environment.text_at("status");
  }
  if (runs && status.state == State::kStopped) status.state = State::kRunning;
  return status;
}

Pm2Runtime::Pm2Runtime(const RuntimeWorld& world, ServiceConfig service)
    : world_(world),
      service_(std::move(service)),
      name_(service_.called.empty() ? service_.name : service_.called) {}

Result<ServiceStatus> Pm2Runtime::status(Deadline deadline) {
  DR_TRY(const Value::List found, entries(deadline));
  return pm2_status(found);
}

// To pm2 a start of what runs is a restart, so two starts at once take turns.
Status Pm2Runtime::start(Deadline deadline) {
  const Path folder = world_.state / "services" / service_.name;
  DR_OK(create_dirs(world_.fs, folder));
  auto turn = world_.fs.lock(folder / "lock");
  for (; turn.is(Errc::kRefused); turn = world_.fs.lock(folder / "lock")) {
    if (deadline.passed(world_.clock.mono()))
      return Error{Errc::kCancelled, fmt::format("'{}' is being started by somebody else", name_),
                   fmt::format("see how it is: pm2 describe {}", shell_word(name_))};
    world_.clock.pause(kBetweenTries);
  }
  if (!turn.ok()) return std::move(turn).error();
  const auto now = status(deadline);
  if (now.ok() && (now->state == State::kRunning || now->state == State::kStarting)) return {};
  return begin("start", deadline);
}

Status Pm2Runtime::stop(Deadline deadline) {
  DR_TRY(const Value::List found, entries(deadline));
  return act({"stop", name_}, deadline);
}

Status Pm2Runtime::restart(Deadline deadline) { return begin("restart", deadline); }

Status Pm2Runtime::reload(Deadline deadline) {
  DR_TRY(const ServiceStatus now, status(deadline));
  if (now.state != State::kRunning)
    return Error{Errc::kFailed, fmt::format("'{}' cannot reload: it is {}", name_, now.detail), "start it"};
  return act({"reload", name_}, deadline);
}

Status Pm2Runtime::scale(uint32_t instances, Deadline deadline) {
  if (instances == 0)
    return Error{Errc::kInvalid, fmt::format("'{}' cannot have 0 instances", name_), "stop it instead"};
  DR_TRY(const Value::List found, entries(deadline));
  if (found.size() == instances) return {};
  return act({"scale", name_, std::to_string(instances)}, deadline);
}

Result<std::string> Pm2Runtime::logs(uint32_t lines, Deadline deadline) {
  DR_TRY(const Value::List found, entries(deadline));
  std::vector<std::string> files;
  for (const Value& entry : found)
    for (const char* key : {"pm_out_log_path", "pm_err_log_path"})
      if (const std::string file = environment_of(entry).text_at(key);
          !file.empty() && std::ranges::find(files, file) == files.end())
        files.push_back(file);
  std::string text;
  for (const std::string& file : files) {
    const std::string part = last_output(world_.fs, file, lines);
    if (part.empty()) continue;
    if (files.size() > 2) text += fmt::format("==> {} <==\n", file);
    text += part;
  }
  return std::string(last_lines(text, files.size() > 2 ? UINT32_MAX : lines));
}

Result<Resources> Pm2Runtime::resources(Deadline deadline) {
  DR_TRY(const ServiceStatus now, status(deadline));
  return usage_of_families(now.pids);
}

Result<std::string> Pm2Runtime::inspect(Deadline deadline) {
  DR_TRY(const Value::List found, entries(deadline));
  Value::List shown;
  for (const Value& entry : found) shown.push_back(without_variables(entry));
  return to_json(Value(std::move(shown)));
}

std::vector<std::string> Pm2Runtime::by_hand(std::string_view act) const {
  const std::string name = shell_word(name_);
  if (act == "logs") return {fmt::format("pm2 logs {} --lines 100 --nostream", name)};
  if (act == "status" || act == "inspect" || act == "resources")
    return {fmt::format("pm2 describe {}", name)};
  if (act == "recreate") return {fmt::format("pm2 restart {}", name)};
  if (act == "scale") return {fmt::format("pm2 scale {} N", name)};
  return {fmt::format("pm2 {} {}", act, name)};
}

Result<Value::List> Pm2Runtime::entries(Deadline deadline) {
  DR_OK(daemon_runs());
  DR_TRY(const std::string text, run({"jlist"}, deadline));
  DR_TRY(Value::List found, pm2_entries(text, name_));
  if (!found.empty()) return found;
  return Error{Errc::kNotFound, fmt::format("pm2 at '{}' knows no '{}'", home().native(), name_),
               "`pm2 list` lists those there are; `called` of the service names its own"};
}

Path Pm2Runtime::home() const {
  for (const auto& [name, value] : service_.environment)
    if (name == "PM2_HOME") return value;
  if (const auto chosen = environment_variable("PM2_HOME"); chosen && !chosen->empty()) return *chosen;
  return Path(environment_variable("HOME").value_or("/")) / ".pm2";
}

Status Pm2Runtime::daemon_runs() const {
  const auto bytes = read_file(world_.fs, home() / "pm2.pid", 64);
  int pid = 0;
  if (bytes.ok()) {
    const std::string_view text = as_text(*bytes);
    std::from_chars(text.data(), text.data() + text.size(), pid);
  }
  if (process_exists(pid)) return {};
  return Error{Errc::kUnavailable, fmt::format("pm2 does not run (PM2_HOME is '{}')", home().native()),
               "`pm2 resurrect` brings it back with what it had saved; PM2_HOME says which pm2 is meant"};
}

Result<std::string> Pm2Runtime::run(std::vector<std::string> words, Deadline deadline) {
  words.insert(words.begin(), "pm2");
  Command command{.argv = words, .environment = service_.environment};
  command.environment.emplace_back("PM2_HOME", home().native());
  auto ended = world_.processes.run(command, deadline);
  if (ended.is(Errc::kNotFound))
    return Error{Errc::kUnavailable, "'pm2' is not installed, or not in PATH",
                 "npm install -g pm2, or add its folder to the PATH of daruma"};
  if (!ended.ok()) return std::move(ended).error();
  if (ended->code == 0) return std::move(ended->output);
  return Error{Errc::kFailed, fmt::format("pm2 {}: {}", words[1], last_lines(ended->output, 10))};
}

Status Pm2Runtime::act(std::vector<std::string> words, Deadline deadline) {
  auto done = run(std::move(words), deadline);
  if (done.ok()) return {};
  Error error = std::move(done).error();
  if (error.code == Errc::kCancelled) error.what = fmt::format("'{}' had not done it at the deadline", name_);
  if (error.code != Errc::kFailed) return error;
  const auto said = logs(10, deadline);
  if (said.ok() && !said->empty()) error.what += "; its last lines:\n" + *said;
  return error;
}

Status Pm2Runtime::begin(const char* verb, Deadline deadline) {
  if (!daemon_runs().ok()) DR_OK(run({"resurrect"}, deadline));
  DR_TRY(const Value::List found, entries(deadline));
  return act({verb, name_}, deadline);
}

}  // namespace daruma::runtime
