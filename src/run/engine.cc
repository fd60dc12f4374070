#include "run/engine.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "run/redactor.h"

namespace daruma::run {
namespace {

// How long to look away from letters and the stop lever.
constexpr Duration kGlance = 50ms;
constexpr int kLettersAtOnce = 64;

Status as_refusal(const std::string& what) { return Error{Errc::kRefused, what}; }

// What the inputs of an `approve` step ask for.
Approval approval_in(const Value::Map& with) {
  Approval wanted;
  const Value inputs(with);
  wanted.count = static_cast<uint32_t>(std::clamp<int64_t>(inputs.integer_at("count", 1), 1, 100));
  const Value* groups = inputs.find("groups");
  if (groups && groups->list())
    for (const Value& group : *groups->list()) wanted.groups.push_back(to_text(group));
  return wanted;
}

// What a step is given must be what was meant: where it holds a value out of which a secret was taken,
// nothing is changed by it.
Status check_whole(const Order& order) {
  const bool of_earlier = order.call != Order::Call::kAct;
  if (!was_taken_from(order.with) &&
      !(of_earlier && (was_taken_from(order.recorded) || was_taken_from(order.outputs))))
    return {};
  return Error{Errc::kRefused,
               fmt::format("what step '{}' is given comes from a step whose output held a secret, and a "
                           "secret was taken out of it",
                           order.step),
               "give a step its secrets as references, {env: NAME} or {file: PATH}; where the secret is a "
               "common word, change it"};
}

class Engine {
 public:
  Engine(const EngineParts& parts, RunState state, std::string stream, std::stop_token stop)
      : parts_(parts), state_(std::move(state)), stream_(std::move(stream)), stop_(std::move(stop)) {}

  Status take(uint64_t epoch, int64_t pid) { return append({EngineTook{epoch, pid}}); }

  Status carry_on() {
    while (state_.phase() != RunPhase::kEnded && !stop_.stop_requested()) {
      DR_OK(read_letters());
      const Decision decision = state_.decide(parts_.clock.now());
      DR_TRY(const bool moved, perform_first(decision.moves));
      if (moved) continue;
      if (!parts_.wait_for_people && only_people_can_go_on(decision)) return {};
      DR_OK(wait(decision.wake));
    }
    return {};
  }

  Status post(EventBody body) {
    DR_OK(fit(body));
    return append({body});
  }

  RunState take_state() && { return std::move(state_); }

 private:
  Status append(const std::vector<EventBody>& bodies) {
    std::vector<NewEvent> events;
    for (const EventBody& body : bodies) events.push_back(to_event(body));
    DR_TRY(const auto appended, parts_.journal.append(stream_, state_.position(), events));
    for (const JournalEvent& event : appended) {
      DR_OK(state_.apply(event));
      parts_.on_event(state_, event);
    }
    return {};
  }

  // One move, then everything is thought over again: a step that was refused must stop the others.
  Result<bool> perform_first(const std::vector<Move>& moves) {
    for (const Move& move : moves) {
      DR_TRY(const bool moved, std::visit([&](const auto& it) { return perform(it); }, move));
      if (moved) return true;
    }
    return false;
  }

  Result<bool> done(const Status& status) {
    DR_OK(status);
    return true;
  }

  Result<bool> perform(const Skip& move) { return done(append({StepSkipped{move.step, move.why}})); }
  Result<bool> perform(const Refuse& move) {
    return done(append({StepRefused{move.step, move.error, move.hint}}));
  }
  Result<bool> perform(const Expire& move) { return done(append({ApprovalExpired{move.step}})); }
  Result<bool> perform(const AskPerson& move) { return done(append({PersonAsked{move.step, move.attempt}})); }
  Result<bool> perform(const EndRun& move) { return done(append({RunEnded{move.outcome, move.why}})); }

  Result<bool> perform(const Ask& move) {
    const Step& step = *state_.step(move.step);
    DR_TRY(const std::string hash, state_.inputs_hash(step));
    ApprovalAsked asked{move.step, hash, 1, {}, parts_.clock.now() + state_.created().expires};
    const StepType* type = state_.type_of(step);
    const bool destroys = type && type->effect == Effect::kDestroy;
    DR_TRY(const Value::Map with, state_.inputs(step, Verb::kAct));
    const Approval in_step = approval_in(step.action.type == "approve" ? with : Value::Map());
    for (const Approval* wanted :
         {step.approve ? &*step.approve : nullptr, &in_step, &state_.created().policy}) {
      if (!wanted || (wanted == &state_.created().policy && !destroys && step.action.type != "approve"))
        continue;
      asked.count = std::max(asked.count, wanted->count);
      for (const std::string& group : wanted->groups)
        if (std::ranges::find(asked.groups, group) == asked.groups.end()) asked.groups.push_back(group);
    }
    return done(append({asked}));
  }

