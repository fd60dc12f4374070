// tests/crash/run_world.h: a simulated world in which runs are carried out and engines die at every point.
//
// Steps act here on a set of names: an act puts its step's name into it, an undo takes it out. What the
// engine must never do is noticed at once: an effect without an intent in the journal, an exclusive step
// done twice, a step before its needs, something destroyed without an approval, anything done by an engine
// that lost the run.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "os/clock.h"
#include "os/split_mix.h"
#include "run/engine.h"

namespace daruma::run {

// Thrown where the engine's process is killed.
struct Killed {};

// A clock that a test moves, and whose civil time jumps.
class JumpingClock final : public Clock {
 public:
  Instant now() const override { return Instant{1'790'000'000'000'000} + elapsed_ + jump_; }
  MonoInstant mono() const override { return {elapsed_}; }
  bool pause(Duration duration, std::stop_token) override { return elapsed_ += duration, true; }
  void advance(Duration duration) { elapsed_ += duration; }
  void jump(Duration by) { jump_ += by; }

 private:
  Duration elapsed_{};
  Duration jump_{};
};

// How a step of the simulated world behaves; the type's name says it: "again", "reconcile", "ask",
// "observe", "destroy", each with "+undo" where it can be undone.
const StepType* find_sim_type(std::string_view name);
// The real type of this name, whose functions do nothing and whose inputs may be anything.
const StepType* find_emptied_type(std::string_view name);

class RunWorld {
 public:
  RunWorld(Journal& journal, JumpingClock& clock, uint64_t seed)
      : journal_(journal), clock_(clock), random_(seed) {}

  FindType find_type = find_sim_type;
  // How often a step's act fails before it succeeds; UINT32_MAX: always.
  std::map<std::string, uint32_t> failures;
  // One act in so many dies by a signal in its middle, before or after its effect; 0: none.
  uint64_t die_one_in = 0;
  bool deaths_are_told_as_failures = false;  // a planted bug
  uint64_t deaths() const { return deaths_; }
  // Called at each point at which the engine may be killed.
  std::function<void()> point = [] {};
  std::string run;

  // The hands of one engine.
  std::unique_ptr<Hands> hands();

  // The engine died: of what acts, some goes on, some dies with it, before or after its effect.
  void engine_died();

  // What is in effect now.
  const std::set<std::string>& applied() const { return applied_; }
  // What must never happen and did.
  const std::vector<std::string>& wrongs() const { return wrongs_; }
  bool happened(const std::string& step) const { return applied_.contains(step); }

 private:
  class EngineHands;
  struct Act {
    Order order;
    bool effect_done = false;
    bool dead = false;
    bool sealed = false;  // given up before it began
    std::optional<Ended> ended = {};
  };

  void wrong(std::string what) { wrongs_.push_back(std::move(what)); }
  void take_effect(Act& act);
  void finish(Act& act);
  bool dies(Act& act);
  void check_intent(const Order& order);
  Act* find(const std::string& step, uint32_t attempt);

  Journal& journal_;
  JumpingClock& clock_;
  SplitMix random_;
  std::vector<Act> acts_;
  std::set<std::string> applied_;
  std::map<std::string, uint32_t> tries_;
  std::vector<std::string> wrongs_;
  uint64_t deaths_ = 0;
};

}  // namespace daruma::run
