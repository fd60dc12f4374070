// breaker/breaker.h: a circuit breaker: stops calling what does not answer, and finds out when it does.
//
// Closed, it lets every call pass and counts the results in a window; when too many of them fail or are slow
// it opens. Open, it permits nothing until `open_for` has passed. Half-open, it permits a few trials: all of
// them end well and it closes, one does not and it opens again. An operator may force it open, switch it off
// (disabled: everything passes, nothing counts) or let it only count (metrics-only: everything passes,
// nothing opens).
//
// Its whole state is a block of lock-free atomics that the caller hands in; all zero is a closed breaker.
// Where that block lies in memory shared by processes (service/shared_region.h), all workers open and close
// together. A process may die at any instruction: the others go on, and a trial that died with it has failed
// when its time is over. Knows no clock: the caller passes the time (CLOCK_MONOTONIC is one clock for all
// processes), so tests drive it by hand.
//
// Threads: every method may be called from any thread; processes too, each with a Breaker of its own over the
//          same cells and with the same settings (cells_name() sees to that).
// Owns:    nothing: the cells are borrowed and outlive the breaker.
// Source:  docs/breaker.md, where it is said how resilience4j and Envoy differ.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "breaker/breaker_window.h"

namespace daruma {

enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen, kForcedOpen, kDisabled, kMetricsOnly };
std::string_view name_of(BreakerState state);  // "closed", "half-open", "metrics-only"

// Why it is in its state. Each reason leads to one state.
enum class BreakerReason : uint8_t {
  kStarted,       // closed: nothing has changed yet
  kTrialsPassed,  // closed: every trial ended well
  kReset,         // closed: by hand
  kAutomatic,     // closed: by hand, out of one of the three last states
  kFailureRate,   // open
  kSlowRate,      // open
  kTrialFailed,   // open: a trial failed, or was slow
  kTrialLost,     // open: a trial was not heard of for `trial_time_max`
  kWaited,        // half-open: it was open for long enough
  kForcedOpen,    // by hand
  kDisabled,      // by hand
  kMetricsOnly,   // by hand
};
std::string_view name_of(BreakerReason reason);  // "the failure rate reached its limit"
BreakerState state_of(BreakerReason reason);

struct BreakerSettings {
  // A window counts calls (the last `window_calls`) or time (the last `window_time`): by calls where that is
  // not zero.
  uint32_t window_calls = 0;
  Duration window_time = 10s;    // forgotten in steps of a tenth
  uint32_t minimum_calls = 20;   // fewer in the window decide nothing
  double failure_rate = 0.5;     // opens at or above; above 1: never
  double slow_rate = 0.8;        // opens at or above; above 1: never, and no trial fails by being slow
  Duration slow_after = 1s;      // a call that takes this long is slow
  Duration open_for = 5s;        // then half-open
  Duration open_for_max{};       // above open_for: doubled by each opening that follows a trial, up to this
  uint32_t trials = 3;           // calls permitted while half-open; all must end well to close
  Duration trial_time_max = 5s;  // a trial not heard of for so long has failed
  uint32_t stripes = 8;  // counters that do not disturb each other: about as many as there are workers

  // kInvalid: a number that makes no sense, by its name.
  Status check() const;
};

struct BreakerChange {
  std::string_view breaker;
  BreakerState from = BreakerState::kClosed;
  BreakerState to = BreakerState::kClosed;
  BreakerReason reason = BreakerReason::kStarted;
  MonoInstant at;
  BreakerCounts counts;  // of the window that ended with this change
};

// What monitoring sees. Rates are absent where the window holds fewer than `minimum_calls`.
struct BreakerView {
  BreakerState state = BreakerState::kClosed;
  BreakerReason reason = BreakerReason::kStarted;
  std::optional<MonoInstant> since;         // absent: nothing has changed since the cells were zero
  std::optional<MonoInstant> try_again_at;  // open: the first call from then on is a trial
  BreakerCounts counts;                     // open: those that opened it; half-open: of the trials
  std::optional<double> failure_rate;
  std::optional<double> slow_rate;
  uint32_t trials_running = 0;  // half-open
  uint32_t trials_passed = 0;   // half-open
  uint64_t not_permitted = 0;   // calls ever turned away
};

class Breaker {
 public:
  using Cells = std::span<std::atomic<uint64_t>>;
  using Listener = std::function<void(const BreakerChange&)>;

  // A permission to call. Exactly one record() or drop() must follow.
  struct Permit {
    bool trial = false;   // half-open: the caller may do it in the background and answer from a fallback
    uint32_t slot = 0;    // of the trial
    uint64_t ticket = 0;  // the state in which it was given: its result counts for no other
  };
  enum class Outcome : uint8_t { kSuccess, kFailure };

  static size_t cells_needed(const BreakerSettings& settings);
  // A name for the cells that changes with the settings: breakers that count differently must not share any.
  static std::string cells_name(std::string_view name, const BreakerSettings& settings);

  // `cells`: cells_needed() of them, aligned to 64 bytes for speed. `stripe`: any number that differs between
  // workers. `listener` is told of the changes made by calls on this object, after they were made, on the
  // thread of that call; others notice by version(). Settings that check() refuses are a bug.
  Breaker(std::string name, const BreakerSettings& settings, Cells cells, size_t stripe = 0,
          Listener listener = {});

  // nullopt: not now; use the fallback.
  std::optional<Permit> admit(MonoInstant now);
  // The call ended, having taken `took`. Ignored when the breaker has changed since it was admitted.
  void record(const Permit& permit, Outcome outcome, Duration took, MonoInstant now);
  // The call was not made, or says nothing about the dependency. A trial may be had by somebody else.
  void drop(const Permit& permit);

  // By hand, from any state. reset() and automatic() close and forget the window; automatic() does so only in
  // one of the other three's states.
  void reset(MonoInstant now);
  void automatic(MonoInstant now);
  void force_open(MonoInstant now);
  void disable(MonoInstant now);
  void only_measure(MonoInstant now);

  const std::string& name() const { return name_; }
  const BreakerSettings& settings() const { return settings_; }
  BreakerState state() const;
  BreakerView view(MonoInstant now) const;
  // Differs from an earlier version exactly when something has changed in between, by whichever process.
  uint64_t version() const { return word_.load(std::memory_order_acquire); }

 private:
  std::optional<Permit> take_trial(uint64_t word, MonoInstant now);
  void end_trial(const Permit& permit, bool well, MonoInstant now);
  bool settle_trials(uint64_t word, MonoInstant now);
  void open_if_bad(uint64_t word, MonoInstant now);
  bool change(uint64_t word, BreakerReason reason, MonoInstant at);
  void by_hand(BreakerReason reason, MonoInstant now);
  BreakerCounts counts_of(uint64_t word, MonoInstant now) const;
  MonoInstant try_again_at(uint64_t word) const;

  const std::string name_;
  const BreakerSettings settings_;
  const Listener listener_;
  std::atomic<uint64_t>& word_;
  const Cells trials_;
  const Cells turned_away_;  // one a stripe, a cache line apart
  const size_t stripe_;
  BreakerWindow window_;
};

}  // namespace daruma
