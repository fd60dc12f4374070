// service.*: services are looked at, started, stopped and given resources, whatever runtime they have.
#include <fmt/format.h>

#include <algorithm>

#include "run/steps/families.h"
#include "run/steps/inputs.h"
#include "run/steps/service_parts.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;
using runtime::ServiceRuntime;
using runtime::ServiceStatus;
using runtime::State;

constexpr InputRow kService{"service", Kind::kService, false, {}, "one service"};
constexpr InputRow kServices{"services", Kind::kList, false, {}, "several, in this order"};

constexpr InputRow kOnlyServices[] = {kService, kServices};
constexpr InputRow kStatus[] = {
    kService,
    kServices,
    {"expect", Kind::kText, false, {}, "running or stopped: the step fails when one of them is not"}};
constexpr InputRow kScale[] = {{"service", Kind::kService, true, {}, "the service"},
                               {"instances", Kind::kInteger, true, {}, "how many there shall be"}};

constexpr std::string_view kStatusOutputs[] = {"state", "running", "services"};
constexpr std::string_view kActedOutputs[] = {"services"};
constexpr std::string_view kScaleOutputs[] = {"before", "instances"};

bool runs(const ServiceStatus& status) { return status.state == State::kRunning; }
bool is_down(const ServiceStatus& status) {
  return status.state == State::kStopped || status.state == State::kFailed;
}

Result<Value> status(StepContext& context) {
  DR_TRY(const auto services, services_input(context));
  const std::string expect = text_input(context, "expect");
  if (!expect.empty() && expect != "running" && expect != "stopped")
    return Error{Errc::kInvalid, fmt::format("input 'expect': '{}' is neither running nor stopped", expect)};
  Value::List list;
  std::string first_state, against;
  bool all_run = true;
  for (const ServiceConfig* service : services) {
    DR_TRY(const ServiceStatus now, context.runtime_of(*service)->status(context.deadline));
    fmt::print("{}: {}\n", service->name, describe(now));
    if (first_state.empty()) first_state = runtime::to_string(now.state);
    all_run = all_run && runs(now);
    const bool as_expected = expect == "running" ? runs(now) : expect.empty() || is_down(now);
    if (!as_expected && against.empty())
      against = fmt::format("{} is not {}: {}", service->name, expect, describe(now));
    list.push_back(to_value(*service, now));
  }
  if (!against.empty()) return Error{Errc::kFailed, against};
  return Value(
      Value::Map{{"state", first_state}, {"running", all_run}, {"services", Value(std::move(list))}});
}

// What the services were before: pids and since when, which a restart changes.
Result<Value> record(StepContext& context) {
  DR_TRY(const auto services, services_input(context));
  Value::Map before;
  for (const ServiceConfig* service : services) {
    DR_TRY(const ServiceStatus now, context.runtime_of(*service)->status(context.deadline));
    before.emplace(service->name, to_value(*service, now));
  }
  return Value(std::move(before));
}

using Act = Status (ServiceRuntime::*)(Deadline);

// Carries out `act` on each service in turn, and sees that each is then as `holds` says.
Result<Value> each(StepContext& context, std::string_view word, Act act,
                   bool (*holds)(const ServiceStatus&)) {
  DR_TRY(const auto services, services_input(context));
  Value::List list;
  for (const ServiceConfig* service : services) {
    context.say(fmt::format("{} {}", word, service->name));
    const auto runtime = context.runtime_of(*service);
    if (Status done = (runtime.get()->*act)(context.deadline); !done.ok())
      return std::move(done).error().in(fmt::format("{} {}", word, service->name));
    DR_TRY(const ServiceStatus now, runtime->status(context.deadline));
    fmt::print("{}: {}\n", service->name, describe(now));
    if (!holds(now))
      return Error{Errc::kFailed, fmt::format("after {} {} is {}", word, service->name, describe(now)),
                   "look at its last lines: service.logs"};
    list.push_back(to_value(*service, now));
  }
  return Value(Value::Map{{"services", Value(std::move(list))}});
}

bool alive(const ServiceStatus& status) { return runs(status) || status.state == State::kStarting; }

Result<Value> start(StepContext& context) { return each(context, "start", &ServiceRuntime::start, alive); }
Result<Value> stop(StepContext& context) { return each(context, "stop", &ServiceRuntime::stop, is_down); }
Result<Value> restart(StepContext& context) {
  return each(context, "restart", &ServiceRuntime::restart, alive);
}
Result<Value> reload(StepContext& context) { return each(context, "reload", &ServiceRuntime::reload, alive); }
Result<Value> recreate(StepContext& context) {
  return each(context, "recreate", &ServiceRuntime::recreate, alive);
}

