#include "run/step_inputs.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/closest.h"
#include "run/plan_links.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

Result<Value> integer_value(const Value& value) {
  if (value.integer()) return value;
  if (const std::string* text = value.text()) {
    int64_t number = 0;
    const char* end = text->data() + text->size();
    const auto [rest, failure] = std::from_chars(text->data(), end, number);
    if (failure == std::errc() && rest == end) return Value(number);
  }
  return Error{Errc::kInvalid, fmt::format("{} is not a whole number", to_json(value))};
}

Result<Value> boolean_value(const Value& value) {
  if (value.boolean()) return value;
  if (value == Value("true") || value == Value("false")) return Value(value == Value("true"));
  return Error{Errc::kInvalid, fmt::format("{} is neither true nor false", to_json(value))};
}

Result<Value> duration_value(const Value& value) {
  if (!value.text())
    return Error{Errc::kInvalid,
                 fmt::format("{} is not a duration; write it as in 90s or 6h", to_json(value))};
  DR_OK(parse_duration(*value.text()));
  return value;
}

Result<Value> text_value(const Value& value, std::string_view wanted) {
  if (value.text() && !value.text()->empty()) return value;
  if (wanted == "text" && value.text()) return value;
  if (wanted == "text" && (value.integer() || value.boolean())) return Value(to_text(value));
  const bool fraction = value.floating();
  return Error{Errc::kInvalid, fmt::format("{} is not {}{}", to_json(value), wanted,
                                           fraction ? "; write it in quotation marks" : "")};
}

}  // namespace

Result<Value> input_value(const InputRow& row, const Value& value) {
  switch (row.kind) {
    case Kind::kText:
      return text_value(value, "text");
    case Kind::kInteger:
      return integer_value(value);
    case Kind::kBoolean:
      return boolean_value(value);
    case Kind::kDuration:
      return duration_value(value);
    case Kind::kService:
      return text_value(value, "the name of a service");
    case Kind::kDatastore:
      return text_value(value, "the name of a datastore");
    case Kind::kPath:
      return text_value(value, "a path");
    case Kind::kList:
      if (value.list() || value.text()) return value;
      return Error{Errc::kInvalid, fmt::format("{} is not a list", to_json(value))};
    case Kind::kMap:
      if (value.map()) return value;
      return Error{Errc::kInvalid, fmt::format("{} is not a mapping", to_json(value))};
    case Kind::kAny:
      break;
  }
  return value;
}

Result<Value::Map> step_inputs(const StepType& type, const Value::Map& filled) {
  Value::Map out;
  std::vector<std::string> names;
  for (const InputRow& row : type.inputs) {
    names.emplace_back(row.name);
    const auto given = filled.find(row.name);
    Value value = given == filled.end() ? Value() : given->second;
    // A parameter that was left empty.
    if (row.kind == Kind::kPath && !row.required && value == Value("")) value = Value();
    if (value.is_null() && !row.standard.empty()) {
      const auto standard =
          row.kind == Kind::kText ? Result<Value>(Value(row.standard)) : parse_json(row.standard);
      value = standard.ok() ? *standard : Value(row.standard);
    }
    if (value.is_null()) {
      if (row.required)
        return Error{Errc::kInvalid, fmt::format("{}: input '{}' is missing", type.name, row.name)};
      continue;
    }
    auto typed = input_value(row, value);
    if (!typed.ok()) return std::move(typed).error().in(fmt::format("{}: input '{}'", type.name, row.name));
    out.emplace(row.name, *std::move(typed));
  }
  for (const auto& [name, value] : filled) {
    if (std::ranges::find(names, name) != names.end()) continue;
    if (type.name != kNest)
      return Error{Errc::kInvalid,
                   fmt::format("{} has no input '{}'{}", type.name, name, suggestion(name, names))};
    out.emplace(name, value);
  }
  return out;
}

}  // namespace daruma::run
