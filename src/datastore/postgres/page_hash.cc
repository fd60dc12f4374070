#include "datastore/postgres/page_hash.h"

#include <array>

#include "base/check.h"
#include "datastore/postgres/page.h"

namespace daruma::postgres {
namespace {

constexpr size_t kChecksumAt = 8;  // in the page header; two bytes that count as zero

constexpr size_t kLanes = 32;
constexpr size_t kRowBytes = kLanes * sizeof(uint32_t);
constexpr size_t kRows = kPageSize / kRowBytes;
constexpr uint32_t kFnvPrime = 16777619;

// Where each lane starts; part of PostgreSQL's on-disk format.
constexpr std::array<uint32_t, kLanes> kLaneStart = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

// Eight lanes at once. A vector type rather than a loop, because compilers turn the loop into vector
// instructions only at some levels of optimisation, and this is run over every byte of every backup.
using Eight [[gnu::vector_size(32)]] = uint32_t;
constexpr size_t kVectors = kLanes * sizeof(uint32_t) / sizeof(Eight);

[[gnu::always_inline]] inline void mix(Eight& sum, const std::byte* at) {
  Eight words;
  std::memcpy(&words, at, sizeof words);
  const Eight mixed = sum ^ words;
  sum = (mixed * kFnvPrime) ^ (mixed >> 17);
}

[[gnu::always_inline]] inline uint32_t hash_page(const std::byte* page) {
  std::array<std::byte, kRowBytes> first_row;
  std::memcpy(first_row.data(), page, kRowBytes);
  store_le<uint16_t>(first_row.data() + kChecksumAt, 0);
  constexpr std::array<std::byte, kRowBytes> kZeros{};

  Eight sums[kVectors];
  static_assert(sizeof sums == sizeof kLaneStart);
  std::memcpy(sums, kLaneStart.data(), sizeof sums);
  for (size_t v = 0; v < kVectors; ++v) mix(sums[v], first_row.data() + v * sizeof(Eight));
  for (size_t row = 1; row < kRows; ++row)
    for (size_t v = 0; v < kVectors; ++v) mix(sums[v], page + row * kRowBytes + v * sizeof(Eight));
  for (int round = 0; round < 2; ++round)
    for (size_t v = 0; v < kVectors; ++v) mix(sums[v], kZeros.data() + v * sizeof(Eight));

  std::array<uint32_t, kLanes> lanes;
  std::memcpy(lanes.data(), sums, sizeof sums);
  uint32_t folded = 0;
  for (const uint32_t lane : lanes) folded ^= lane;
  return folded;
}

}  // namespace

uint32_t page_hash_plain(BytesView page) {
  DR_CHECK(page.size() == kPageSize);
  return hash_page(page.data());
}

#if defined(__x86_64__)

bool has_wide_page_hash() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

[[gnu::target("avx2")]] uint32_t page_hash_wide(BytesView page) { return hash_page(page.data()); }

#else

bool has_wide_page_hash() { return false; }

uint32_t page_hash_wide(BytesView page) {
  DR_CHECK(has_wide_page_hash());
  return page_hash_plain(page);
}

#endif

}  // namespace daruma::postgres
