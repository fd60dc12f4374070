// breaker/breaker_word.h: the bits of a breaker's cells: all that decides is in one word, so that it changes
// at once.
//
// Format:  state word: milliseconds of the last change (40 bits), generation (16), openings in a row (4),
//          reason (4). Trial slot: milliseconds of the deadline (40 bits), generation (16), status (8).
//          Milliseconds are of the monotonic clock: 40 bits are 34 years of uptime.
// Threads: plain values.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "breaker/breaker.h"

namespace daruma {

// Rounded up: nothing happens too early.
inline uint64_t whole_ms(MonoInstant instant) {
  return static_cast<uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(instant.since_start).count());
}
inline MonoInstant from_ms(uint64_t ms) { return {std::chrono::milliseconds(static_cast<int64_t>(ms))}; }

struct BreakerWord {
  static constexpr uint64_t kOpeningsMax = 15;

  BreakerReason reason = BreakerReason::kStarted;
  uint64_t openings = 0;  // in a row: since it was closed
  uint16_t generation = 0;
  uint64_t at_ms = 0;

  static BreakerWord of(uint64_t word) {
    return {static_cast<BreakerReason>(word & 15), word >> 4 & 15, static_cast<uint16_t>(word >> 8),
            word >> 24};
  }
  uint64_t packed() const {
    return at_ms << 24 | uint64_t{generation} << 8 | openings << 4 | static_cast<uint64_t>(reason);
  }

  BreakerState state() const { return state_of(reason); }
  BreakerWord next(BreakerReason why, MonoInstant now) const {
    const BreakerState to = state_of(why);
    const uint64_t in_a_row = to == BreakerState::kOpen       ? std::min(openings + 1, kOpeningsMax)
                              : to == BreakerState::kHalfOpen ? openings
                                                              : 0;
    return {why, in_a_row, static_cast<uint16_t>(generation + 1), whole_ms(now)};
  }
};

struct TrialSlot {
  enum class Status : uint8_t { kFree, kRunning, kPassed };

  Status status = Status::kFree;
  uint16_t generation = 0;
  uint64_t deadline_ms = 0;

  static TrialSlot of(uint64_t word) {
    return {static_cast<Status>(word & 255), static_cast<uint16_t>(word >> 8), word >> 24};
  }
  uint64_t packed() const {
    return deadline_ms << 24 | uint64_t{generation} << 8 | static_cast<uint64_t>(status);
  }

  // Generations go round: which is newer is a matter of the shorter way.
  bool newer_than(uint16_t other) const { return static_cast<int16_t>(generation - other) > 0; }
  Status status_in(uint16_t other) const { return generation == other ? status : Status::kFree; }
};

}  // namespace daruma
