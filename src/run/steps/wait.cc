// wait_until: waits for a condition with a deadline, never for seconds.
#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "probe/http.h"
#include "probe/postgres.h"
#include "probe/redis.h"
#include "run/steps/families.h"
#include "run/steps/http_parts.h"
#include "run/steps/inputs.h"
#include "run/steps/service_parts.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr Duration kAttemptMost = 5s;  // one look; the next one may find better
// Kept back, so that the step says itself what it waited for in vain before it is ended from outside.
constexpr Duration kForLastWords = 200ms;

constexpr InputRow kInputs[] = {
    {"http", Kind::kText, false, {}, "until this URL answers as `status`, `contains` and `json` say"},
    {"tcp", Kind::kText, false, {}, "until HOST:PORT takes connections"},
    {"datastore", Kind::kDatastore, false, {}, "until it answers: SELECT 1, or PING"},
    {"service", Kind::kService, false, {}, "until it runs and, where it has a health check, is well"},
    {"status", Kind::kAny, false, "200", "the HTTP status expected, or a list of them"},
    {"contains", Kind::kText, false, {}, "must be in the body"},
    {"json", Kind::kMap, false, {}, "paths into the JSON body and what must be there"},
    {"pause", Kind::kDuration, false, "500ms", "between two looks"},
};
constexpr std::string_view kOutputs[] = {"waited_ms", "looks"};

// How it is now. An error is why it is not so yet; kInvalid, kRefused: it never will be.
using Look = Status (*)(StepContext&, Deadline);

Status as_expected(StepContext& context, const std::string& url, Deadline deadline) {
  DR_TRY(const auto answer, probe::ask_http({.url = url}, context.clock, deadline, context.stop));
  DR_TRY(const auto wrong, what_is_wrong(context, answer));
  if (wrong) return Error{Errc::kFailed, fmt::format("{}: {}", url, *wrong)};
  return {};
}

Status look_at_http(StepContext& context, Deadline deadline) {
  return as_expected(context, text_input(context, "http"), deadline);
}

Status look_at_tcp(StepContext& context, Deadline deadline) {
  DR_OK(probe::ask_tcp(text_input(context, "tcp"), context.clock, deadline, context.stop));
  return {};
}

Status ask_datastore(StepContext& context, const DatastoreConfig& datastore, Deadline deadline) {
  DR_TRY(const std::string password, password_of(context, datastore.connection));
  if (datastore.kind == DatastoreKind::kPostgres) {
    DR_OK(probe::ask_postgres(datastore.connection, password, context.clock, deadline));
    return {};
  }
  DR_TRY(auto talk, probe::RedisTalk::connect(datastore.connection, password, context.clock, deadline));
  // While it loads its data from disk Redis answers PING with an error.
  DR_OK(talk.ask({"PING"}, deadline));
  return {};
}

Status look_at_datastore(StepContext& context, Deadline deadline) {
  const std::string name = text_input(context, "datastore");
  const DatastoreConfig* datastore = context.config.datastore(name);
  if (!datastore)
    return Error{Errc::kInvalid, fmt::format("input 'datastore': no datastore is called '{}'", name)};
  return ask_datastore(context, *datastore, deadline);
}

Status look_at_service(StepContext& context, Deadline deadline) {
  DR_TRY(const ServiceConfig* service, service_input(context));
  DR_TRY(const auto now, context.runtime_of(*service)->status(deadline));
  if (now.state != runtime::State::kRunning)
    return Error{Errc::kFailed, fmt::format("{} is {}", service->name, describe(now))};
  if (!now.health.empty() && now.health != "healthy")
    return Error{Errc::kFailed, fmt::format("{} is {}", service->name, now.health)};
  if (!service->health) return {};
  if (!service->health->http.empty()) return as_expected(context, service->health->http, deadline);
  if (!service->health->tcp.empty()) {
    DR_OK(probe::ask_tcp(service->health->tcp, context.clock, deadline, context.stop));
    return {};
  }
  const DatastoreConfig* datastore = context.config.datastore(service->health->datastore);
  return datastore ? ask_datastore(context, *datastore, deadline) : Status();
}

struct Condition {
  std::string_view name;
  Look look;
};
constexpr Condition kConditions[] = {{"http", look_at_http},
                                     {"tcp", look_at_tcp},
                                     {"datastore", look_at_datastore},
                                     {"service", look_at_service}};

