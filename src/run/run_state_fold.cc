// The fold: what each event says of the run.
#include <algorithm>

#include <fmt/format.h>

#include "run/run_state.h"

namespace daruma::run {
namespace {

constexpr std::string_view kReport = "report", kNotify = "notify";

Error does_not_follow(const JournalEvent& event, const std::string& why) {
  return {Errc::kCorrupt,
          fmt::format("journal of {}: event {} ({}): {}", event.stream, event.position, event.kind, why)};
}

// The steps of the finish, one after the other, whatever became of the run.
std::vector<Step> finish_steps(const Finish& finish, std::string_view group) {
  std::vector<Step> steps;
  const auto add = [&](std::string id, Text title, std::string_view type, Value::Map with) {
    Step step;
    step.id = std::move(id);
    step.title = std::move(title);
    step.action = {std::string(type), std::move(with)};
    step.group = group;
    step.on_failure = OnFailure::kContinue;
    step.retry = Retry{.times = 5, .within = std::chrono::minutes(2)};
    if (!steps.empty()) step.needs = {steps.back().id};
    steps.push_back(std::move(step));
  };
  if (finish.report) add("finish.report", {"報告書を作成", "Write the report"}, kReport, {});
  for (const std::string& channel : finish.notify)
    add("finish.notify." + channel, {channel + " に通知", "Tell " + channel}, kNotify,
        {{"channels", Value::List{channel}},
         {"title", Value().set("ja", "$run.summary.ja").set("en", "$run.summary.en")},
         {"outcome", "$run.notice"}});
  return steps;
}

}  // namespace

Status RunState::apply(const JournalEvent& event) {
  if (event.position != position_ + 1)
    return does_not_follow(event, fmt::format("stands after event {}", position_));
  DR_TRY(const EventBody body, event_of(event));
  if (!created_ && !std::holds_alternative<RunCreated>(body))
    return does_not_follow(event, "the run was never created");
  DR_OK(std::visit([&](const auto& it) { return on(it, event); }, body));
  position_ = event.position;
  return {};
}

Status RunState::on(const RunCreated& event, const JournalEvent& at) {
  if (created_) return does_not_follow(at, "the run was created before");
  created_ = event;
  id_ = at.stream.substr(at.stream.find('/') + 1);
  started_at_ = at.at;
  steps_ = created_->plan.plan.steps;
  for (Step& step : finish_steps(created_->plan.plan.finish, kFinishGroup)) steps_.push_back(std::move(step));
  for (size_t i = 0; i < steps_.size(); ++i) {
    places_.emplace(steps_[i].id, i);
    states_.emplace(steps_[i].id, StepState{});
  }
  return {};
}

Result<StepState*> RunState::state_of(std::string_view step, const JournalEvent& at) {
  const auto found = states_.find(step);
  if (found == states_.end()) return does_not_follow(at, fmt::format("no step '{}'", step));
  return &found->second;
}

Status RunState::on(const EngineTook& event, const JournalEvent& at) {
  if (event.epoch <= epoch_)
    return does_not_follow(at, fmt::format("epoch {} is not above {}", event.epoch, epoch_));
  epoch_ = event.epoch;
  return {};
}

Status RunState::on(const StepStarted& event, const JournalEvent& at) {
  DR_TRY(StepState* const found, state_of(event.step, at));
  StepState& state = *found;
  if (state.running()) return does_not_follow(at, "an attempt of it runs already");
  if (event.attempt != state.attempts.size() + 1) return does_not_follow(at, "the attempts do not count up");
  state.attempts.push_back({event.attempt, event.verb, event.epoch, at.at, {}, {}});
  if (event.verb == Verb::kUndo) {
    state.undo_attempts++;
    return {};
  }
  const bool first = std::ranges::count(state.attempts, Verb::kAct, &Attempt::verb) <= 1;
  if (event.verb == Verb::kAct && first) state.first_started = at.at;
  state.phase = StepPhase::kRunning;
  return {};
}

void RunState::succeed(StepState& state, const JournalEvent& at) {
  state.phase = StepPhase::kSucceeded;
  state.ended = at.at;
  state.ended_at_event = at.position;
  state.error.clear();
  state.hint.clear();
}

void RunState::fail(StepState& state, std::string error, std::string hint, const JournalEvent& at) {
  state.phase = StepPhase::kFailed;
  state.error = std::move(error);
  state.hint = std::move(hint);
  state.ended = at.at;
  state.ended_at_event = at.position;
}

std::optional<Duration> RunState::pause_before_next(const Step& step, const StepState& state,
                                                    Instant ended) const {
  if (!step.retry) return std::nullopt;
  const Retry& retry = *step.retry;
  const auto acts = static_cast<uint32_t>(std::ranges::count_if(state.attempts, [](const Attempt& attempt) {
    return attempt.verb == Verb::kAct && attempt.outcome == Outcome::kFailed;
  }));
  if (retry.times > 0 && acts > retry.times) return std::nullopt;
  Duration pause = retry.pause;
  for (uint32_t i = 1; i < acts && pause < retry.pause_most; ++i) pause += pause / 2;
  pause = std::min(pause, retry.pause_most);
  if (retry.within > Duration{} && ended + pause >= state.first_started + retry.within) return std::nullopt;
  return pause;
}

Status RunState::on(const StepEnded& event, const JournalEvent& at) {
  DR_TRY(StepState* const found, state_of(event.step, at));
  StepState& state = *found;
  if (event.attempt == 0 || event.attempt > state.attempts.size())
    return does_not_follow(at, "no such attempt");
  Attempt& attempt = state.attempts[event.attempt - 1];
  // The late result of an attempt that was given up: kept in the journal, and nothing more.
  if (attempt.ended || event.attempt != state.attempts.size()) return {};
  attempt.ended = at.at;
  attempt.outcome = event.outcome;
  const bool good = event.outcome == Outcome::kSucceeded;
  if (attempt.verb == Verb::kUndo) {
    state.undone = good;
    state.undo_failed = !good && state.undo_attempts >= kUndoAttemptsMost;
    if (!good) state.undo_error = event.error;
    return {};
  }
  if (attempt.verb == Verb::kReconcile) {
    on_reconciled(*step(event.step), state, event, at);
    return {};
  }
  state.outputs = event.outputs;
  if (!event.prepared.is_null()) state.prepared = event.prepared;
  if (good)
    succeed(state, at);
  else
    on_failed(*step(event.step), state, event, at);
  return {};
}

// One that was cut short may have happened all the same: where its type must not simply act again, what
// became of it is found out first.
void RunState::on_failed(const Step& step, StepState& state, const StepEnded& event, const JournalEvent& at) {
  const bool again = !event.no_retry && pause_before_next(step, state, at.at);
  const StepType* type = type_of(step);
  const bool repeatable = type && type->after_crash == AfterCrash::kAgain;
  const bool unknown = !repeatable && (event.cut == Cut::kDied || (event.cut == Cut::kLate && again));
  if (!unknown && !again) return fail(state, event.error, event.hint, at);
  state.phase = unknown ? StepPhase::kVanished : StepPhase::kPausing;
  state.error = event.error;
  state.hint = event.hint;
}

void RunState::on_reconciled(const Step& step, StepState& state, const StepEnded& event,
                             const JournalEvent& at) {
  const std::string happened =
      event.outcome == Outcome::kSucceeded ? event.outputs.text_at("happened") : "unknown";
  if (!event.prepared.is_null()) state.prepared = event.prepared;
  const bool cut_short = state.last_act()->outcome == Outcome::kFailed;
  if (happened == "yes") {
    if (const Value* outputs = event.outputs.find("outputs")) state.outputs = *outputs;
    succeed(state, at);
  } else if (happened == "no") {
    state.attempts.back().outcome = Outcome::kSucceeded;
    if (cut_short && !pause_before_next(step, state, at.at)) return fail(state, state.error, state.hint, at);
    state.phase = StepPhase::kPausing;  // one that vanished without being cut short: due at once
  } else {
    const std::string unknown =
        event.error.empty() ? fmt::format("nobody can tell whether '{}' happened", step.id) : event.error;
    state.phase = StepPhase::kVanished;
    state.error = cut_short ? fmt::format("{}; {}", state.error, unknown) : unknown;
  }
}

Status RunState::on(const StepVanished& event, const JournalEvent& at) {
  DR_TRY(StepState* const found, state_of(event.step, at));
  StepState& state = *found;
  if (event.attempt != state.attempts.size() || state.attempts.back().ended)
    return does_not_follow(at, "this attempt does not run");
  Attempt& attempt = state.attempts.back();
  attempt.ended = at.at;
  if (attempt.verb == Verb::kUndo) {
    state.undo_attempts--;  // nobody's failure
    return {};
  }
  if (!event.prepared.is_null()) state.prepared = event.prepared;
  const bool began = event.started || attempt.verb == Verb::kReconcile;
  state.phase = began ? StepPhase::kVanished : StepPhase::kPausing;
  return {};
}

Status RunState::on(const StepSkipped& event, const JournalEvent& at) {
  DR_TRY(StepState* const state, state_of(event.step, at));
  state->phase = StepPhase::kSkipped;
  state->skipped_because = event.why;
  state->ended = at.at;
  return {};
}

Status RunState::on(const StepRefused& event, const JournalEvent& at) {
  DR_TRY(StepState* const state, state_of(event.step, at));
  fail(*state, event.error, event.hint, at);
  return {};
}

Status RunState::on(const ApprovalAsked& event, const JournalEvent& at) {
  DR_TRY(StepState* const state, state_of(event.step, at));
  state->phase = StepPhase::kAsking;
  state->approval = ApprovalState{event.inputs_hash, event.count, event.groups, event.until, {}, false};
  return {};
}

Status RunState::on(const ApprovalGiven& event, const JournalEvent& at) {
  DR_TRY(StepState* const state, state_of(event.step, at));
  if (!state->approval) return does_not_follow(at, "nothing was asked");
  ApprovalState& approval = *state->approval;
  if (event.inputs_hash != approval.inputs_hash) return {};  // of an earlier question
  approval.given.push_back(event);
  if (!event.agree) {
    fail(*state,
         fmt::format("'{}' was rejected by {}{}", event.step, event.by.name,
                     event.reason.empty() ? "" : ": " + event.reason),
         "", at);
    undo_wanted_ = true;
    return {};
  }
  const auto agreed = std::ranges::count(approval.given, true, &ApprovalGiven::agree);
  approval.granted = event.break_glass || static_cast<uint32_t>(agreed) >= approval.count;
  return {};
}

Status RunState::on(const ApprovalExpired& event, const JournalEvent& at) {
  DR_TRY(StepState* const state, state_of(event.step, at));
  if (!state->approval) return does_not_follow(at, "nothing was asked");
  if (state->approval->granted) {  // granted, but the step did not start in time: ask again
    state->approval.reset();
    state->phase = StepPhase::kWaiting;
    return {};
  }
  const auto agreed = std::ranges::count_if(state->approval->given, &ApprovalGiven::agree);
  fail(*state,
       agreed == 0
           ? fmt::format("nobody approved '{}' in time", event.step)
           : fmt::format("only {} of {} approved '{}' in time", agreed, state->approval->count, event.step),
       "start the run anew when somebody is there", at);
  undo_wanted_ = true;
  return {};
}

Status RunState::on(const PersonAsked& event, const JournalEvent& at) {
  DR_TRY(StepState* const state, state_of(event.step, at));
  state->phase = StepPhase::kPerson;
  return {};
}

Status RunState::on(const PersonAnswered& event, const JournalEvent& at) {
  DR_TRY(StepState* const found, state_of(event.step, at));
  StepState& state = *found;
  if (state.phase != StepPhase::kPerson) return does_not_follow(at, "nobody was asked");
  if (event.done) {
    state.outputs.set("by", event.by.name).set("note", event.note);
    succeed(state, at);
  } else if (state.attempts.empty()) {
    fail(state,
         fmt::format("{} said that '{}' cannot be done{}", event.by.name, event.step,
                     event.note.empty() ? "" : ": " + event.note),
         "", at);
  } else {
    state.phase = StepPhase::kPausing;  // it did not happen: due at once
  }
  return {};
}

Status RunState::on(const AbortAsked& event, const JournalEvent&) {
  if (!abort_) abort_ = event;
  undo_wanted_ = true;
  return {};
}

Status RunState::on(const RunEnded& event, const JournalEvent& at) {
  if (end_) return does_not_follow(at, "the run ended before");
  end_ = event;
  ended_at_ = at.at;
  return {};
}

}  // namespace daruma::run
