#include "runtime/systemd_runtime.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/value.h"
#include "runtime/output_log.h"
#include "runtime/usage.h"

namespace daruma::runtime {
namespace {

using Properties = std::map<std::string, std::string, std::less<>>;

std::string of(const Properties& properties, std::string_view name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::string() : found->second;
}

// nullopt: not a number, or what systemd writes where it does not know: the largest there is.
std::optional<uint64_t> number(const Properties& properties, std::string_view name) {
  const std::string text = of(properties, name);
  uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value == UINT64_MAX)
    return std::nullopt;
  return value;
}

// "Sun 2026-11-22 12:00:00 UTC": systemctl is run with TZ=UTC.
std::optional<Instant> moment(std::string_view text) {
  if (!text.ends_with(" UTC")) return std::nullopt;
  text.remove_suffix(4);
  text.remove_prefix(std::min(text.find(' ') + 1, text.size()));
  const auto instant = parse_rfc3339(std::string(text) + "Z");
  if (!instant.ok()) return std::nullopt;
  return *instant;
}

State state_of(const std::string& active) {
  if (active == "active" || active == "reloading" || active == "refreshing") return State::kRunning;
  if (active == "activating") return State::kStarting;
  if (active == "deactivating") return State::kStopping;
  if (active == "inactive") return State::kStopped;
  return active == "failed" ? State::kFailed : State::kUnknown;
}

}  // namespace

