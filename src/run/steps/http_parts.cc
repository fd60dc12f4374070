#include "run/steps/http_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/shell_word.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

constexpr size_t kShownMost = 200;

std::string beginning(std::string_view body) {
  std::string out(body.substr(0, kShownMost));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out.empty() ? "an empty body" : body.size() > kShownMost ? out + " …" : out;
}

std::string shown(const Value* value) { return value ? to_json(*value) : "missing"; }

// 1 and 1.0 are the same number.
bool same(const Value& a, const Value& b) {
  const auto number = [](const Value& value) -> std::optional<double> {
    if (value.integer()) return static_cast<double>(*value.integer());
    if (value.floating()) return *value.floating();
    return std::nullopt;
  };
  return a == b || (number(a) && number(b) && *number(a) == *number(b));
}

std::optional<std::string> wrong_in_json(const StepContext& context, const Value& json) {
  if (const Value* expected = input(context, "json"); expected && expected->map()) {
    for (const auto& [path, value] : *expected->map()) {
      const Value* found = value_at(json, path);
      if (!found || !same(*found, value))
        return fmt::format("{} is {} instead of {}", path, shown(found), to_json(value));
    }
  }
  if (input(context, "degraded")) {
    const bool expected = boolean_input(context, "degraded");
    const Value* found = json.find("degraded");
    if (!found || !found->boolean() || *found->boolean() != expected)
      return fmt::format("degraded is {} instead of {}", shown(found), expected);
  }
  return std::nullopt;
}

Result<std::optional<std::string>> wrong_in_age(const StepContext& context, const Value& json) {
  DR_TRY(const auto age_most, duration_input(context, "age_most"));
  if (!age_most) return std::optional<std::string>();
  const Value* degraded = json.find("degraded");
  if (degraded && degraded->boolean() && !*degraded->boolean()) return std::optional<std::string>();
  const Value* age = json.find("ageSeconds");
  const std::optional<double> seconds = !age             ? std::nullopt
                                        : age->integer() ? std::optional(static_cast<double>(*age->integer()))
                                        : age->floating() ? std::optional(*age->floating())
                                                          : std::nullopt;
  if (!seconds) return std::optional(fmt::format("ageSeconds is {}, not a number", shown(age)));
  if (*seconds * 1e9 > static_cast<double>(age_most->count()))
    return std::optional(
        fmt::format("what is served is {} s old, more than {}", *seconds, human_duration(*age_most)));
  return std::optional<std::string>();
}

}  // namespace

Result<std::string> url_input(const StepContext& context) {
  std::string url = text_input(context, "url");
  if (!url.empty()) return url;
  if (!input(context, "service")) return Error{Errc::kInvalid, "input 'url': give 'url' or 'service'"};
  DR_TRY(const ServiceConfig* service, service_input(context));
  if (!service->health || service->health->http.empty())
    return Error{Errc::kInvalid, fmt::format("input 'service': '{}' has no health address", service->name),
                 fmt::format("give 'url', or set services.{}.health.http in daruma.yaml", service->name)};
  return service->health->http;
}

Result<probe::HttpQuestion> question_of(const StepContext& context, std::string url) {
  probe::HttpQuestion question{.url = std::move(url)};
  if (const std::string method = text_input(context, "method"); !method.empty()) question.method = method;
  DR_TRY(question.headers, maybe_secrets(context, "headers"));
  if (const Value* body = input(context, "body")) {
    question.body = to_text(*body);
    const bool has_type = std::any_of(question.headers.begin(), question.headers.end(),
                                      [](const auto& header) { return header.first == "Content-Type"; });
    if (!has_type && body->map()) question.headers.emplace_back("Content-Type", "application/json");
  }
  return question;
}

std::string curl_line(const StepContext& context) {
  const auto url = url_input(context);
  if (!url.ok()) return "# " + url.error().what;
  const std::string method = text_input(context, "method");
  // Where no error is expected, one is to be told by curl's exit code too.
  const auto statuses = statuses_input(context);
  const bool good = statuses.ok() && std::ranges::all_of(*statuses, [](int status) { return status < 400; });
  std::string line = good ? "curl -fsS -m 10 -i" : "curl -sS -m 10 -i";
  if (method == "HEAD")
    line += " -I";
  else if (!method.empty() && method != "GET")
    line += " -X " + shell_word(method);
  if (const Value* headers = input(context, "headers"); headers && headers->map())
    for (const auto& [name, value] : *headers->map()) {
      const std::string shown_value = shown_secret(value);
      // "Authorization: Bearer ${TOKEN}": the name goes inside the quotes.
      line += value.map() ? fmt::format(" -H \"{}: {}", name, shown_value.substr(1))
                          : " -H " + shell_word(name + ": " + to_text(value));
    }
  if (const Value* body = input(context, "body")) {
    if (body->map()) line += " -H 'Content-Type: application/json'";
    line += " --data-binary " + shell_word(to_text(*body));
  }
  return line + " " + shell_word(*url);
}

Result<std::vector<int>> statuses_input(const StepContext& context) {
  DR_TRY(const auto texts, texts_input(context, "status"));
  std::vector<int> statuses;
  for (const std::string& text : texts) {
    const bool three_digits = text.size() == 3 && std::all_of(text.begin(), text.end(),
                                                              [](char c) { return c >= '0' && c <= '9'; });
    if (!three_digits)
      return Error{Errc::kInvalid, fmt::format("input 'status': '{}' is not an HTTP status", text)};
    statuses.push_back(std::stoi(text));
  }
  if (statuses.empty()) statuses.push_back(200);
  return statuses;
}

Result<std::optional<std::string>> what_is_wrong(const StepContext& context,
                                                 const probe::HttpAnswer& answer) {
  DR_TRY(const auto statuses, statuses_input(context));
  using Wrong = std::optional<std::string>;
  if (std::find(statuses.begin(), statuses.end(), answer.status) == statuses.end())
    return Wrong(fmt::format("status {} instead of {}: {}", answer.status, fmt::join(statuses, " or "),
                             beginning(answer.body)));
  const std::string contains = text_input(context, "contains");
  if (!contains.empty() && answer.body.find(contains) == std::string::npos)
    return Wrong(fmt::format("'{}' is not in the answer: {}", contains, beginning(answer.body)));
  const std::string lacks = text_input(context, "lacks");
  if (!lacks.empty() && answer.body.find(lacks) != std::string::npos)
    return Wrong(fmt::format("'{}' is in the answer", lacks));
  if (!input(context, "json") && !input(context, "degraded") && !input(context, "age_most")) return Wrong();
  const auto json = parse_json(answer.body);
  if (!json.ok()) return Wrong(fmt::format("the answer is not JSON: {}", beginning(answer.body)));
  if (Wrong wrong = wrong_in_json(context, *json)) return wrong;
  return wrong_in_age(context, *json);
}

}  // namespace daruma::run
