#include "crash/run_world.h"

#include <algorithm>

#include <fmt/format.h>

#include "run/event.h"

namespace daruma::run {
namespace {

constexpr InputRow anything(std::string_view name) { return {name, InputRow::Kind::kAny, false, {}, ""}; }
constexpr InputRow kAnything[] = {anything("question"), anything("task"), anything("channels"),
                                  anything("title"), anything("outcome")};

Result<Value> simulated(StepContext&) { return Value(); }
Result<Happened> asked(StepContext&) { return Happened::kUnknown; }
Status undone(StepContext&) { return {}; }

StepType sim_type(std::string_view name, Effect effect, AfterCrash after, bool undo) {
  StepType type;
  type.name = name;
  type.effect = effect;
  type.after_crash = after;
  type.act = simulated;
  type.inputs = kAnything;
  if (after == AfterCrash::kReconcile) type.reconcile = asked;
  if (undo) type.undo = undone;
  return type;
}

constexpr bool exclusive(AfterCrash after) { return after != AfterCrash::kAgain; }

}  // namespace

const StepType* find_sim_type(std::string_view name) {
  static const StepType kTypes[] = {
      sim_type("observe", Effect::kObserve, AfterCrash::kAgain, false),
      sim_type("again", Effect::kChange, AfterCrash::kAgain, false),
      sim_type("again+undo", Effect::kChange, AfterCrash::kAgain, true),
      sim_type("reconcile", Effect::kChange, AfterCrash::kReconcile, false),
      sim_type("reconcile+undo", Effect::kChange, AfterCrash::kReconcile, true),
      sim_type("ask", Effect::kChange, AfterCrash::kAsk, false),
      sim_type("destroy", Effect::kDestroy, AfterCrash::kReconcile, false),
      sim_type("report", Effect::kObserve, AfterCrash::kAgain, false),
      sim_type("notify", Effect::kObserve, AfterCrash::kAgain, false),
      [] {
        StepType type;
        type.name = "approve";
        type.inputs = kAnything;
        return type;
      }(),
      [] {
        StepType type;
        type.name = "manual";
        type.inputs = kAnything;
        type.effect = Effect::kChange;
        return type;
      }(),
  };
  const auto found = std::ranges::find(kTypes, name, &StepType::name);
  return found == std::end(kTypes) ? nullptr : &*found;
}

const StepType* find_emptied_type(std::string_view name) {
  static std::map<std::string, std::pair<StepType, std::vector<InputRow>>, std::less<>> emptied;
  const StepType* real = find_step_type(name);
  if (!real) return nullptr;
  auto [entry, added] = emptied.try_emplace(std::string(name));
  auto& [type, rows] = entry->second;
  if (!added) return &type;
  type = *real;
  rows.assign(real->inputs.begin(), real->inputs.end());
  for (InputRow& row : rows) row.kind = InputRow::Kind::kAny, row.required = false;
  type.inputs = rows;
  if (type.act) type.act = simulated;
  if (type.undo) type.undo = undone;
  return &type;
}

RunWorld::Act* RunWorld::find(const std::string& step, uint32_t attempt) {
  const auto found = std::ranges::find_if(
      acts_, [&](const Act& act) { return act.order.step == step && act.order.attempt == attempt; });
  return found == acts_.end() ? nullptr : &*found;
}

// The intent must stand in the journal, of the newest epoch, and be open; what is destroyed must have been
// agreed to.
void RunWorld::check_intent(const Order& order) {
  const auto events = journal_.read(stream_of(run), 1);
  uint64_t epoch = 0, intent_epoch = 0;
  bool intent = false, approved = false, ended = false;
  for (const JournalEvent& event : *events) {
    const EventBody body = *event_of(event);
    if (const auto* took = std::get_if<EngineTook>(&body)) epoch = took->epoch;
    if (const auto* given = std::get_if<ApprovalGiven>(&body)) approved = approved || given->agree;
    if (const auto* started = std::get_if<StepStarted>(&body))
      if (started->step == order.step && started->attempt == order.attempt)
        intent = true, intent_epoch = started->epoch;
    ended = ended || std::holds_alternative<RunEnded>(body);
  }
  const std::string which = fmt::format("{} attempt {}", order.step, order.attempt);
  if (!intent) wrong(which + " began without an intent in the journal");
  if (intent && intent_epoch != epoch) wrong(which + " began by an engine that had lost the run");
  if (ended) wrong(which + " began after the run had ended");
  const StepType* type = find_type(order.type);
  if (type->effect == Effect::kDestroy && order.call == Order::Call::kAct && !approved)
    wrong(which + " destroys without an approval");
}

void RunWorld::take_effect(Act& act) {
  const Order& order = act.order;
  act.effect_done = true;
  const StepType* type = find_type(order.type);
  if (order.call == Order::Call::kReconcile || type->effect == Effect::kObserve) return;
  if (order.call == Order::Call::kUndo) {
    applied_.erase(order.step);
    return;
  }
  const bool fails = tries_[order.step] < failures[order.step];
  if (fails) return;
  if (!applied_.insert(order.step).second && exclusive(type->after_crash))
    wrong(order.step + " was done twice, and may be done once only");
}

void RunWorld::finish(Act& act) {
  if (!act.effect_done) take_effect(act);
  Ended ended;
  ended.outcome = Outcome::kSucceeded;
  ended.outputs = Value::Map();
  const Order& order = act.order;
  if (order.call == Order::Call::kReconcile) {
    ended.outputs.set("happened", applied_.contains(order.step) ? "yes" : "no");
  } else if (order.call == Order::Call::kAct && tries_[order.step]++ < failures[order.step]) {
    ended.outcome = Outcome::kFailed;
    ended.error = "the simulated world says no";
  } else if (order.call == Order::Call::kAct) {
    for (const std::string_view output : find_type(order.type)->outputs)
      ended.outputs.set(std::string(output), true);
  }
  act.ended = ended;
}

bool RunWorld::dies(Act& act) {
  if (die_one_in == 0 || act.order.call == Order::Call::kUndo || random_.below(die_one_in) != 0) return false;
  ++deaths_;
  if (!act.effect_done && random_.below(2) == 0) take_effect(act);
  act.ended = Ended{Outcome::kFailed, false, "its process was ended by signal 9", "", Value::Map(), {}, ""};
  if (!deaths_are_told_as_failures) act.ended->cut = Cut::kDied;
  return true;
}

class RunWorld::EngineHands final : public Hands {
 public:
  explicit EngineHands(RunWorld& world) : world_(world) {}