Properties systemd_properties(std::string_view text) {
  Properties properties;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (const size_t equals = line.find('='); equals != line.npos)
      properties.emplace(line.substr(0, equals), line.substr(equals + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return properties;
}

ServiceStatus systemd_status(const Properties& properties) {
  ServiceStatus status;
  status.state = state_of(of(properties, "ActiveState"));
  status.detail = fmt::format("{} ({})", of(properties, "ActiveState"), of(properties, "SubState"));
  const std::string result = of(properties, "Result");
  if (!result.empty() && result != "success")
    status.detail += fmt::format(", {} {}", result, of(properties, "ExecMainStatus"));
  if (const auto pid = number(properties, "MainPID"); pid && *pid > 0 && status.state != State::kStopped)
    status.pids.push_back(static_cast<int>(*pid));
  status.since = moment(of(properties, "StateChangeTimestamp"));
  status.restarts = number(properties, "NRestarts").value_or(0);
  return status;
}

std::string systemd_variable_names(std::string_view environment) {
  std::string names;
  bool in_name = true, quoted = false;
  for (size_t i = 0; i < environment.size(); ++i) {
    const char c = environment[i];
    if (c == '\\') {
      ++i;  // of a value: names have none
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      if (!names.empty() && !names.ends_with(' ')) names += ' ';
      in_name = true;
    } else if (c == '=') {
      in_name = false;
    } else if (in_name) {
      names += c;
    }
  }
  return names;
}

SystemdRuntime::SystemdRuntime(const RuntimeWorld& world, const ServiceConfig& service)
    : world_(world), unit_(service.called.empty() ? service.name : service.called) {
  if (unit_.find('.') == std::string::npos) unit_ += ".service";
}

Result<ServiceStatus> SystemdRuntime::status(Deadline deadline) {
  DR_TRY(const Properties found, properties(deadline));
  return systemd_status(found);
}

Status SystemdRuntime::start(Deadline deadline) { return begin("start", deadline); }

Status SystemdRuntime::stop(Deadline deadline) {
  DR_OK(properties(deadline));
  return act("stop", deadline);
}

Status SystemdRuntime::restart(Deadline deadline) { return begin("restart", deadline); }

Status SystemdRuntime::reload(Deadline deadline) {
  DR_TRY(const Properties found, properties(deadline));
  if (systemd_status(found).state != State::kRunning)
    return Error{Errc::kFailed, fmt::format("'{}' cannot reload: it is {}", unit_, of(found, "ActiveState")),
                 "start it"};
  if (of(found, "CanReload") != "yes")
    return Error{Errc::kRefused, fmt::format("'{}' has no ExecReload, so systemd cannot reload it", unit_),
                 "restart it instead"};
  return act("reload", deadline);
}

Status SystemdRuntime::scale(uint32_t, Deadline) {
  return Error{Errc::kRefused, fmt::format("'{}' is one unit, and cannot be scaled", unit_),
               "a template (NAME@.service) makes a unit for each instance"};
}

Result<std::string> SystemdRuntime::logs(uint32_t lines, Deadline deadline) {
  DR_OK(properties(deadline));
  if (lines == 0) return std::string();
  DR_TRY(const std::string text, run({"journalctl", "--unit", unit_, "--lines", std::to_string(lines),
                                      "--quiet", "--no-pager", "--output", "cat"},
                                     deadline));
  return std::string(last_lines(text, lines));
}

Result<Resources> SystemdRuntime::resources(Deadline deadline) {
  DR_TRY(const Properties found, properties(deadline));
  Resources used;
  const ServiceStatus now = systemd_status(found);
  if (now.pids.empty()) return used;
  used.memory_bytes = number(found, "MemoryCurrent").value_or(0);
  used.cpu = Duration(number(found, "CPUUsageNSec").value_or(0));
  used.processes = static_cast<uint32_t>(number(found, "TasksCurrent").value_or(0));
  if (used.memory_bytes > 0 && used.processes > 0) return used;
  // Where systemd does not count, the kernel's table does.
  return usage_of_families(now.pids);
}

Result<std::string> SystemdRuntime::inspect(Deadline deadline) {
  DR_TRY(Properties found, properties(deadline));
  if (const auto variables = found.find("Environment"); variables != found.end())
    variables->second = systemd_variable_names(variables->second);
  Value::Map all;
  for (auto& [name, value] : found) all.emplace(name, std::move(value));
  return to_json(Value(std::move(all)));
}

std::vector<std::string> SystemdRuntime::by_hand(std::string_view act) const {
  const std::string name =
      shell_word(unit_.ends_with(".service") ? unit_.substr(0, unit_.size() - 8) : unit_);
  if (act == "scale") return {fmt::format("# unit {} is one instance; systemd cannot scale it", name)};
  if (act == "logs") return {fmt::format("journalctl -u {} -n 100 --no-pager", name)};
  if (act == "recreate") return {fmt::format("systemctl restart {}", name)};
  if (act == "inspect") return {fmt::format("systemctl show {}", name)};
  if (act == "resources")
    return {fmt::format("systemctl show {} -p MemoryCurrent,CPUUsageNSec,TasksCurrent", name)};
  return {fmt::format("systemctl {} {}", act, name)};
}

Result<Properties> SystemdRuntime::properties(Deadline deadline) {
  DR_TRY(const std::string text, run({"systemctl", "show", unit_}, deadline));
  Properties found = systemd_properties(text);
  if (of(found, "LoadState") == "not-found")
    return Error{Errc::kNotFound, fmt::format("systemd has no unit '{}'", unit_),
                 "`systemctl list-unit-files` lists those there are; `called` of the service names its unit"};
  if (!found.contains("ActiveState"))
    return Error{Errc::kUnavailable,
                 fmt::format("systemctl does not say how '{}' is: {}", unit_, last_lines(text, 3))};
  return found;
}

Result<std::string> SystemdRuntime::run(std::vector<std::string> argv, Deadline deadline) {
  const std::string program = argv[0];
  auto ended = world_.processes.run(
      {.argv = std::move(argv), .environment = {{"TZ", "UTC"}, {"LC_ALL", "C"}}}, deadline);
  if (ended.is(Errc::kNotFound))
    return Error{Errc::kUnavailable,
                 fmt::format("'{}' is not installed: systemd does not run this machine", program),
                 "name the runtime that keeps the service, in daruma.yaml"};
  if (!ended.ok()) return std::move(ended).error();
  if (ended->code == 0) return std::move(ended->output);
  const bool absent = ended->output.find("not been booted with systemd") != std::string::npos ||
                      ended->output.find("Failed to connect to bus") != std::string::npos;
  return Error{absent ? Errc::kUnavailable : Errc::kFailed,
               fmt::format("{}: {}", program, last_lines(ended->output, 10))};
}

Status SystemdRuntime::act(const char* verb, Deadline deadline) {
  auto done = run({"systemctl", verb, unit_}, deadline);
  if (done.ok()) return {};
  Error error = std::move(done).error();
  if (error.code == Errc::kCancelled) error.what = fmt::format("'{}' had not done it at the deadline", unit_);
  if (error.code != Errc::kFailed) return error;
  const auto said = logs(10, deadline);
  if (said.ok() && !said->empty()) error.what += "; its last lines:\n" + *said;
  return error;
}

Status SystemdRuntime::begin(const char* verb, Deadline deadline) {
  DR_TRY(const Properties found, properties(deadline));
  if (of(found, "ActiveState") == "failed") DR_OK(act("reset-failed", deadline));
  return act(verb, deadline);
}

}  // namespace daruma::runtime
