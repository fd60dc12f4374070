// http.check and http.request: one request, and what is expected of its answer.
#include <fmt/format.h>

#include <algorithm>

#include "run/steps/families.h"
#include "run/steps/http_parts.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr size_t kPrintedMost = 4096;

constexpr InputRow kUrl{"url", Kind::kText, false, {}, "what is asked"};
constexpr InputRow kService{"service", Kind::kService, false, {}, "instead of `url`: its health address"};
constexpr InputRow kHeaders{"headers", Kind::kMap, false, {}, "headers; a value may be a secret"};
constexpr InputRow kStatus{"status", Kind::kAny, false, "200", "the status expected, or a list of them"};
constexpr InputRow kContains{"contains", Kind::kText, false, {}, "must be in the body"};
constexpr InputRow kLacks{"lacks", Kind::kText, false, {}, "must not be in the body"};
constexpr InputRow kJson{
    "json", Kind::kMap, false, {}, "paths into the JSON body, as in `results.0.id`, and what must be there"};
constexpr InputRow kTake{"take", Kind::kText, false, {}, "a path into the JSON body: output `taken`"};

constexpr InputRow kCheck[] = {
    kUrl,
    kService,
    {"method", Kind::kText, false, "GET", "GET or HEAD"},
    kHeaders,
    kStatus,
    kContains,
    kLacks,
    kJson,
    {"degraded", Kind::kBoolean, false, {}, "what `degraded` of the JSON body must be"},
    {"age_most",
     Kind::kDuration,
     false,
     {},
     "how old what is served may be: `ageSeconds` of the JSON; with `degraded: false` it is fresh"},
    kTake,
};
constexpr InputRow kRequest[] = {
    {"url", Kind::kText, true, {}, "what is asked"},
    {"method", Kind::kText, false, "POST", "POST, PUT, PATCH or DELETE"},
    kHeaders,
    {"body", Kind::kAny, false, {}, "a text, or a map that is sent as JSON"},
    kStatus,
    kContains,
    kLacks,
    kJson,
    kTake,
    {"not_on", Kind::kList, false, {}, "targets on which the step refuses, as in [production]"},
};

constexpr std::string_view kOutputs[] = {"status", "ms", "body", "taken"};

bool is_one_of(std::string_view method, std::initializer_list<std::string_view> methods) {
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

Result<Value> ask(StepContext& context) {
  DR_TRY(const std::string url, url_input(context));
  DR_TRY(const probe::HttpQuestion question, question_of(context, url));
  DR_TRY(const probe::HttpAnswer answer,
         probe::ask_http(question, context.clock, context.deadline, context.stop));
  fmt::print("{} {}: {} in {}\n{}{}", question.method, url, answer.status, human_duration(answer.took),
             answer.body.substr(0, kPrintedMost), answer.body.empty() ? "" : "\n");
  DR_TRY(const auto wrong, what_is_wrong(context, answer));
  if (wrong) return Error{Errc::kFailed, fmt::format("{}: {}", url, *wrong)};
  Value taken;
  if (const std::string path = text_input(context, "take"); !path.empty()) {
    const auto json = parse_json(answer.body);
    const Value* found = json.ok() ? value_at(*json, path) : nullptr;
    if (!found) return Error{Errc::kFailed, fmt::format("{}: nothing is at '{}' of its answer", url, path)};
    taken = *found;
  }
  const auto ms = std::chrono::duration<double, std::milli>(answer.took).count();
  return Value(Value::Map{{"status", answer.status},
                          {"ms", Value(ms)},
                          {"body", answer.body.substr(0, kPrintedMost)},
                          {"taken", std::move(taken)}});
}

Result<Value> check(StepContext& context) {
  const std::string method = text_input(context, "method");
  if (!method.empty() && !is_one_of(method, {"GET", "HEAD"}))
    return Error{Errc::kInvalid, fmt::format("input 'method': '{}' may change something", method),
                 "use http.request"};
  return ask(context);
}

Status allowed(const StepContext& context) {
  const std::string method = text_input(context, "method");
  if (!is_one_of(method, {"POST", "PUT", "PATCH", "DELETE"}))
    return Error{Errc::kInvalid,
                 fmt::format("input 'method': '{}' is none of POST, PUT, PATCH, DELETE", method)};
  DR_TRY(const auto not_on, texts_input(context, "not_on"));
  for (const std::string& target : not_on)
    if (target == to_string(context.target))
      return Error{Errc::kRefused, fmt::format("not on {}: {}", target, text_input(context, "url")),
                   "give the run another target"};
  return {};
}

Result<Value> request(StepContext& context) {
  DR_OK(allowed(context));
  return ask(context);
}

Result<Preview> preview_check(StepContext& context) {
  DR_TRY(const std::string url, url_input(context));
  const std::string method = text_input(context, "method");
  return Preview{.would = {fmt::format("ask {} {}", method.empty() ? "GET" : method, url)},
                 .by_hand = {curl_line(context)}};
}

Result<Preview> preview_request(StepContext& context) {
  DR_OK(allowed(context));
  return Preview{
      .would = {fmt::format("send {} {}", text_input(context, "method"), text_input(context, "url"))},
      .by_hand = {curl_line(context)}};
}

std::vector<std::string> by_hand(const StepContext& context) { return {curl_line(context)}; }

constexpr StepType kTypes[] = {
    {.name = "http.check",
     .summary = "asks a URL once and checks status, body and age of the answer",
     .timeout = std::chrono::seconds(10),
     .inputs = kCheck,
     .outputs = kOutputs,
     .act = check,
     .preview = preview_check,
     .by_hand = by_hand},
    {.name = "http.request",
     .summary = "sends a request that changes something, and checks its answer",
     .effect = Effect::kChange,
     .after_crash = AfterCrash::kAsk,
     .timeout = std::chrono::seconds(30),
     .inputs = kRequest,
     .outputs = kOutputs,
     .act = request,
     .preview = preview_request,
     .by_hand = by_hand},
};

}  // namespace

std::span<const StepType> http_steps() { return kTypes; }

}  // namespace daruma::run