// Whether it runs as something else than before: other processes, or where the runtime names none, since
// another moment.
bool is_another(const Value& before, const Value& now) {
  const auto differs = [&](std::string_view key) {
    const Value* was = before.find(key);
    const Value* is = now.find(key);
    return was && is && *was != *is;
  };
  const Value* pids = before.find("pids");
  return pids && pids->list() && !pids->list()->empty() ? differs("pids") : differs("since");
}

Result<Happened> was_restarted(StepContext& context) {
  DR_TRY(const auto services, services_input(context));
  for (const ServiceConfig* service : services) {
    const Value* before = context.recorded.find(service->name);
    if (!before) return Happened::kUnknown;
    DR_TRY(const ServiceStatus now, context.runtime_of(*service)->status(context.deadline));
    if (!alive(now) || !is_another(*before, to_value(*service, now))) return Happened::kNo;
  }
  return Happened::kYes;
}

// Brings the services back to what they were, the last one first: those that ran before, or did not.
Status put_back(StepContext& context, std::string_view word, Act act, bool ran_before,
                bool (*holds)(const ServiceStatus&)) {
  DR_TRY(auto services, services_input(context));
  std::reverse(services.begin(), services.end());
  for (const ServiceConfig* service : services) {
    const Value* before = context.recorded.find(service->name);
    if (!before || before->boolean_at("running") != ran_before) continue;
    context.say(fmt::format("{} {} again", word, service->name));
    const auto runtime = context.runtime_of(*service);
    if (Status done = (runtime.get()->*act)(context.deadline); !done.ok())
      return std::move(done).error().in(fmt::format("{} {} again", word, service->name));
    DR_TRY(const ServiceStatus now, runtime->status(context.deadline));
    fmt::print("{}: {}\n", service->name, describe(now));
    if (!holds(now))
      return Error{Errc::kFailed, fmt::format("after {} {} is {}", word, service->name, describe(now))};
  }
  return {};
}

Status undo_start(StepContext& context) {
  return put_back(context, "stop", &ServiceRuntime::stop, false, is_down);
}
Status undo_stop(StepContext& context) {
  return put_back(context, "start", &ServiceRuntime::start, true, alive);
}

Result<Value> scale(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_input(context));
  const int64_t instances = integer_input(context, "instances");
  if (instances < 1 || instances > 1000)
    return Error{Errc::kInvalid, fmt::format("input 'instances': {} is not in 1 to 1000", instances)};
  const auto runtime = context.runtime_of(*service);
  DR_TRY(const ServiceStatus before, runtime->status(context.deadline));
  DR_OK(runtime->scale(static_cast<uint32_t>(instances), context.deadline));
  DR_TRY(const ServiceStatus now, runtime->status(context.deadline));
  fmt::print("{}: {}\n", service->name, describe(now));
  return Value(Value::Map{{"before", Value(before.pids.size())}, {"instances", Value(now.pids.size())}});
}

Status undo_scale(StepContext& context) {
  DR_TRY(const ServiceConfig* service, service_input(context));
  const Value* before = context.recorded.find(service->name);
  const Value::List* pids = before && before->find("pids") ? before->find("pids")->list() : nullptr;
  if (!pids || pids->empty())
    return Error{Errc::kRefused, fmt::format("{} did not run before it was scaled", service->name),
                 "stop it, if it is not wanted"};
  const auto runtime = context.runtime_of(*service);
  DR_OK(runtime->scale(static_cast<uint32_t>(pids->size()), context.deadline));
  DR_TRY(const ServiceStatus now, runtime->status(context.deadline));
  if (now.pids.size() != pids->size())
    return Error{Errc::kFailed, fmt::format("{} has {} instances instead of {}", service->name,
                                            now.pids.size(), pids->size())};
  return {};
}

std::vector<std::string> lines_by_hand(const StepContext& context, std::string_view act) {
  std::vector<std::string> lines;
  const auto services = services_input(context);
  if (!services.ok()) return {"# " + services.error().what};
  for (const ServiceConfig* service : *services)
    for (std::string& line : context.runtime_of(*service)->by_hand(act)) lines.push_back(std::move(line));
  return lines;
}

Result<Preview> preview_of(StepContext& context, std::string_view act, const std::string& more = "") {
  DR_TRY(const auto services, services_input(context));
  Preview preview{.would = {}, .by_hand = lines_by_hand(context, act)};
  for (const ServiceConfig* service : services) {
    const auto now = context.runtime_of(*service)->status(context.deadline);
    preview.would.push_back(fmt::format("{} {}{} ({}, {})", act, service->name, more,
                                        runtime_word(service->runtime),
                                        now.ok() ? describe(*now) : now.error().what));
  }
  return preview;
}

