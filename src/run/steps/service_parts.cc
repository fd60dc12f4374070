#include "run/steps/service_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace daruma::run {

std::string_view runtime_word(Runtime runtime) {
  switch (runtime) {
    case Runtime::kProcess:
      return "process";
    case Runtime::kSystemd:
      return "systemd";
    case Runtime::kDocker:
      return "docker";
    case Runtime::kPm2:
      return "pm2";
  }
  return "";
}

std::string describe(const runtime::ServiceStatus& status) {
  std::string out(runtime::to_string(status.state));
  if (status.since) out += " since " + to_rfc3339(*status.since);
  if (!status.pids.empty())
    out += fmt::format(", pid{} {}", status.pids.size() == 1 ? "" : "s", fmt::join(status.pids, " "));
  if (status.restarts > 0) out += fmt::format(", restarted {} times", status.restarts);
  if (!status.health.empty()) out += ", " + status.health;
  if (!status.detail.empty()) out += ": " + status.detail;
  return out;
}

Value to_value(const ServiceConfig& service, const runtime::ServiceStatus& status) {
  Value::List pids;
  for (const int pid : status.pids) pids.emplace_back(pid);
  return Value(Value::Map{{"service", service.name},
                          {"state", runtime::to_string(status.state)},
                          {"running", status.state == runtime::State::kRunning},
                          {"pids", Value(std::move(pids))},
                          {"since", status.since ? Value(to_rfc3339(*status.since)) : Value()},
                          {"restarts", Value(status.restarts)},
                          {"detail", status.detail},
                          {"health", status.health}});
}

}  // namespace daruma::run
