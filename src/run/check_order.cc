// What comes before what: approvals before stops and destruction, a proven source before what it replaces,
// and steps that never run.

#include <algorithm>

#include <fmt/format.h>

#include "run/check_parts.h"
#include "run/graph.h"
#include "run/plan_links.h"
#include "run/safety.h"

namespace daruma::run {
namespace {

constexpr std::string_view kStop = "service.stop";
constexpr std::string_view kApprove = "approve";

class OrderChecker {
 public:
  OrderChecker(const FrozenPlan& frozen, const CheckWorld& world, Findings& findings)
      : frozen_(frozen),
        steps_(frozen.plan.steps),
        world_(world),
        findings_(findings),
        graph_(steps_),
        never_(steps_.size()) {}

  void run() {
    if (const std::vector<size_t> cycle = graph_.cycle(); !cycle.empty()) {
      std::string path;
      for (const size_t step : cycle) path += (path.empty() ? "" : " needs ") + steps_[step].id;
      return error(steps_[cycle[0]], "these wait for each other for ever: " + path);
    }
    check_reachable();
    for (size_t i = 0; i < steps_.size(); ++i) {
      const StepType* type = type_in(world_, steps_[i].action.type);
      if (!type || never_[i]) continue;
      if (type->name == "exec" || type->name == "exec.observe") check_destroyer(i);
      if (type->effect != Effect::kDestroy && !type->needs_source && type->name != kStop) continue;
      const std::vector<bool> before = graph_.ancestors(i);
      if (type->effect == Effect::kDestroy) check_approved(i, before);
      if (type->needs_source) check_source(i, before);
      if (type->name == kStop) check_gate(i, before);
    }
  }

 private:
  bool is_gate(size_t at) const { return steps_[at].approve || steps_[at].action.type == kApprove; }

  // Whether `other` runs whenever `at` does: without a condition, or with one that is part of its own.
  bool runs_with(size_t other, size_t at) const {
    if (!steps_[other].when) return true;
    const std::string& condition = steps_[other].when->text();
    const std::string own = steps_[at].when ? steps_[at].when->text() : "";
    if (own == condition) return true;
    return own.starts_with(condition + " and ") && holds_together(own.substr(condition.size() + 5));
  }

  // Whether no "or" outside of one pair of parentheses takes the rest of a condition apart.
  static bool holds_together(const std::string& rest) {
    if (rest.find(" or ") == std::string::npos) return true;
    if (!rest.starts_with('(')) return false;
    int depth = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
      depth += rest[i] == '(' ? 1 : rest[i] == ')' ? -1 : 0;
      if (depth == 0) return i + 1 == rest.size();
    }
    return false;
  }

  template <class Test>
  bool any(const std::vector<bool>& before, Test test) const {
    for (size_t i = 0; i < steps_.size(); ++i)
      if (before[i] && !never_[i] && test(i)) return true;
    return false;
  }

  void check_approved(size_t at, const std::vector<bool>& before) {
    const auto approves = [&](size_t other) {
      return steps_[other].action.type == kApprove && runs_with(other, at);
    };
    if (steps_[at].approve || any(before, approves)) return;
    error(steps_[at],
          "it destroys, and nobody is asked before; add 'approve', or a step 'approve' before it");
  }

  // A program that takes data away, in a step that does not say so.
  void check_destroyer(size_t at) {
    const auto program = destroyer_of(steps_[at].action);
    const auto gate = [&](size_t other) { return is_gate(other) && runs_with(other, at); };
    if (!program || steps_[at].approve || any(graph_.ancestors(at), gate)) return;
    error(steps_[at], fmt::format("'{}' cannot be taken back, and nobody is asked before; make it "
                                  "exec.destroy, and add 'approve', or a step 'approve' before it",
                                  *program));
  }

