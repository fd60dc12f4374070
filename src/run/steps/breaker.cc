// breaker.*: circuit breakers of services that list them (requirements L6, L7, L21).
#include <fmt/format.h>

#include "base/shell_word.h"
#include "probe/http.h"
#include "run/steps/families.h"
#include "run/steps/http_parts.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr std::string_view kClosed = "CLOSED";

constexpr InputRow kService{"service", Kind::kService, false, {}, "whose breakers: services.NAME.breakers"};
constexpr InputRow kUrl{"url", Kind::kText, false, {}, "instead: the URL that lists breakers"};
constexpr InputRow kHeaders{"headers", Kind::kMap, false, {}, "headers, as a token; a value may be a secret"};

constexpr InputRow kShow[] = {
    kService,
    kUrl,
    kHeaders,
    {"expect_closed", Kind::kBoolean, false, "false", "fails when one of them is not closed"},
};
constexpr InputRow kReset[] = {
    kService,
    kUrl,
    {"name", Kind::kText, true, {}, "the breaker"},
    {"provider", Kind::kText, true, {}, "a URL of what the breaker stands before: it must answer well first"},
    {"status", Kind::kAny, false, "200", "the status expected of the provider, or a list of them"},
    {"contains", Kind::kText, false, {}, "must be in the provider's answer"},
    kHeaders,
};

constexpr std::string_view kShowOutputs[] = {"breakers", "not_closed", "all_closed"};
constexpr std::string_view kResetOutputs[] = {"before", "state"};

