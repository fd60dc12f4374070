// run/check_parts.h: the parts of check_plan: each looks at one side of a plan.
//
// Threads: plain functions; a Findings belongs to one thread.
#pragma once

#include <string>
#include <vector>

#include "run/check.h"

namespace daruma::run {

class Findings {
 public:
  void error(int line, std::string place, std::string what) {
    add(Severity::kError, line, std::move(place), std::move(what));
  }
  void warning(int line, std::string place, std::string what) {
    add(Severity::kWarning, line, std::move(place), std::move(what));
  }
  std::vector<Finding> take();

 private:
  void add(Severity severity, int line, std::string place, std::string what) {
    all_.push_back({severity, line, std::move(place), std::move(what)});
  }
  std::vector<Finding> all_;
};

// nullptr: the table has no such type.
const StepType* type_in(const CheckWorld& world, std::string_view name);
// "steps.restart"
std::string place_of(const Step& step);

// What is wrong with a value that is written out, of a right kind; "": nothing that can be seen.
std::string literal_problem(const StepType& type, const InputRow& row, const Value& value,
                            const Config* config);
// Of inputs of which one must be given, none is; "": one is.
std::string missing_alternative(const StepType& type, const Value::Map& with);
// The program of a command, or of a shell's line, that obviously takes data away; nullopt: none.
std::optional<std::string> destroyer_of(const Action& action);

// Types, inputs, references and commands, step by step.
void check_steps(const Plan& plan, const CheckWorld& world, Findings& findings);
// What comes before what: approvals, sources, stops, steps that never run. `frozen` is flat, or the plan
// itself where nested ones are not known.
void check_order(const FrozenPlan& frozen, const CheckWorld& world, Findings& findings);

}  // namespace daruma::run