Result<Condition> condition_of(const StepContext& context) {
  std::optional<Condition> chosen;
  for (const Condition& condition : kConditions) {
    if (!input(context, condition.name)) continue;
    if (chosen)
      return Error{Errc::kInvalid,
                   fmt::format("inputs '{}' and '{}': wait for one of them", chosen->name, condition.name)};
    chosen = condition;
  }
  if (!chosen) return Error{Errc::kInvalid, "give one of 'http', 'tcp', 'datastore', 'service'"};
  return *chosen;
}

std::string waited_for(const StepContext& context, const Condition& condition) {
  return fmt::format("{} {}", condition.name, text_input(context, condition.name));
}

Result<Value> wait_until(StepContext& context) {
  DR_TRY(const Condition condition, condition_of(context));
  DR_TRY(const auto pause, duration_input(context, "pause"));
  const std::string what = waited_for(context, condition);
  const MonoInstant begin = context.clock.mono();
  const Duration whole = context.deadline.left(begin);
  const Deadline last = context.clock.after(whole - std::min(kForLastWords, whole / 10));
  std::string before;
  for (int64_t looks = 1;; ++looks) {
    const Deadline attempt{std::min(last.at, context.clock.after(kAttemptMost).at)};
    const Status status = condition.look(context, attempt);
    const MonoInstant now = context.clock.mono();
    if (status.ok()) {
      fmt::print("{}: as it should be after {}\n", what, human_duration(now - begin));
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - begin).count();
      return Value(Value::Map{{"waited_ms", Value(ms)}, {"looks", Value(looks)}});
    }
    if (status.is(Errc::kInvalid) || status.is(Errc::kRefused)) return status.error();
    // What ran out of time at the very end says less than what was found before.
    const bool late = last.passed(now) && status.is(Errc::kCancelled) && !before.empty();
    if (!late && status.error().what != before) {
      before = status.error().what;
      context.say(fmt::format("waits for {}: {}", what, before));
      fmt::print("waits for {}: {}\n", what, before);
    }
    if (last.passed(now) ||
        !context.clock.pause(std::min(pause.value_or(500ms), last.left(now)), context.stop))
      return Error{Errc::kCancelled,
                   fmt::format("waited {} in vain for {}: {}", human_duration(now - begin), what, before)};
  }
}

// A loop that a person can paste, and that ends by itself.
std::string until_line(const std::string& command) {
  return shell_line({"timeout", "120", "sh", "-c", fmt::format("until {}; do sleep 1; done", command)});
}

std::string ask_line(const DatastoreConfig& datastore) {
  const ConnectionConfig& connection = datastore.connection;
  const std::string port = fmt::format("{}", connection.port);
  if (datastore.kind == DatastoreKind::kRedis)
    return shell_line({"redis-cli", "-h", connection.host, "-p", port, "PING"});
  return shell_line({"psql", "-h", connection.host, "-p", port, "-U", connection.user, "-d",
                     connection.dbname, "-c", "SELECT 1"});
}

std::vector<std::string> by_hand(const StepContext& context) {
  const auto condition = condition_of(context);
  if (!condition.ok()) return {"# " + condition.error().what};
  const std::string text = text_input(context, condition->name);
  if (condition->name == "http")
    return {until_line(shell_line({"curl", "-sf", "-m", "5", "-o", "/dev/null", text}))};
  if (condition->name == "tcp") {
    const size_t colon = std::min(text.rfind(':'), text.size() - 1);
    return {until_line(shell_line({"nc", "-z", text.substr(0, colon), text.substr(colon + 1)}))};
  }
  if (condition->name == "service") {
    const auto service = service_input(context);
    if (!service.ok()) return {"# " + service.error().what};
    return context.runtime_of(**service)->by_hand("status");
  }
  const DatastoreConfig* datastore = context.config.datastore(text);
  if (!datastore) return {"# no datastore is called " + text};
  return {until_line(ask_line(*datastore))};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const Condition condition, condition_of(context));
  return Preview{.would = {"wait for " + waited_for(context, condition)}, .by_hand = by_hand(context)};
}

constexpr StepType kTypes[] = {
    {.name = "wait_until",
     .summary = "waits until something is so, looking again and again until its timeout",
     .timeout = std::chrono::minutes(2),
     .inputs = kInputs,
     .outputs = kOutputs,
     .act = wait_until,
     .preview = preview,
     .by_hand = by_hand},
};

}  // namespace

std::span<const StepType> wait_steps() { return kTypes; }

}  // namespace daruma::run
