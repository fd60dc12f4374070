#include "run/parameter.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "base/closest.h"

namespace daruma::run {
namespace {

constexpr ParameterTypeRow kTypes[] = {
    {"text", ParameterType::kText, "text"},
    {"integer", ParameterType::kInteger, "a whole number"},
    {"boolean", ParameterType::kBoolean, "true or false"},
    {"duration", ParameterType::kDuration, "a duration, as in 90s, 6h or 7d"},
    {"service", ParameterType::kService, "a service named in daruma.yaml"},
    {"datastore", ParameterType::kDatastore, "a datastore named in daruma.yaml"},
    {"path", ParameterType::kPath, "a file or folder; empty where its default is"},
    {"time", ParameterType::kTime, "a moment with its zone, as in 2026-11-22T10:42:00Z"},
    {"choice", ParameterType::kChoice, "one of the parameter's `choices`"},
};

const ParameterTypeRow& row_of(ParameterType type) {
  return *std::ranges::find(kTypes, type, &ParameterTypeRow::type);
}

Result<Value> integer_of(const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || rest != end || text.empty())
    return Error{Errc::kInvalid, fmt::format("'{}' is not a whole number", text)};
  return Value(number);
}

Result<Value> value_of_text(const Parameter& parameter, const std::string& text) {
  switch (parameter.type) {
    case ParameterType::kInteger:
      return integer_of(text);
    case ParameterType::kBoolean:
      if (text == "true" || text == "false") return Value(text == "true");
      return Error{Errc::kInvalid, fmt::format("'{}' is neither true nor false", text)};
    case ParameterType::kDuration:
      DR_OK(parse_duration(text));
      return Value(text);
    case ParameterType::kTime:
      DR_OK(parse_rfc3339(text));
      return Value(text);
    case ParameterType::kChoice:
      if (std::ranges::find(parameter.choices, text) != parameter.choices.end()) return Value(text);
      return Error{Errc::kInvalid,
                   fmt::format("'{}' is no choice{}", text, suggestion(text, parameter.choices))};
    case ParameterType::kService:
    case ParameterType::kDatastore:
    case ParameterType::kPath:
      if (text.empty() && parameter.standard == Value("")) return Value(text);  // may be left empty
      if (text.empty()) return Error{Errc::kInvalid, "it is empty"};
      return Value(text);
    case ParameterType::kText:
      break;
  }
  return Value(text);
}

}  // namespace

std::span<const ParameterTypeRow> parameter_types() { return kTypes; }
std::string_view to_string(ParameterType type) { return row_of(type).word; }

Result<Value> parameter_value(const Parameter& parameter, const Value& given) {
  const auto place = [&] {
    return fmt::format("parameter '{}' ({})", parameter.name, to_string(parameter.type));
  };
  if (given.text()) {
    auto value = value_of_text(parameter, *given.text());
    if (!value.ok()) return std::move(value).error().in(place());
    return value;
  }
  if (parameter.type == ParameterType::kInteger && given.integer()) return given;
  if (parameter.type == ParameterType::kBoolean && given.boolean()) return given;
  const bool number = given.integer() || given.floating() || given.boolean();
  return Error{Errc::kInvalid,
               fmt::format("{}: {} is not {}{}", place(), to_json(given), row_of(parameter.type).values,
                           number ? "; a text is written in quotation marks" : "")};
}

}  // namespace daruma::run
