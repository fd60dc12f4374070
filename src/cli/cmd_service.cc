#include <algorithm>

#include <fmt/format.h>

#include "base/closest.h"
#include "base/size.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "os/environment.h"
#include "run/steps/service_parts.h"
#include "runtime/runtime.h"

namespace daruma {
namespace {

using runtime::ServiceRuntime;

constexpr Duration kPatience = 1min;
constexpr uint32_t kLines = 100;

Result<const ServiceConfig*> chosen_service(const App& app, const std::string& name) {
  if (const ServiceConfig* service = app.config->service(name)) return service;
  std::vector<std::string> known;
  for (const ServiceConfig& service : app.config->services) known.push_back(service.name);
  return Error{Errc::kInvalid, fmt::format("no service is named '{}'{}", name, suggestion(name, known)),
               known.empty() ? "daruma.yaml has no `services`"
                             : fmt::format("daruma.yaml has {}", fmt::join(known, ", "))};
}

Status change(ServiceRuntime& runtime, std::string_view act, const Invocation& invocation,
              Deadline deadline) {
  if (act == "start") return runtime.start(deadline);
  if (act == "stop") return runtime.stop(deadline);
  if (act == "restart") return runtime.restart(deadline);
  if (act == "reload") return runtime.reload(deadline);
  if (act == "recreate") return runtime.recreate(deadline);
  if (act == "scale") return runtime.scale(invocation.number("--instances").value_or(0), deadline);
  return {};  // "status" changes nothing
}

std::unique_ptr<ServiceRuntime> runtime_of(App& app, const ServiceConfig& service) {
  return runtime::make_runtime({app.fs, app.clock, app.processes, app.config->state, this_program()},
                               service);
}

// All of them, each with what can be known of it.
std::string status_of_all(App& app, Deadline deadline) {
  Value::List all;
  Table table({{"service"}, {"state"}});
  for (const ServiceConfig& service : app.config->services) {
    const auto now = runtime_of(app, service)->status(deadline);
    all.push_back(now.ok() ? run::to_value(service, *now)
                           : Value().set("service", service.name).set("error", now.error().what));
    table.row({service.name, now.ok() ? run::describe(*now) : "not known: " + now.error().what});
  }
  if (app.json) return to_json(Value().set("services", std::move(all))) + "\n";
  return app.config->services.empty() ? "daruma.yaml has no `services`\n" : table.text();
}

Result<const ServiceConfig*> service_named_in(const App& app, const Invocation& invocation) {
  if (invocation.arguments.size() > 1) return chosen_service(app, invocation.arguments[1]);
  std::vector<std::string> known;
  for (const ServiceConfig& service : app.config->services) known.push_back(service.name);
  return Error{Errc::kInvalid, fmt::format("service {}: which service?", invocation.arguments[0]),
               fmt::format("one of {}", fmt::join(known, ", "))};
}

// What is printed of it.
Result<std::string> carry_out(App& app, const Invocation& invocation) {
  const std::string& act = invocation.arguments.at(0);
  Duration patience = kPatience;
  if (const auto text = invocation.value("--timeout")) {
    DR_TRY(patience, parse_duration(*text));
  }
  const Deadline deadline = app.clock.after(patience);
  if (act == "status" && invocation.arguments.size() == 1) return status_of_all(app, deadline);
  DR_TRY(const ServiceConfig* service, service_named_in(app, invocation));
  if (act == "scale" && !invocation.number("--instances"))
    return Error{Errc::kInvalid, "service scale: --instances N is missing",
                 fmt::format("daruma service scale {} --instances 2", service->name)};
  const auto runtime = runtime_of(app, *service);
  if (act == "logs") return runtime->logs(invocation.number("--lines").value_or(kLines), deadline);
  if (act == "inspect") {
    DR_TRY(const std::string json, runtime->inspect(deadline));
    return json + "\n";
  }
  if (act == "resources") {
    DR_TRY(const runtime::Resources used, runtime->resources(deadline));
    const auto cpu_ms = std::chrono::duration_cast<std::chrono::milliseconds>(used.cpu).count();
    if (app.json)
      return to_json(Value::Map{
                 {"memory_bytes", used.memory_bytes}, {"cpu_ms", cpu_ms}, {"processes", used.processes}}) +
             "\n";
    return fmt::format("memory {}, processor time {}, {} processes\n", human_bytes(used.memory_bytes),
                       human_duration(used.cpu), used.processes);
  }
  DR_OK(change(*runtime, act, invocation, deadline));
  DR_TRY(const runtime::ServiceStatus now, runtime->status(deadline));
  return app.json ? to_json(run::to_value(*service, now)) + "\n"
                  : fmt::format("{}: {}\n", service->name, run::describe(now));
}

constexpr std::string_view kActs[] = {"start", "stop", "restart",   "reload", "recreate",
                                      "scale", "logs", "resources", "status", "inspect"};

}  // namespace

int run_service(App& app, const Invocation& invocation) {
  const std::string& act = invocation.arguments.at(0);
  if (std::ranges::find(kActs, act) == std::end(kActs))
    return report_error(app,
                        {Errc::kInvalid, fmt::format("service: unknown act '{}'{}", act,
                                                     suggestion(act, {std::begin(kActs), std::end(kActs)}))});
  const auto text = carry_out(app, invocation);
  if (!text.ok()) return report_error(app, text.error());
  app.out.write(*text);
  return kDone;
}

}  // namespace daruma
