// breaker/breaker_window.h: how many of the last calls failed or were slow, in cells that processes share.
//
// Every count carries the generation it belongs to; counts of another generation are as good as zero. So the
// whole window is forgotten by going on to the next generation, at once and by nobody's work. By calls: one
// ring of outcomes for all. By time: each stripe has ten buckets, the current tenth among them, so the window
// reaches back between nine and ten tenths of its length.
//
// Format:  ring word: generation (16 bits), 16 outcomes of 3 bits (present, failed, slow). Bucket: three
//          words (calls, failures, slow), each: tenth since the start (26 bits), generation (10), count (28).
// Threads: any; processes: any, and any of them may die between two instructions: at most its own call is
//          counted by half (as a failure without a call, which total() evens out). Who adds to a generation
//          that has just ended may wipe a few counts of the next.
// Owns:    nothing: the cells are borrowed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.h"

namespace daruma {

struct BreakerCounts {
  uint64_t calls = 0;
  uint64_t failures = 0;  // slow ones included
  uint64_t slow = 0;      // failed ones included

  bool operator==(const BreakerCounts&) const = default;
};

class BreakerWindow {
 public:
  using Cells = std::span<std::atomic<uint64_t>>;

  // `calls` zero: by time.
  static size_t cells_needed(uint32_t calls, uint32_t stripes);
  BreakerWindow(uint32_t calls, Duration time, uint32_t stripes, size_t stripe, Cells cells);

  void add(uint16_t generation, bool failed, bool slow, MonoInstant now);
  BreakerCounts total(uint16_t generation, MonoInstant now) const;

 private:
  void add_to_ring(uint16_t generation, bool failed, bool slow);
  BreakerCounts total_of_ring(uint16_t generation) const;
  BreakerCounts total_of_buckets(uint16_t generation, MonoInstant now) const;

  const uint64_t calls_;
  const Duration tenth_;
  const size_t stripes_;
  const size_t stripe_;
  const Cells cells_;
};

}  // namespace daruma
