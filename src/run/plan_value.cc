// A frozen plan as a Value and back. The fields of each part are listed once, for both directions.

#include "run/plan_value.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "run/parameter.h"

namespace daruma::run {
namespace {

template <class Io, class T>
void fields(Io& io, T& part);

// What has fields of its own.
template <class T>
concept Part =
    std::is_same_v<T, FrozenPlan> || std::is_same_v<T, FrozenPlan::Scope> || std::is_same_v<T, Plan> ||
    std::is_same_v<T, Step> || std::is_same_v<T, Text> || std::is_same_v<T, Parameter> ||
    std::is_same_v<T, Retry> || std::is_same_v<T, Approval> || std::is_same_v<T, Action> ||
    std::is_same_v<T, Head> || std::is_same_v<T, Detection> || std::is_same_v<T, Finish>;

std::string_view word_of(OnFailure value) {
  return value == OnFailure::kFail ? "fail" : value == OnFailure::kContinue ? "continue" : "undo";
}

// Writes what differs from nothing: empty texts, lists and mappings, false and zero are left out.
class Saver {
 public:
  static Value save(const std::string& value) { return Value(value); }
  static Value save(bool value) { return Value(value); }
  static Value save(uint32_t value) { return Value(value); }
  static Value save(Duration value) { return Value(value.count()); }
  static Value save(const Value& value) { return value; }
  static Value save(const Value::Map& value) { return Value(value); }
  static Value save(OnFailure value) { return Value(word_of(value)); }
  static Value save(ParameterType value) { return Value(to_string(value)); }
  static Value save(const Expression& value) { return Value(value.text()); }
  template <class T>
  static Value save(const std::vector<T>& items) {
    Value::List list;
    for (const T& item : items) list.push_back(save(item));
    return Value(std::move(list));
  }
  template <Part T>
  static Value save(const T& part) {
    Saver inner;
    fields(inner, part);
    return Value(std::move(inner.map_));
  }

  template <class T>
  void operator()(std::string_view key, const T& field) {
    Value value = save(field);
    if (!is_nothing(value)) map_.emplace(key, std::move(value));
  }
  template <class T>
  void operator()(std::string_view key, const std::optional<T>& field) {
    if (field) map_.emplace(key, save(*field));
  }

 private:
  static bool is_nothing(const Value& value) {
    return value.is_null() || value == Value("") || value == Value(false) || value == Value(0) ||
           value == Value(Value::List()) || value == Value(Value::Map());
  }
  Value::Map map_;
};

// Reads what Saver wrote; `wrong` keeps the first mistake.
class Loader {
 public:
  explicit Loader(const Value& value, std::string& wrong) : value_(value), wrong_(wrong) {
    if (!value.map()) wrong_ = "a part of it is no mapping";
  }

  template <class T>
  void operator()(std::string_view key, T& field) {
    field = T{};
    if (const Value* value = value_.find(key))
      load(key, *value, field);
    else
      clear(field);
  }
  template <class T>
  void operator()(std::string_view key, std::optional<T>& field) {
    if (const Value* value = value_.find(key)) load(key, *value, field.emplace());
  }

 private:
  // What was left out was nothing, whatever T's own default is.
  void clear(bool& field) { field = false; }
  void clear(uint32_t& field) { field = 0; }
  void clear(Duration& field) { field = Duration{}; }
  template <class T>
  void clear(T& field) {
    if constexpr (Part<T>) load("", Value(Value::Map()), field);
  }

  void load(std::string_view key, const Value& value, std::string& out) {
    value.text() ? void(out = *value.text()) : wrong(key);
  }
  void load(std::string_view key, const Value& value, bool& out) {
    value.boolean() ? void(out = *value.boolean()) : wrong(key);
  }
  void load(std::string_view key, const Value& value, uint32_t& out) {
    const int64_t* number = value.integer();
    number&&* number >= 0 && *number <= UINT32_MAX ? void(out = static_cast<uint32_t>(*number)) : wrong(key);
  }
  void load(std::string_view key, const Value& value, Duration& out) {
    value.integer() ? void(out = Duration(*value.integer())) : wrong(key);
  }
  void load(std::string_view, const Value& value, Value& out) { out = value; }
  void load(std::string_view key, const Value& value, Value::Map& out) {
    value.map() ? void(out = *value.map()) : wrong(key);
  }
  void load(std::string_view key, const Value& value, OnFailure& out) {
    for (const OnFailure known : {OnFailure::kFail, OnFailure::kContinue, OnFailure::kUndo})
      if (value == Value(word_of(known))) return void(out = known);
    wrong(key);
  }
  void load(std::string_view key, const Value& value, ParameterType& out) {
    for (const ParameterTypeRow& row : parameter_types())
      if (value == Value(row.word)) return void(out = row.type);
    wrong(key);
  }
  void load(std::string_view key, const Value& value, Expression& out) {
    auto parsed = Expression::parse(value.text() ? *value.text() : "");
    parsed.ok() ? void(out = *std::move(parsed)) : wrong(key);
  }
  template <class T>
  void load(std::string_view key, const Value& value, std::vector<T>& out) {
    if (!value.list()) return wrong(key);
    for (const Value& item : *value.list()) load(key, item, out.emplace_back());
  }
  template <Part T>
  void load(std::string_view, const Value& value, T& out) {
    Loader inner(value, wrong_);
    fields(inner, out);
  }

