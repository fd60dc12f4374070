// The decision: where the run stands, and what its engine does next.
#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "run/run_state.h"
#include "run/step_inputs.h"

namespace daruma::run {
namespace {

constexpr size_t kRunningMost = 8;
constexpr std::string_view kManual = "manual";

// What a vanished act is to a run that goes on.
Move after_crash(const Step& step, const StepState& state, AfterCrash after) {
  const uint32_t next = static_cast<uint32_t>(state.attempts.size()) + 1;
  const Attempt& last = state.attempts.back();
  if (last.verb == Verb::kAct && after == AfterCrash::kAsk) return AskPerson{step.id, last.number};
  if (last.verb == Verb::kAct && after == AfterCrash::kReconcile)
    return Start{step.id, next, Verb::kReconcile};
  return Start{step.id, next, last.verb};
}

}  // namespace

RunPhase RunState::phase() const {
  if (end_) return RunPhase::kEnded;
  bool stop = abort_.has_value() || undo_wanted_, undo = undo_wanted_, open = false, all_ended = true;
  for (const Step& step : steps_) {
    if (is_finish(step)) continue;
    const StepState& state = at(step.id);
    all_ended = all_ended && has_ended(state.phase);
    open = open || state.phase == StepPhase::kRunning || state.phase == StepPhase::kVanished;
    if (state.phase != StepPhase::kFailed || step.on_failure == OnFailure::kContinue) continue;
    stop = true;
    undo = undo || step.on_failure == OnFailure::kUndo;
  }
  if (!stop) return all_ended ? RunPhase::kFinishing : RunPhase::kRunning;
  if (open) return RunPhase::kStopping;
  return undo && next_to_undo() ? RunPhase::kUndoing : RunPhase::kFinishing;
}

bool RunState::ready(const Step& step) const {
  return std::ranges::all_of(step.needs,
                             [this](const std::string& need) { return has_ended(at(need).phase); });
}

void RunState::decide_waiting(const Step& step, Decision& out) const {
  if (!ready(step)) return;
  if (const auto group = states_.find(step.group);
      group != states_.end() && group->second.phase == StepPhase::kSkipped)
    return out.moves.push_back(Skip{step.id, group->second.skipped_because});
  if (step.when) {
    const Lookup outer = [this](std::string_view name) { return value_of(name); };
    const Result<bool> holds = step.when->holds(lookup_for(created_->plan, step, outer));
    if (!holds.ok())
      return out.moves.push_back(Refuse{step.id, "when: " + holds.error().what, holds.error().hint});
    if (!*holds) return out.moves.push_back(Skip{step.id, step.when->text()});
  }
  const auto hash = inputs_hash(step);
  if (!hash.ok()) return out.moves.push_back(Refuse{step.id, hash.error().what, hash.error().hint});
  if (needs_approval(step)) return out.moves.push_back(Ask{step.id});
  if (step.action.type == kManual) return out.moves.push_back(AskPerson{step.id, 0});
  out.moves.push_back(Start{step.id, static_cast<uint32_t>(at(step.id).attempts.size()) + 1, Verb::kAct});
}

void RunState::decide_asking(const Step& step, Instant now, Decision& out) const {
  const ApprovalState& approval = *at(step.id).approval;
  if (now >= approval.until) return out.moves.push_back(Expire{step.id});
  out.wake = std::min(out.wake.value_or(approval.until), approval.until);
  if (!approval.granted) return;
  const auto hash = inputs_hash(step);
  if (!hash.ok()) return out.moves.push_back(Refuse{step.id, hash.error().what, hash.error().hint});
  if (*hash != approval.inputs_hash) return out.moves.push_back(Ask{step.id});
  if (step.action.type == kManual) return out.moves.push_back(AskPerson{step.id, 0});
  out.moves.push_back(Start{step.id, static_cast<uint32_t>(at(step.id).attempts.size()) + 1, Verb::kAct});
}

void RunState::decide_pausing(const Step& step, Instant now, Decision& out) const {
  const StepState& state = at(step.id);
  const Attempt& last = state.attempts.back();
  const Instant ended = last.ended.value_or(now);
  Instant due = ended;
  if (state.last_act()->outcome == Outcome::kFailed)
    due = ended + pause_before_next(step, state, ended).value_or(Duration{});
  // A clock that was set back must not make anybody wait for it to catch up.
  if (now >= due || now < ended)
    out.moves.push_back(Start{step.id, static_cast<uint32_t>(state.attempts.size()) + 1, Verb::kAct});
  else
    out.wake = std::min(out.wake.value_or(due), due);
}

// An attempt that runs or vanished, of a run that goes on or is stopping.
void RunState::decide_open(const Step& step, bool stopping, Decision& out) const {
  const StepState& state = at(step.id);
  if (const Attempt* attempt = state.running()) {
    if (attempt->epoch != epoch_)
      out.moves.push_back(Settle{step.id, attempt->number});
    else if (abort_ && stopping && attempt->verb == Verb::kAct)
      out.moves.push_back(EndAttempt{step.id, attempt->number});
    return;
  }
  if (state.phase != StepPhase::kVanished) return;
  const StepType* type = type_of(step);
  const AfterCrash after = type ? type->after_crash : AfterCrash::kAsk;
  const bool tried =
      state.attempts.back().verb == Verb::kReconcile && state.attempts.back().outcome.has_value();
  if (tried || (stopping && after != AfterCrash::kReconcile)) {
    if (!stopping) return out.moves.push_back(AskPerson{step.id, state.attempts.back().number});
    return out.moves.push_back(Refuse{step.id, fmt::format("whether '{}' happened is not known", step.id),
                                      "look at what it acts on before you start the run anew"});
  }
  out.moves.push_back(after_crash(step, state, after));
}

const Step* RunState::next_to_undo() const {
  const Step* newest = nullptr;
  for (const Step& step : steps_) {
    const StepState& state = at(step.id);
    const StepType* type = type_of(step);
    const bool acted = std::ranges::any_of(state.attempts,
                                           [](const Attempt& attempt) { return attempt.verb == Verb::kAct; });
    if (is_finish(step) || !acted || state.undone || state.undo_failed) continue;
    if (!step.undo && !(type && type->undo)) continue;
    if (!newest || state.ended_at_event > at(newest->id).ended_at_event) newest = &step;
  }
  return newest;
}

void RunState::decide_undo(Decision& out) const {
  const Step* step = next_to_undo();
  DR_CHECK(step);
  const StepState& state = at(step->id);
  const Attempt& last = state.attempts.back();
  if (last.verb == Verb::kUndo && !last.ended) {
    if (last.epoch != epoch_) out.moves.push_back(Settle{step->id, last.number});
    return;
  }
  out.moves.push_back(Start{step->id, static_cast<uint32_t>(state.attempts.size()) + 1, Verb::kUndo});
}

Decision RunState::decide(Instant now) const {
  Decision out;
  const RunPhase phase_now = created_ ? phase() : RunPhase::kEnded;
  if (phase_now == RunPhase::kEnded) return out;
  if (phase_now == RunPhase::kUndoing) {
    decide_undo(out);
    return out;
  }
  bool finished = true;
  size_t running = 0;
  for (const Step& step : steps_) {
    if (is_finish(step) != (phase_now == RunPhase::kFinishing)) continue;
    const StepPhase phase = at(step.id).phase;
    finished = finished && has_ended(phase);
    running += phase == StepPhase::kRunning;
    decide_open(step, phase_now == RunPhase::kStopping, out);
    if (phase_now == RunPhase::kStopping) continue;
    if (phase == StepPhase::kWaiting) decide_waiting(step, out);
    if (phase == StepPhase::kAsking) decide_asking(step, now, out);
    if (phase == StepPhase::kPausing) decide_pausing(step, now, out);
  }
  if (phase_now == RunPhase::kFinishing && finished) {
    const RunEnded end = outcome();
    out.moves.push_back(EndRun{end.outcome, end.why});
  }
  std::erase_if(out.moves, [&](const Move& move) {
    return std::holds_alternative<Start>(move) && ++running > kRunningMost;
  });
  return out;
}

}  // namespace daruma::run
