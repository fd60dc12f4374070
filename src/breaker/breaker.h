// breaker/breaker.h: a circuit breaker: stops calling what does not answer, and finds out when it answers again.
//
// Its whole state is a block of lock-free atomics that the caller hands in. Where that block lies in memory shared by
// processes (service/shared_region.h), all workers open and close together.
// Knows no clock: the caller passes the time, so tests drive it by hand.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/time.h"

namespace daruma {

enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen, kForcedOpen, kDisabled, kMetricsOnly };

struct BreakerSettings {
  // A window counts calls (the last `window_calls`) or time (the last `window_time`); one of the two.
  uint32_t window_calls = 0;
  Duration window_time = 10s;
  uint32_t minimum_calls = 20;  // fewer in the window decide nothing
  double failure_rate = 0.5;    // opens at or above
  double slow_rate = 0.8;       // opens at or above
  Duration slow_after = 1s;     // a call that takes this long is slow
  Duration open_for = 5s;       // then half-open
  uint32_t trials = 3;          // calls allowed while half-open; all must end well to close
  Duration trial_time_max = 5s; // a trial not heard of for so long has failed
};

class Breaker {
 public:
  using Cells = std::span<std::atomic<uint64_t>>;
  static size_t cells_needed(const BreakerSettings& settings);

  // A permission to call. Exactly one record() or drop() must follow.
  struct Permit {
    bool trial = false;  // half-open: the caller may do it in the background and answer from a fallback
    uint64_t ticket = 0;
  };
  enum class Outcome : uint8_t { kSuccess, kFailure };

  Breaker(std::string name, BreakerSettings settings, Cells cells);

  // nullopt: not now; use the fallback.
  std::optional<Permit> admit(MonoInstant now);
  void record(Permit permit, Outcome outcome, Duration took, MonoInstant now);
  void drop(Permit permit);  // the call was not made, or says nothing
};

}  // namespace daruma
