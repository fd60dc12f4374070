// base/time.h: instants (UTC, microseconds, as PostgreSQL keeps them), monotonic deadlines, and their texts.
//
// Times are UTC instants inside and RFC 3339 outside. Reading a clock is os/clock.h's business, not ours.
// Threads: plain values.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace daruma {

using namespace std::chrono_literals;
using Duration = std::chrono::nanoseconds;

// A point in civil time, microseconds since 1970-01-01T00:00:00Z.
struct Instant {
  int64_t micros = 0;

  auto operator<=>(const Instant&) const = default;
  friend Duration operator-(Instant a, Instant b) { return std::chrono::microseconds(a.micros - b.micros); }
  friend Instant operator+(Instant a, Duration d) {
    return {a.micros + std::chrono::duration_cast<std::chrono::microseconds>(d).count()};
  }
};

// A reading of a monotonic clock: only differences mean anything.
struct MonoInstant {
  Duration since_start{0};

  auto operator<=>(const MonoInstant&) const = default;
  friend Duration operator-(MonoInstant a, MonoInstant b) { return a.since_start - b.since_start; }
  friend MonoInstant operator+(MonoInstant a, Duration d) { return {a.since_start + d}; }
};

// When to give up. Handed down a call tree unchanged, so a child never outlives its parent's.
struct Deadline {
  MonoInstant at{Duration::max()};

  static Deadline never() { return {}; }
  bool passed(MonoInstant now) const { return now >= at; }
  // Time left, never negative.
  Duration left(MonoInstant now) const { return passed(now) ? Duration{0} : at - now; }
};

// "2026-11-22T10:42:07.123456Z"; the fraction is left out when it is zero.
std::string to_rfc3339(Instant instant);
// Accepts RFC 3339 with 'T' or a space, any number of fraction digits (cut to microseconds), and a zone, 'Z'
// or ±hh:mm. kInvalid: anything else, a missing zone included: a time without a zone is not a moment.
Result<Instant> parse_rfc3339(std::string_view text);

// "6h", "90s", "250ms", "1h30m", "7d"; kInvalid: no unit, unknown unit, negative, empty.
Result<Duration> parse_duration(std::string_view text);
// For people: "412 ms", "3.2 s", "4 min 10 s", "3 h 30 min".
std::string human_duration(Duration duration);

}  // namespace daruma