  void wrong(std::string_view key) {
    if (wrong_.empty()) wrong_ = fmt::format("'{}' is not what it should be", key);
  }

  const Value& value_;
  std::string& wrong_;
};

template <class T, class U>
constexpr bool is = std::is_same_v<std::remove_const_t<T>, U>;

template <class Io, class T>
void step_fields(Io& io, T& step) {
  io("id", step.id);
  io("title", step.title);
  io("action", step.action);
  io("needs", step.needs);
  io("group", step.group);
  io("when", step.when);
  io("retry", step.retry);
  io("timeout_ns", step.timeout);
  io("on_failure", step.on_failure);
  io("raise", step.raise);
  io("undo", step.undo);
  io("approve", step.approve);
}

template <class Io, class T>
void plan_fields(Io& io, T& plan) {
  io("name", plan.name);
  io("head", plan.head);
  io("title", plan.title);
  io("scheme", plan.scheme);
  io("level", plan.level);
  io("impact", plan.impact);
  io("detect", plan.detect);
  io("prevent", plan.prevent);
  io("preconditions", plan.preconditions);
  io("contacts", plan.contacts);
  io("parameters", plan.parameters);
  io("steps", plan.steps);
  io("finish", plan.finish);
}

template <class Io, class T>
void small_fields(Io& io, T& part) {
  if constexpr (is<T, Text>) {
    io("ja", part.ja);
    io("en", part.en);
  } else if constexpr (is<T, Parameter>) {
    io("name", part.name);
    io("type", part.type);
    io("default", part.standard);
    io("choices", part.choices);
    io("help", part.help);
  } else if constexpr (is<T, Retry>) {
    io("times", part.times);
    io("within_ns", part.within);
    io("pause_ns", part.pause);
    io("pause_most_ns", part.pause_most);
  } else if constexpr (is<T, Approval>) {
    io("question", part.question);
    io("count", part.count);
    io("groups", part.groups);
  } else if constexpr (is<T, Action>) {
    io("do", part.type);
    io("with", part.with);
  } else if constexpr (is<T, Head>) {
    io("version", part.version);
    io("updated", part.updated);
    io("review_due", part.review_due);
    io("status", part.status);
  } else if constexpr (is<T, Detection>) {
    io("alert", part.alert);
    io("probe", part.probe);
    io("words", part.words);
  } else if constexpr (is<T, Finish>) {
    io("notify", part.notify);
    io("report", part.report);
  } else {
    static_assert(is<T, FrozenPlan::Scope>);
    io("group", part.group);
    io("arguments", part.arguments);
  }
}

template <class Io, class T>
void fields(Io& io, T& part) {
  if constexpr (is<T, FrozenPlan>) {
    io("plan", part.plan);
    io("scopes", part.scopes);
  } else if constexpr (is<T, Plan>) {
    plan_fields(io, part);
  } else if constexpr (is<T, Step>) {
    step_fields(io, part);
  } else {
    small_fields(io, part);
  }
}

}  // namespace

std::string hash_of(const FrozenPlan& plan) { return sha256_hex(to_json(to_value(plan))); }

Value to_value(const FrozenPlan& plan) { return Saver::save(plan); }

Result<FrozenPlan> frozen_plan_of(const Value& value) {
  FrozenPlan plan;
  std::string wrong;
  Loader loader(value, wrong);
  fields(loader, plan);
  if (wrong.empty() && (plan.plan.name.empty() || plan.scopes.empty())) wrong = "it has no name or no scope";
  if (!wrong.empty()) return Error{Errc::kCorrupt, "not a frozen plan: " + wrong};
  plan.hash = hash_of(plan);
  return plan;
}

}  // namespace daruma::run