  Status begin(const Order& order) override {
    world_.point();
    if (const Act* there = world_.find(order.step, order.attempt)) {
      if (there->sealed) return Error{Errc::kRefused, "a later engine gave this attempt up"};
      world_.wrong(fmt::format("{} attempt {} began twice", order.step, order.attempt));
    }
    world_.check_intent(order);
    world_.acts_.push_back({.order = order});
    watched_.emplace_back(order.step, order.attempt);
    world_.point();
    return {};
  }

  std::optional<Finished> next(Deadline deadline) override {
    world_.point();
    const Duration left = deadline.left(world_.clock_.mono());
    if (watched_.empty() || world_.random_.below(4) == 0) {
      world_.clock_.advance(std::max<Duration>(left, 1ms));
      return std::nullopt;
    }
    world_.clock_.advance(1ms);
    const size_t which = world_.random_.below(watched_.size());
    const auto [step, attempt] = watched_[which];
    Act& act = *world_.find(step, attempt);
    if (!act.ended && !act.dead && !act.effect_done && world_.random_.below(2) == 0) {
      world_.take_effect(act);
      return std::nullopt;
    }
    if (!act.ended && !act.dead && !world_.dies(act)) world_.finish(act);
    const Finished finished{step, attempt, act.ended};
    watched_.erase(watched_.begin() + static_cast<ptrdiff_t>(which));
    world_.point();
    return finished;
  }

  Result<Remains> remains(const Order& order) override {
    world_.point();
    Act* act = world_.find(order.step, order.attempt);
    if (!act) {
      // Sealed: should it come yet, it finds itself given up.
      world_.acts_.push_back({.order = order, .effect_done = true, .dead = true, .sealed = true});
      return Remains{Left::kNeverBegan, {}};
    }
    if (act->sealed) return Remains{Left::kNeverBegan, {}};
    if (act->ended) return Remains{Left::kEnded, act->ended};
    if (act->dead) return Remains{Left::kVanished, {}};
    watched_.emplace_back(order.step, order.attempt);
    return Remains{Left::kRuns, {}};
  }

  void end(const std::string& step, uint32_t attempt) override {
    world_.point();
    Act* act = world_.find(step, attempt);
    if (!act || act->ended || act->dead) return;
    if (!act->effect_done && world_.random_.below(2) == 0) world_.take_effect(*act);
    act->ended =
        Ended{Outcome::kFailed, true, "it was ended, because the run was aborted", "", Value::Map(), {}, ""};
  }

 private:
  RunWorld& world_;
  std::vector<std::pair<std::string, uint32_t>> watched_;
};

std::unique_ptr<Hands> RunWorld::hands() { return std::make_unique<EngineHands>(*this); }

void RunWorld::engine_died() {
  for (Act& act : acts_) {
    if (act.ended || act.dead) continue;
    switch (random_.below(4)) {
      case 0:  // dies with the engine, before its effect
        act.dead = true;
        break;
      case 1:  // or after it
        if (!act.effect_done) take_effect(act);
        act.dead = true;
        break;
      case 2:  // goes on and ends while nobody looks
        finish(act);
        break;
      default:  // goes on
        break;
    }
  }
}

}  // namespace daruma::run
