#include "breaker/breaker_window.h"

#include <algorithm>
#include <bit>

namespace daruma {
namespace {

constexpr size_t kCacheLine = 8;  // cells

// The ring: a head, which counts the calls ever added, and the outcomes behind it.
constexpr size_t kRing = kCacheLine;
constexpr uint64_t kOutcomesPerWord = 16;
constexpr uint64_t kPresentBits = 0x2492'4924'9249;

constexpr uint64_t kTenths = 10;
constexpr size_t kWordsPerBucket = 3;
constexpr size_t kStripeCells = 32;  // 30 of buckets, rounded up to whole cache lines
static_assert(kTenths * kWordsPerBucket <= kStripeCells);

constexpr uint64_t kCountMax = (uint64_t{1} << 28) - 1;

struct Tag {
  uint64_t value;

  static Tag of(uint64_t tenth, uint16_t generation) {
    return {(tenth & 0x3ff'ffff) << 10 | (generation & 0x3ffu)};
  }
  static Tag of(uint64_t word) { return {word >> 28}; }
  bool same_generation(Tag other) const { return ((value ^ other.value) & 0x3ff) == 0; }
  // Tenths from `other` to this one; they go round, so it is the shorter way.
  int32_t since(Tag other) const {
    const auto difference = static_cast<uint32_t>((value >> 10) - (other.value >> 10));
    return static_cast<int32_t>(difference << 6) >> 6;
  }
};

void count(std::atomic<uint64_t>& cell, Tag now) {
  uint64_t word = cell.load(std::memory_order_relaxed);
  while (true) {
    const Tag there = Tag::of(word);
    uint64_t next = now.value << 28 | 1;
    if (there.value == now.value) {
      if ((word & kCountMax) == kCountMax) return;
      next = word + 1;
    } else if (there.same_generation(now) && now.since(there) < 0) {
      return;  // somebody whose clock reading is newer has taken the bucket over
    }
    if (cell.compare_exchange_weak(word, next, std::memory_order_relaxed)) return;
  }
}

}  // namespace

size_t BreakerWindow::cells_needed(uint32_t calls, uint32_t stripes) {
  if (calls == 0) return size_t{stripes} * kStripeCells;
  const size_t words = (calls + kOutcomesPerWord - 1) / kOutcomesPerWord;
  return kRing + (words + kCacheLine - 1) / kCacheLine * kCacheLine;
}

BreakerWindow::BreakerWindow(uint32_t calls, Duration time, uint32_t stripes, size_t stripe, Cells cells)
    : calls_(calls), tenth_(time / kTenths), stripes_(stripes), stripe_(stripe % stripes), cells_(cells) {}

void BreakerWindow::add(uint16_t generation, bool failed, bool slow, MonoInstant now) {
  if (calls_ > 0) return add_to_ring(generation, failed, slow);
  const auto tenth = static_cast<uint64_t>(now.since_start / tenth_);
  const Tag tag = Tag::of(tenth, generation);
  const Cells bucket =
      cells_.subspan(stripe_ * kStripeCells + tenth % kTenths * kWordsPerBucket, kWordsPerBucket);
  // The call last: who dies in between has counted a failure without a call, never a call that seems good.
  if (failed) count(bucket[1], tag);
  if (slow) count(bucket[2], tag);
  count(bucket[0], tag);
}

BreakerCounts BreakerWindow::total(uint16_t generation, MonoInstant now) const {
  BreakerCounts counts = calls_ > 0 ? total_of_ring(generation) : total_of_buckets(generation, now);
  counts.failures = std::min(counts.failures, counts.calls);
  counts.slow = std::min(counts.slow, counts.calls);
  return counts;
}

BreakerCounts BreakerWindow::total_of_buckets(uint16_t generation, MonoInstant now) const {
  const Tag tag = Tag::of(static_cast<uint64_t>(now.since_start / tenth_), generation);
  uint64_t sums[kWordsPerBucket] = {};
  for (size_t stripe = 0; stripe < stripes_; ++stripe)
    for (size_t i = 0; i < kTenths * kWordsPerBucket; ++i) {
      const uint64_t word = cells_[stripe * kStripeCells + i].load(std::memory_order_relaxed);
      const Tag there = Tag::of(word);
      if (there.same_generation(tag) && tag.since(there) < static_cast<int32_t>(kTenths))
        sums[i % kWordsPerBucket] += word & kCountMax;
    }
  return {sums[0], sums[1], sums[2]};
}

// Outcomes are written over one by one, so the ring always holds exactly the last calls. Who dies after
// taking its place leaves the outcome that was there before.
void BreakerWindow::add_to_ring(uint16_t generation, bool failed, bool slow) {
  const uint64_t place = cells_[0].fetch_add(1, std::memory_order_relaxed) % calls_;
  std::atomic<uint64_t>& cell = cells_[kRing + place / kOutcomesPerWord];
  const uint64_t shift = place % kOutcomesPerWord * 3;
  const uint64_t outcome = (1u | (failed ? 2u : 0u) | (slow ? 4u : 0u));
  uint64_t word = cell.load(std::memory_order_relaxed);
  uint64_t next = 0;
  do {
    const uint64_t kept =
        word >> 48 == generation ? word & ~(uint64_t{7} << shift) : uint64_t{generation} << 48;
    next = kept | outcome << shift;
  } while (!cell.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

BreakerCounts BreakerWindow::total_of_ring(uint16_t generation) const {
  const auto bits = [](uint64_t word) { return static_cast<uint64_t>(std::popcount(word & kPresentBits)); };
  BreakerCounts counts;
  for (uint64_t i = 0; i < (calls_ + kOutcomesPerWord - 1) / kOutcomesPerWord; ++i) {
    const uint64_t word = cells_[kRing + i].load(std::memory_order_relaxed);
    if (word >> 48 != generation) continue;
    counts.calls += bits(word);
    counts.failures += bits(word >> 1);
    counts.slow += bits(word >> 2);
  }
  return counts;
}

}  // namespace daruma
