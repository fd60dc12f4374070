// run/expression.h: what a plan may say about values it does not know yet.
//
// References in texts: `$NAME` alone is the value itself, `${NAME}` inside a text is put there as text,
// `$$` is a dollar; a dollar before anything but a letter, '_', '$' or '{' is one by itself. NAME is a
// parameter (`service`), an output of a step (`steps.backup.file`), a step's end (`steps.healthy.failed`,
// `.succeeded`, `.skipped`), something of the run (`run.id`, `run.target`, `run.started_at`, `run.plan`).
// Conditions (`when`): references, literals ('text', 12, 1.5, true, null), == != < <= > >=, and, or, not,
// parentheses; nothing else. Comparing values of different kinds with < is an error, with == is false;
// texts that are both durations or both times compare as such ('90s' < '5m'). A reference to an output of a
// step that did not run is null: as a condition and below or above anything it is false, inside a text it
// is an error.
// Threads: plain values and pure functions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/value.h"

namespace daruma::run {

// What a name stands for now. nullopt: nothing has this name.
using Lookup = std::function<std::optional<Value>(std::string_view name)>;

class Expression {
 public:
  // kInvalid: not an expression; `what` shows the place.
  static Result<Expression> parse(std::string_view text);

  // kInvalid: a name that stands for nothing, or values that cannot be compared.
  Result<bool> holds(const Lookup& lookup) const;
  // What it comes to whatever the names that `known` does not know stand for; nullopt: that depends.
  std::optional<bool> settled(const Lookup& known) const;
  const std::string& text() const { return text_; }
  // The names it refers to, each once, in their order.
  std::vector<std::string> names() const;

  bool operator==(const Expression& other) const { return text_ == other.text_; }

 private:
  struct Node;
  class Parser;
  class Evaluation;
  std::string text_;
  std::shared_ptr<const Node> root_;  // shared: an expression is copied with its plan and never changes
};

// Puts values in the place of references, everywhere inside `value`. kInvalid: a name that stands for
// nothing.
Result<Value> fill(const Value& value, const Lookup& lookup);
// The names referred to anywhere inside `value`. kInvalid: a reference that cannot be read, as in "${".
Result<std::vector<std::string>> names_in(const Value& value);
// The value that fill() turns into `value`: every dollar doubled.
Value literally(const Value& value);

}  // namespace daruma::run