  Order order_of(const Step& step, uint32_t attempt, Verb verb, Value with) const {
    const bool own_undo = verb == Verb::kUndo && step.undo;
    Order order;
    order.step = step.id;
    order.attempt = attempt;
    order.type = own_undo ? step.undo->type : step.action.type;
    order.call = verb == Verb::kReconcile           ? Order::Call::kReconcile
                 : verb == Verb::kUndo && !own_undo ? Order::Call::kUndo
                                                    : Order::Call::kAct;
    order.with = std::move(with);
    order.recorded = state_.at(step.id).prepared;
    order.outputs = state_.at(step.id).outputs;
    const StepType* type = parts_.find_type(order.type);
    order.timeout = step.timeout.value_or(type ? type->timeout : Duration(30s));
    order.target = state_.created().target;
    return order;
  }

  // What stands outside the plan: the safety rules, and the journal's anchor before anything is destroyed.
  Status guard(const Step& step, const StepType& type, const Order& order, Verb verb) {
    if (type.effect == Effect::kObserve || verb == Verb::kReconcile) return {};
    const Verb does = order.call == Order::Call::kUndo ? Verb::kUndo : Verb::kAct;
    DR_OK(check_safety(state_, type, does, *order.with.map(), parts_.safety));
    return type.effect == Effect::kDestroy && verb == Verb::kAct ? parts_.before_destroying(state_, step)
                                                                 : Status();
  }

  // An undo that may not begin counts as one that failed: what is next to undo is then thought over. What
  // cannot be reconciled, a person is asked.
  Status refuse(const Start& move, const Order& order, const Error& why) {
    if (move.verb == Verb::kAct) return append({StepRefused{move.step, why.what, why.hint}});
    const Ended ended{Outcome::kFailed, true, why.what, why.hint, {}, {}, ""};
    return append({StepStarted{move.step, move.attempt, move.verb, state_.epoch(), order.with},
                   ended_event(move.step, move.attempt, ended)});
  }

  Result<bool> perform(const Start& move) {
    const Step& step = *state_.step(move.step);
    auto with = state_.inputs(step, move.verb);
    if (!with.ok()) return done(append({StepRefused{step.id, with.error().what, with.error().hint}}));
    const Order order = order_of(step, move.attempt, move.verb, Value(*std::move(with)));
    const StepType* type = parts_.find_type(order.type);
    if (!type)
      return done(append(
          {StepRefused{step.id, fmt::format("'{}' is not a kind of step that this daruma knows", order.type),
                       "run `daruma plan check`"}}));
    if (type->effect != Effect::kObserve && move.verb != Verb::kReconcile && parts_.stopped()) return false;
    if (const Status whole = check_whole(order); type->effect != Effect::kObserve && !whole.ok())
      return done(refuse(move, order, whole.error()));
    if (const Status safe = guard(step, *type, order, move.verb); !safe.ok())
      return done(refuse(move, order, safe.error()));
    const StepStarted started{step.id, move.attempt, move.verb, state_.epoch(), order.with};
    if (order.call == Order::Call::kAct && !type->act)  // nothing outside is touched: begun and ended at once
      return done(append({started, StepEnded{step.id, move.attempt, state_.epoch(), Outcome::kSucceeded,
                                             false, "", "", Value::Map(), Value(), ""}}));
    DR_OK(append({started}));
    if (const Status begun = parts_.hands.begin(order); !begun.ok())
      return done(append(
          {ended_event(step.id, move.attempt,
                       {Outcome::kFailed, false, begun.error().what, begun.error().hint, {}, {}, ""})}));
    mine_.emplace(step.id, move.attempt);
    return true;
  }

  StepEnded ended_event(const std::string& step, uint32_t attempt, const Ended& ended) const {
    return {step,       attempt,       state_.epoch(), ended.outcome,     ended.no_retry, ended.error,
            ended.hint, ended.outputs, ended.prepared, ended.output_hash, ended.cut};
  }

  Result<bool> perform(const Settle& move) {
    if (mine_.contains({move.step, move.attempt})) return false;  // it runs, and next() will tell
    const Step& step = *state_.step(move.step);
    const Attempt& attempt = state_.at(move.step).attempts.back();
    const Order order = order_of(step, move.attempt, attempt.verb, Value());
    DR_TRY(const Remains remains, parts_.hands.remains(order));
    if (remains.left == Left::kEnded)
      return done(append({ended_event(move.step, move.attempt, *remains.ended)}));
    if (remains.left != Left::kRuns)
      return done(
          append({StepVanished{move.step, move.attempt, remains.left == Left::kVanished, remains.prepared}}));
    mine_.emplace(move.step, move.attempt);
    return true;
  }