Result<Preview> preview_status(StepContext& context) { return preview_of(context, "status"); }
Result<Preview> preview_start(StepContext& context) { return preview_of(context, "start"); }
Result<Preview> preview_stop(StepContext& context) { return preview_of(context, "stop"); }
Result<Preview> preview_restart(StepContext& context) { return preview_of(context, "restart"); }
Result<Preview> preview_reload(StepContext& context) { return preview_of(context, "reload"); }
Result<Preview> preview_recreate(StepContext& context) { return preview_of(context, "recreate"); }
Result<Preview> preview_scale(StepContext& context) {
  return preview_of(context, "scale", fmt::format(" to {}", integer_input(context, "instances")));
}

std::vector<std::string> status_by_hand(const StepContext& context) {
  return lines_by_hand(context, "status");
}
std::vector<std::string> start_by_hand(const StepContext& context) { return lines_by_hand(context, "start"); }
std::vector<std::string> stop_by_hand(const StepContext& context) { return lines_by_hand(context, "stop"); }
std::vector<std::string> restart_by_hand(const StepContext& context) {
  return lines_by_hand(context, "restart");
}
std::vector<std::string> reload_by_hand(const StepContext& context) {
  return lines_by_hand(context, "reload");
}
std::vector<std::string> recreate_by_hand(const StepContext& context) {
  return lines_by_hand(context, "recreate");
}
std::vector<std::string> scale_by_hand(const StepContext& context) { return lines_by_hand(context, "scale"); }

constexpr Duration kMinute = std::chrono::minutes(1);

constexpr StepType kTypes[] = {
    {.name = "service.status",
     .summary = "says how services are",
     .inputs = kStatus,
     .outputs = kStatusOutputs,
     .act = status,
     .preview = preview_status,
     .by_hand = status_by_hand},
    {.name = "service.start",
     .summary = "starts services, and sees that they run; what runs is left alone",
     .effect = Effect::kChange,
     .timeout = kMinute,
     .inputs = kOnlyServices,
     .outputs = kActedOutputs,
     .writers = Writers::kStarts,
     .prepare = record,
     .act = start,
     .preview = preview_start,
     .undo = undo_start,
     .by_hand = start_by_hand},
    {.name = "service.stop",
     .summary = "stops services, and sees that nothing of them runs",
     .effect = Effect::kChange,
     .timeout = kMinute,
     .inputs = kOnlyServices,
     .outputs = kActedOutputs,
     .writers = Writers::kStops,
     .prepare = record,
     .act = stop,
     .preview = preview_stop,
     .undo = undo_stop,
     .by_hand = stop_by_hand},
    {.name = "service.restart",
     .summary = "restarts services, one after the other, and sees that they run",
     .effect = Effect::kChange,
     .after_crash = AfterCrash::kReconcile,
     .timeout = kMinute,
     .inputs = kOnlyServices,
     .outputs = kActedOutputs,
     .writers = Writers::kStarts,
     .prepare = record,
     .act = restart,
     .preview = preview_restart,
     .reconcile = was_restarted,
     .by_hand = restart_by_hand},
    {.name = "service.reload",
     .summary = "reloads services gracefully: no request is dropped",
     .effect = Effect::kChange,
     .timeout = kMinute,
     .inputs = kOnlyServices,
     .outputs = kActedOutputs,
     .prepare = record,
     .act = reload,
     .preview = preview_reload,
     .by_hand = reload_by_hand},
    {.name = "service.recreate",
     .summary = "takes services down and makes them anew (docker compose down, up), and sees that they run",
     .effect = Effect::kChange,
     .after_crash = AfterCrash::kReconcile,
     .timeout = std::chrono::minutes(2),
     .inputs = kOnlyServices,
     .outputs = kActedOutputs,
     .writers = Writers::kStarts,
     .prepare = record,
     .act = recreate,
     .preview = preview_recreate,
     .reconcile = was_restarted,
     .by_hand = recreate_by_hand},
    {.name = "service.scale",
     .summary = "gives a service a number of instances",
     .effect = Effect::kChange,
     .timeout = kMinute,
     .inputs = kScale,
     .outputs = kScaleOutputs,
     .writers = Writers::kMultiplies,
     .prepare = record,
     .act = scale,
     .preview = preview_scale,
     .undo = undo_scale,
     .by_hand = scale_by_hand},
};

}  // namespace

std::span<const StepType> service_steps() { return kTypes; }

}  // namespace daruma::run
