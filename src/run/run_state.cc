#include "run/run_state.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/check.h"
#include "base/digest.h"
#include "run/step_inputs.h"

namespace daruma::run {
namespace {

constexpr size_t kRunningMost = 8;
constexpr std::string_view kReport = "report", kNotify = "notify", kApprove = "approve", kManual = "manual";

Error does_not_follow(const JournalEvent& event, const std::string& why) {
  return {Errc::kCorrupt,
          fmt::format("journal of {}: event {} ({}): {}", event.stream, event.position, event.kind, why)};
}

bool has_ended(StepPhase phase) {
  return phase == StepPhase::kSucceeded || phase == StepPhase::kFailed || phase == StepPhase::kSkipped;
}

// The steps of the finish, one after the other, whatever became of the run.
std::vector<Step> finish_steps(const Finish& finish, std::string_view group) {
  std::vector<Step> steps;
  const auto add = [&](std::string id, std::string_view type, Value::Map with) {
    Step step;
    step.id = std::move(id);
    step.action = {std::string(type), std::move(with)};
    step.group = group;
    step.on_failure = OnFailure::kContinue;
    step.retry = Retry{.times = 5, .within = std::chrono::minutes(2)};
    if (!steps.empty()) step.needs = {steps.back().id};
    steps.push_back(std::move(step));
  };
  if (finish.report) add("finish.report", kReport, {});
  for (const std::string& channel : finish.notify)
    add("finish.notify." + channel, kNotify,
        {{"channels", Value::List{channel}},
         {"title", Value().set("ja", "$run.summary.ja").set("en", "$run.summary.en")},
         {"outcome", "$run.notice"}});
  return steps;
}

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

std::string_view to_string(RunOutcome outcome) {
  static constexpr std::string_view kWords[] = {"succeeded", "incomplete", "failed", "aborted"};
  return kWords[static_cast<size_t>(outcome)];
}

std::string_view to_string(StepPhase phase) {
  static constexpr std::string_view kWords[] = {"waiting", "asking",    "running", "vanished", "pausing",
                                                "person",  "succeeded", "failed",  "skipped"};
  return kWords[static_cast<size_t>(phase)];
}

const Attempt* StepState::running() const {
  return attempts.empty() || attempts.back().ended ? nullptr : &attempts.back();
}

const Step* RunState::step(std::string_view id) const {
  const auto found = places_.find(id);
  return found == places_.end() ? nullptr : &steps_[found->second];
}

// --- what names stand for

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

Result<std::string> RunState::inputs_hash(const Step& step) const {
  DR_TRY(Value::Map with, inputs(step, Verb::kAct));
  Value all;
  all.set("plan", created_->plan.hash).set("target", std::string(to_string(created_->target)));
  all.set("step", step.id).set("do", step.action.type).set("with", Value(std::move(with)));
  return sha256_hex(to_json(all));
}

// --- the fold

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

Status RunState::on(const EngineTook& event, const JournalEvent& at) {
  if (event.epoch <= epoch_)
    return does_not_follow(at, fmt::format("epoch {} is not above {}", event.epoch, epoch_));
  epoch_ = event.epoch;
  return {};
}

Status RunState::on(const StepStarted& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  StepState& state = found->second;
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
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  StepState& state = found->second;
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
    if (!good) state.error = "undo: " + event.error;
    return {};
  }
  if (attempt.verb == Verb::kReconcile) {
    on_reconciled(*step(event.step), state, event, at);
    return {};
  }
  state.outputs = event.outputs;
  if (!event.prepared.is_null()) state.prepared = event.prepared;
  if (good) {
    succeed(state, at);
  } else if (!event.no_retry && pause_before_next(*step(event.step), state, at.at)) {
    state.phase = StepPhase::kPausing;
    state.error = event.error;
    state.hint = event.hint;
  } else {
    fail(state, event.error, event.hint, at);
  }
  return {};
}

void RunState::on_reconciled(const Step& step, StepState& state, const StepEnded& event,
                             const JournalEvent& at) {
  const std::string happened =
      event.outcome == Outcome::kSucceeded ? event.outputs.text_at("happened") : "unknown";
  if (!event.prepared.is_null()) state.prepared = event.prepared;
  if (happened == "yes") {
    if (const Value* outputs = event.outputs.find("outputs")) state.outputs = *outputs;
    succeed(state, at);
  } else if (happened == "no") {
    state.phase = StepPhase::kPausing;  // due at once: it never happened
    state.attempts.back().outcome = Outcome::kSucceeded;
  } else {
    state.phase = StepPhase::kVanished;
    state.error =
        event.error.empty() ? fmt::format("nobody can tell whether '{}' happened", step.id) : event.error;
  }
}

Status RunState::on(const StepVanished& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  StepState& state = found->second;
  if (event.attempt != state.attempts.size() || state.attempts.back().ended)
    return does_not_follow(at, "this attempt does not run");
  Attempt& attempt = state.attempts.back();
  attempt.ended = at.at;
  if (attempt.verb == Verb::kUndo) {
    state.undo_attempts--;  // nobody's failure
    return {};
  }
  const bool began = event.started || attempt.verb == Verb::kReconcile;
  state.phase = began ? StepPhase::kVanished : StepPhase::kPausing;
  return {};
}

Status RunState::on(const StepSkipped& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  found->second.phase = StepPhase::kSkipped;
  found->second.skipped_because = event.why;
  found->second.ended = at.at;
  return {};
}

Status RunState::on(const StepRefused& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  fail(found->second, event.error, event.hint, at);
  return {};
}

Status RunState::on(const ApprovalAsked& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  found->second.phase = StepPhase::kAsking;
  found->second.approval =
      ApprovalState{event.inputs_hash, event.count, event.groups, event.until, {}, false};
  return {};
}

Status RunState::on(const ApprovalGiven& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end() || !found->second.approval) return does_not_follow(at, "nothing was asked");
  ApprovalState& approval = *found->second.approval;
  if (event.inputs_hash != approval.inputs_hash) return {};  // of an earlier question
  approval.given.push_back(event);
  if (!event.agree) {
    fail(found->second,
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
  const auto found = states_.find(event.step);
  if (found == states_.end() || !found->second.approval) return does_not_follow(at, "nothing was asked");
  StepState& state = found->second;
  if (state.approval->granted) {  // granted, but the step did not start in time: ask again
    state.approval.reset();
    state.phase = StepPhase::kWaiting;
    return {};
  }
  fail(state, fmt::format("nobody approved '{}' in time", event.step),
       "start the run anew when somebody is there", at);
  undo_wanted_ = true;
  return {};
}

Status RunState::on(const PersonAsked& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end()) return does_not_follow(at, "no such step");
  found->second.phase = StepPhase::kPerson;
  return {};
}

Status RunState::on(const PersonAnswered& event, const JournalEvent& at) {
  const auto found = states_.find(event.step);
  if (found == states_.end() || found->second.phase != StepPhase::kPerson)
    return does_not_follow(at, "nobody was asked");
  StepState& state = found->second;
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

// --- the decision

bool RunState::ready(const Step& step) const {
  return std::ranges::all_of(step.needs,
                             [this](const std::string& need) { return has_ended(at(need).phase); });
}

bool RunState::covered(const Step& step, std::set<std::string_view>& seen) const {
  for (const std::string& need : step.needs) {
    if (!seen.insert(need).second) continue;
    const Step* above = this->step(need);
    if (above->action.type == kApprove && at(need).phase == StepPhase::kSucceeded) return true;
    if (covered(*above, seen)) return true;
  }
  return false;
}

bool RunState::needs_approval(const Step& step) const {
  if (step.approve || step.action.type == kApprove) return true;
  const StepType* type = type_of(step);
  std::set<std::string_view> seen;
  return type && type->effect == Effect::kDestroy && !covered(step, seen);
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
  if (last.verb == Verb::kAct && last.outcome == Outcome::kFailed)
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

// --- how it ends

std::vector<std::string> RunState::failed_steps() const {
  std::vector<std::string> failed;
  for (const Step& step : steps_)
    if (!is_finish(step) && at(step.id).phase == StepPhase::kFailed) failed.push_back(step.id);
  return failed;
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

RunEnded RunState::outcome() const {
  if (abort_)
    return {RunOutcome::kAborted, fmt::format("aborted by {}{}", abort_->by.name,
                                              abort_->reason.empty() ? "" : ": " + abort_->reason)};
  bool stopped = false;
  std::string why;
  for (const Step& step : steps_) {
    const StepState& state = at(step.id);
    if (is_finish(step) || state.phase != StepPhase::kFailed || is_answered(step)) continue;
    stopped = stopped || step.on_failure != OnFailure::kContinue;
    if (why.empty()) why = fmt::format("step '{}': {}", step.id, state.error);
  }
  if (why.empty()) return {RunOutcome::kSucceeded, ""};
  return {stopped || undo_wanted_ ? RunOutcome::kFailed : RunOutcome::kIncomplete, why};
}

Status RunState::may_approve(const ApprovalGiven& given, Instant now) const {
  const auto found = states_.find(given.step);
  if (found == states_.end() || found->second.phase != StepPhase::kAsking || !found->second.approval)
    return Error{Errc::kRefused, fmt::format("step '{}' does not wait for an approval", given.step),
                 "`daruma runs ID` shows what the run waits for"};
  const ApprovalState& approval = *found->second.approval;
  if (now >= approval.until)
    return Error{Errc::kRefused,
                 fmt::format("the request for '{}' expired at {}", given.step, to_rfc3339(approval.until))};
  if (!given.agree) return {};  // anybody may say no
  if (given.break_glass)
    return given.reason.empty()
               ? Status(Error{Errc::kRefused, "breaking the glass needs a reason", "give it with --reason"})
               : Status();
  const bool in_group =
      approval.groups.empty() || std::ranges::any_of(approval.groups, [&](const std::string& group) {
        return std::ranges::find(given.by.groups, group) != given.by.groups.end();
      });
  if (!in_group)
    return Error{Errc::kRefused, fmt::format("{} is in none of the groups that may approve '{}': {}",
                                             given.by.name, given.step, fmt::join(approval.groups, ", "))};
  if (!created_->by_starter && (given.by.uid == created_->by.uid || given.by.uid == 0))
    return Error{
        Errc::kRefused,
        given.by.uid == 0 ? std::string("root cannot be the second person")
                          : fmt::format("{} started this run, and cannot approve it", given.by.name),
        "ask somebody else; alone, with a reason, and alarmed: daruma approve --break-glass --reason WHY"};
  if (std::ranges::any_of(approval.given,
                          [&](const ApprovalGiven& earlier) { return earlier.by.uid == given.by.uid; }))
    return Error{Errc::kRefused, fmt::format("{} approved '{}' already", given.by.name, given.step)};
  return {};
}

}  // namespace daruma::run
