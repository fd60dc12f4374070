#include "run/run_state.h"

#include <algorithm>

#include <fmt/format.h>

#include "run/step_inputs.h"

namespace daruma::run {

std::string_view to_string(StepPhase phase) {
  static constexpr std::string_view kWords[] = {"waiting", "asking",    "running", "vanished", "pausing",
                                                "person",  "succeeded", "failed",  "skipped"};
  return kWords[static_cast<size_t>(phase)];
}

bool has_ended(StepPhase phase) {
  return phase == StepPhase::kSucceeded || phase == StepPhase::kFailed || phase == StepPhase::kSkipped;
}

const Attempt* StepState::running() const {
  return attempts.empty() || attempts.back().ended ? nullptr : &attempts.back();
}

const Attempt* StepState::last_act() const {
  const auto found = std::ranges::find(attempts.rbegin(), attempts.rend(), Verb::kAct, &Attempt::verb);
  return found == attempts.rend() ? nullptr : &*found;
}

const Step* RunState::step(std::string_view id) const {
  const auto found = places_.find(id);
  return found == places_.end() ? nullptr : &steps_[found->second];
}

std::optional<Value> RunState::value_of(std::string_view name) const {
  if (name == "run.target") return Value(to_string(created_->target));
  if (name == "run.plan") return Value(created_->plan.plan.name);
  if (name == "run.started_at") return Value(to_rfc3339(started_at_));
  if (name == "run.id") return Value(id_);
  if (name == "run.outcome") return Value(to_string(outcome().outcome));
  if (name == "run.notice") {
    const RunOutcome now = outcome().outcome;
    return Value(now == RunOutcome::kSucceeded    ? "succeeded"
                 : now == RunOutcome::kIncomplete ? "partial"
                                                  : "failed");
  }
  if (name == "run.summary.ja" || name == "run.summary.en") return Value(summary(name.ends_with("ja")));
  if (!name.starts_with("steps.")) return std::nullopt;
  name.remove_prefix(6);
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto found = states_.find(name.substr(0, dot));
  if (found == states_.end()) return std::nullopt;
  const std::string_view output = name.substr(dot + 1);
  const StepState& state = found->second;
  if (output == "failed") return Value(state.phase == StepPhase::kFailed);
  if (output == "succeeded") return Value(state.phase == StepPhase::kSucceeded);
  if (output == "skipped") return Value(state.phase == StepPhase::kSkipped);
  // Of the attempt that counted.
  if (output == "began_at")
    return state.attempts.empty() ? Value() : Value(to_rfc3339(state.attempts.back().started));
  if (output == "ended_at") return state.ended ? Value(to_rfc3339(*state.ended)) : Value();
  const Value* value = state.outputs.find(output);
  return value ? *value : Value();
}

std::string RunState::summary(bool japanese) const {
  const RunEnded end = outcome();
  const Text& title = created_->plan.plan.title;
  const auto steps = std::ranges::count_if(steps_, [this](const Step& step) { return !is_finish(step); });
  const auto good = std::ranges::count_if(steps_, [this](const Step& step) {
    return !is_finish(step) && at(step.id).phase == StepPhase::kSucceeded;
  });
  const std::string& name = japanese && !title.ja.empty() ? title.ja
                            : !title.en.empty()           ? title.en
                                                          : created_->plan.plan.name;
  if (end.outcome == RunOutcome::kSucceeded)
    return japanese
               ? fmt::format("✅ {}：復旧しました（ステップ {}/{} 成功）。実行 {}", name, good, steps, id_)
               : fmt::format("✅ {}: recovered ({} of {} steps succeeded). Run {}", name, good, steps, id_);
  return japanese ? fmt::format("❌ {}：復旧は未完了です（{}）。実行 {}", name, end.why, id_)
                  : fmt::format("❌ {}: recovery is not complete ({}). Run {}", name, end.why, id_);
}

Result<Value::Map> RunState::inputs(const Step& step, Verb verb) const {
  const Action& action = verb == Verb::kUndo && step.undo ? *step.undo : step.action;
  const Lookup outer = [this](std::string_view name) { return value_of(name); };
  DR_TRY(const Value filled, fill(Value(action.with), lookup_for(created_->plan, step, outer)));
  const StepType* type = find_type_(action.type);
  return type ? step_inputs(*type, *filled.map()) : *filled.map();
}

Text RunState::question(const Step& step) const {
  Value asked;
  if (step.approve)
    asked = Value(Value::Map{{"ja", step.approve->question.ja}, {"en", step.approve->question.en}});
  else if (const auto given = step.action.with.find("question"); given != step.action.with.end())
    asked = given->second;
  if (asked.is_null()) return {};
  const Lookup outer = [this](std::string_view name) { return value_of(name); };
  if (auto filled = fill(asked, lookup_for(created_->plan, step, outer)); filled.ok())
    asked = *std::move(filled);
  if (asked.map()) return {asked.text_at("ja"), asked.text_at("en")};
  return {to_text(asked), to_text(asked)};
}

// A failure that a later step was there for, and mended: `when: steps.X.failed`.
bool RunState::is_answered(const Step& failed) const {
  if (failed.on_failure != OnFailure::kContinue) return false;
  const std::string local = failed.group.empty() ? failed.id : failed.id.substr(failed.group.size() + 1);
  const std::string name = fmt::format("steps.{}.failed", local);
  return std::ranges::any_of(steps_, [&](const Step& step) {
    if (step.group != failed.group || !step.when || at(step.id).phase != StepPhase::kSucceeded) return false;
    const auto names = step.when->names();
    return std::ranges::find(names, name) != names.end();
  });
}

std::string RunState::remains() const {
  std::string out;
  for (const Step& step : steps_)
    if (const StepState& state = at(step.id); state.undo_failed)
      out += fmt::format("{}step '{}' could not be undone: {}", out.empty() ? "" : "; ", step.id,
                         state.undo_error);
  return out;
}

RunEnded RunState::outcome() const {
  const std::string left = remains().empty() ? "" : "; something remains: " + remains();
  if (abort_)
    return {RunOutcome::kAborted, fmt::format("aborted by {}{}{}", abort_->by.name,
                                              abort_->reason.empty() ? "" : ": " + abort_->reason, left)};
  bool stopped = false;
  std::string why;
  for (const Step& step : steps_) {
    const StepState& state = at(step.id);
    if (is_finish(step) || state.phase != StepPhase::kFailed || is_answered(step)) continue;
    stopped = stopped || step.on_failure != OnFailure::kContinue;
    if (why.empty()) why = fmt::format("step '{}': {}", step.id, state.error);
  }
  if (why.empty()) return {RunOutcome::kSucceeded, ""};
  return {stopped || undo_wanted_ ? RunOutcome::kFailed : RunOutcome::kIncomplete, why + left};
}

}  // namespace daruma::run