  void check_source(size_t at, const std::vector<bool>& before) {
    const auto proves = [&](size_t other) {
      const Action& action = steps_[other].action;
      const StepType* type = type_in(world_, action.type);
      return type && steps_[other].on_failure != OnFailure::kContinue && runs_with(other, at) &&
             is_source_for(*type, action.with, datastore_in(steps_[at].action.with)).value_or(true);
    };
    if (any(before, proves)) return;
    const std::string which = types_that_prove(world_.types);
    error(steps_[at],
          fmt::format("it destroys data before anything proves that there is something to restore from; "
                      "let it need a step that does{}",
                      which.empty() ? "" : ": " + which));
  }

  // A stop that is not behind a gate, in a plan that has gates: whoever rejects finds the services down.
  void check_gate(size_t at, const std::vector<bool>& before) {
    if (is_gate(at) || any(before, [&](size_t other) { return is_gate(other) && runs_with(other, at); }))
      return;
    for (size_t gate = 0; gate < steps_.size(); ++gate) {
      if (!is_gate(gate) || never_[gate]) continue;
      return error(steps_[gate],
                   fmt::format("the gate comes after services are already stopped: '{}' does not wait "
                               "for it; ask before anything stops",
                               steps_[at].id));
    }
  }

  // What is certain of a step when another one looks at it.
  std::optional<Value> certain(std::string_view name) const {
    // Whole ids hold slashes, never dots.
    const auto reference = step_reference(name);
    const auto found = reference ? graph_.find(reference->step) : std::nullopt;
    if (!found) return std::nullopt;
    const Step& step = steps_[*found];
    const std::string_view end = reference->name;
    const bool known = end == "failed" || end == "succeeded" || end == "skipped";
    if (never_[*found]) return known ? Value(end == "skipped") : Value();
    if (end == "failed" && step.on_failure != OnFailure::kContinue) return Value(false);
    if (end == "skipped" && !step.when) return Value(false);
    if (end == "succeeded" && !step.when && step.on_failure != OnFailure::kContinue) return Value(true);
    return std::nullopt;
  }

  void check_reachable() {
    for (const size_t at : graph_.order()) {
      const Step& step = steps_[at];
      if (step.when && step.when->settled(certain_for(step)) == false) {
        never_[at] = true;
        error(step, fmt::format("it never runs: '{}' cannot hold{}", step.when->text(), why_not(step)));
      }
      for (const size_t need : graph_.needs(at))
        if (never_[need] && !never_[at])
          findings_.warning(step.line, place_of(step),
                            fmt::format("it needs '{}', which never runs", steps_[need].id));
    }
  }

  // What a condition can be certain of before the run: parameters may be anything.
  Lookup certain_for(const Step& step) const {
    const Lookup steps = lookup_for(frozen_, step, [this](std::string_view name) { return certain(name); });
    return [steps](std::string_view name) {
      const bool of_steps = name.starts_with("steps.") || name.starts_with("group.");
      return of_steps ? steps(name) : std::optional<Value>();
    };
  }

  // The usual slip: to look at a failure after which the run has already ended.
  std::string why_not(const Step& step) const {
    for (const std::string& name : step.when->names()) {
      const auto reference = step_reference(name);
      if (!reference || reference->name != "failed") continue;
      const std::string id = step.group.empty() ? std::string(reference->step)
                                                : fmt::format("{}/{}", step.group, reference->step);
      const auto found = graph_.find(id);
      if (found && !never_[*found] && steps_[*found].on_failure != OnFailure::kContinue)
        return fmt::format("; when '{0}' fails the run ends, so give '{0}' on_failure: continue",
                           reference->step);
    }
    return "";
  }

  void error(const Step& step, std::string what) {
    findings_.error(step.line, place_of(step), std::move(what));
  }

  const FrozenPlan& frozen_;
  const std::vector<Step>& steps_;
  const CheckWorld& world_;
  Findings& findings_;
  const Graph graph_;
  std::vector<bool> never_;  // steps that cannot run
};

}  // namespace

void check_order(const FrozenPlan& frozen, const CheckWorld& world, Findings& findings) {
  OrderChecker(frozen, world, findings).run();
}

}  // namespace daruma::run