  Result<bool> perform(const EndAttempt& move) {
    if (!ending_.emplace(move.step, move.attempt).second) return false;
    parts_.hands.end(move.step, move.attempt);
    return true;
  }

  bool only_people_can_go_on(const Decision&) const {
    bool asked = false;
    for (const Step& step : state_.steps()) {
      const StepPhase phase = state_.at(step.id).phase;
      if (phase == StepPhase::kRunning || phase == StepPhase::kPausing) return false;
      asked = asked || phase == StepPhase::kAsking || phase == StepPhase::kPerson;
    }
    return asked && state_.phase() == RunPhase::kRunning;
  }

  Status wait(std::optional<Instant> wake) {
    Duration longest = kGlance;
    if (wake) longest = std::clamp<Duration>(*wake - parts_.clock.now(), 1ms, kGlance);
    const auto finished = parts_.hands.next(parts_.clock.after(longest));
    if (!finished) return {};
    mine_.erase({finished->step, finished->attempt});
    if (!finished->ended)
      return append({StepVanished{finished->step, finished->attempt, true, finished->prepared}});
    return append({ended_event(finished->step, finished->attempt, *finished->ended)});
  }

  // Not more than some at once: whoever writes without end must not keep the run from going on.
  Status read_letters() {
    for (int read = 0; read < kLettersAtOnce; ++read) {
      auto letter = parts_.letter();
      if (!letter) break;
      Status fits = fit(letter->body);
      if (fits.ok()) {
        const Status appended = append({letter->body});
        letter->answer(appended);
        DR_OK(appended);
      } else {
        letter->answer(fits);
      }
    }
    return {};
  }

  // Whether this may be said now. Completes what the writer cannot know.
  Status fit(EventBody& body) const {
    if (state_.phase() == RunPhase::kEnded)
      return Error{Errc::kRefused, fmt::format("run {} has ended", state_.id()),
                   fmt::format("see how: daruma runs {}; begin anew: daruma recover {}", state_.id(),
                               state_.created().plan.plan.name)};
    if (auto* given = std::get_if<ApprovalGiven>(&body)) {
      DR_OK(state_.may_approve(*given, parts_.clock.now()));
      given->inputs_hash = state_.at(given->step).approval->inputs_hash;
      return {};
    }
    if (const auto* answered = std::get_if<PersonAnswered>(&body)) {
      if (!state_.step(answered->step) || state_.at(answered->step).phase != StepPhase::kPerson)
        return as_refusal(fmt::format("step '{}' does not wait for a person's answer", answered->step));
      return {};
    }
    if (std::holds_alternative<AbortAsked>(body))
      return state_.abort() ? as_refusal("the run is being aborted already") : Status();
    return as_refusal("a person cannot say that");
  }

  const EngineParts& parts_;
  RunState state_;
  std::string stream_;
  std::stop_token stop_;
  std::set<std::pair<std::string, uint32_t>> mine_;    // attempts whose end next() will tell
  std::set<std::pair<std::string, uint32_t>> ending_;  // attempts that are being ended
};

}  // namespace

std::string stream_of(const std::string& run) { return "run/" + run; }

Result<RunState> load_run(Journal& journal, const std::string& run, const FindType& find_type) {
  DR_TRY(const auto events, journal.read(stream_of(run), 1));
  if (events.empty())
    return Error{Errc::kNotFound, fmt::format("there is no run '{}'", run), "`daruma runs` lists them"};
  RunState state(find_type);
  for (const JournalEvent& event : events) DR_OK(state.apply(event));
  return state;
}

Result<RunState> carry_out(const EngineParts& parts, const std::string& run, uint64_t epoch, int64_t pid,
                           std::stop_token stop) {
  DR_TRY(RunState state, load_run(parts.journal, run, parts.find_type));
  if (state.phase() == RunPhase::kEnded) return state;
  Engine engine(parts, std::move(state), stream_of(run), std::move(stop));
  DR_OK(engine.take(epoch, pid));
  DR_OK(engine.carry_on());
  return std::move(engine).take_state();
}

Status post_letter(const EngineParts& parts, const std::string& run, EventBody body) {
  DR_TRY(RunState state, load_run(parts.journal, run, parts.find_type));
  return Engine(parts, std::move(state), stream_of(run), {}).post(std::move(body));
}

}  // namespace daruma::run