Result<std::string> list_url(const StepContext& context) {
  std::string url = text_input(context, "url");
  if (url.empty()) {
    if (!input(context, "service")) return Error{Errc::kInvalid, "input 'service': give 'service' or 'url'"};
    DR_TRY(const ServiceConfig* service, service_input(context));
    if (service->breakers.empty())
      return Error{Errc::kInvalid, fmt::format("input 'service': '{}' lists no breakers", service->name),
                   fmt::format("set services.{}.breakers in daruma.yaml", service->name)};
    url = service->breakers;
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Result<Value::List> read_breakers(StepContext& context, const std::string& url) {
  probe::HttpQuestion question{.url = url};
  DR_TRY(question.headers, maybe_secrets(context, "headers"));
  DR_TRY(const auto answer, probe::ask_http(question, context.clock, context.deadline, context.stop));
  const auto json = parse_json(answer.body);
  const Value* list = json.ok() ? json->find("circuitBreakers") : nullptr;
  if (answer.status != 200 || !list || !list->list())
    return Error{Errc::kFailed, fmt::format("{} lists no breakers: status {}", url, answer.status)};
  return *list->list();
}

Result<Value> breaker_named(const Value::List& breakers, const std::string& name) {
  std::string names;
  for (const Value& breaker : breakers) {
    if (breaker.text_at("name") == name) return breaker;
    names += (names.empty() ? "" : ", ") + breaker.text_at("name");
  }
  return Error{Errc::kNotFound, fmt::format("no breaker is called '{}'", name), "there are: " + names};
}

void print(const Value& breaker) {
  const Value* rate = breaker.find("failureRate");
  fmt::print("{}: {} since {}, failure rate {}\n", breaker.text_at("name"), breaker.text_at("state"),
             breaker.text_at("since", "?"), rate ? to_json(*rate) : "unknown");
}

Result<Value> show(StepContext& context) {
  DR_TRY(const std::string url, list_url(context));
  DR_TRY(const Value::List breakers, read_breakers(context, url));
  Value::List not_closed;
  for (const Value& breaker : breakers) {
    print(breaker);
    if (breaker.text_at("state") != kClosed) not_closed.emplace_back(breaker.text_at("name"));
  }
  if (!not_closed.empty() && boolean_input(context, "expect_closed"))
    return Error{Errc::kFailed, fmt::format("not closed: {}", to_json(Value(not_closed)))};
  const bool all_closed = not_closed.empty();
  return Value(Value::Map{{"breakers", Value(breakers)},
                          {"not_closed", Value(std::move(not_closed))},
                          {"all_closed", all_closed}});
}

// kRefused while what the breaker protects from still fails: closing it would only bring the failures back.
Status provider_is_well(StepContext& context) {
  const std::string url = text_input(context, "provider");
  const auto answer = probe::ask_http({.url = url}, context.clock, context.deadline, context.stop);
  std::string wrong;
  if (!answer.ok()) {
    wrong = answer.error().what;
  } else {
    DR_TRY(const auto found, what_is_wrong(context, *answer));
    if (found) wrong = fmt::format("{}: {}", url, *found);
  }
  if (wrong.empty()) return {};
  return Error{Errc::kRefused, fmt::format("the provider still fails: {}", wrong),
               "wait until it answers, or look at it with its own tools"};
}

Result<Value> reset(StepContext& context) {
  DR_TRY(const std::string url, list_url(context));
  const std::string name = text_input(context, "name");
  DR_TRY(const Value::List before, read_breakers(context, url));
  DR_TRY(const Value breaker, breaker_named(before, name));
  print(breaker);
  DR_OK(provider_is_well(context));
  const std::string was = breaker.text_at("state");
  if (was != kClosed) {
    probe::HttpQuestion question{.method = "POST", .url = fmt::format("{}/{}/reset", url, name)};
    DR_TRY(question.headers, maybe_secrets(context, "headers"));
    DR_TRY(const auto answer, probe::ask_http(question, context.clock, context.deadline, context.stop));
    if (answer.status / 100 != 2)
      return Error{answer.status == 401 || answer.status == 403 ? Errc::kRefused : Errc::kFailed,
                   fmt::format("{}: status {}", question.url, answer.status)};
  }
  DR_TRY(const Value::List after, read_breakers(context, url));
  DR_TRY(const Value now, breaker_named(after, name));
  print(now);
  if (now.text_at("state") != kClosed)
    return Error{Errc::kFailed, fmt::format("{} is {} after the reset", name, now.text_at("state"))};
  return Value(Value::Map{{"before", was}, {"state", now.text_at("state")}});
}

std::vector<std::string> show_by_hand(const StepContext& context) {
  const auto url = list_url(context);
  if (!url.ok()) return {"# " + url.error().what};
  return {shell_line({"curl", "-sS", "-m", "10", *url})};
}

std::vector<std::string> reset_by_hand(const StepContext& context) {
  const auto url = list_url(context);
  if (!url.ok()) return {"# " + url.error().what};
  return {shell_line({"curl", "-sSf", "-m", "10", text_input(context, "provider")}),
          shell_line({"curl", "-sS", "-m", "10", "-X", "POST",
                      fmt::format("{}/{}/reset", *url, text_input(context, "name"))}),
          shell_line({"curl", "-sS", "-m", "10", *url})};
}

Result<Preview> preview_show(StepContext& context) {
  DR_TRY(const std::string url, list_url(context));
  return Preview{.would = {"list the circuit breakers at " + url}, .by_hand = show_by_hand(context)};
}

Result<Preview> preview_reset(StepContext& context) {
  DR_TRY(const std::string url, list_url(context));
  DR_TRY(const Value::List breakers, read_breakers(context, url));
  const std::string name = text_input(context, "name");
  DR_TRY(const Value breaker, breaker_named(breakers, name));
  const Status provider = provider_is_well(context);
  std::string would =
      breaker.text_at("state") == kClosed
          ? fmt::format("leave circuit breaker {} closed as it is", name)
          : fmt::format("close circuit breaker {}, which is {}", name, breaker.text_at("state"));
  if (!provider.ok()) would = fmt::format("refuse to reset {}: {}", name, provider.error().what);
  return Preview{.would = {would}, .by_hand = reset_by_hand(context)};
}

constexpr StepType kTypes[] = {
    {.name = "breaker.show",
     .summary = "lists the circuit breakers of a service",
     .timeout = std::chrono::seconds(10),
     .inputs = kShow,
     .outputs = kShowOutputs,
     .act = show,
     .preview = preview_show,
     .by_hand = show_by_hand},
    {.name = "breaker.reset",
     .summary = "closes a circuit breaker, after what it stands before was asked and answered well",
     .effect = Effect::kChange,
     .inputs = kReset,
     .outputs = kResetOutputs,
     .act = reset,
     .preview = preview_reset,
     .by_hand = reset_by_hand},
};

}  // namespace

std::span<const StepType> breaker_steps() { return kTypes; }

}  // namespace daruma::run
