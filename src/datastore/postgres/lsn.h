// datastore/postgres/lsn.h: positions in the WAL, timelines and the names of segments.
//
// Source:  PostgreSQL src/include/access/xlogdefs.h and xlog_internal.h (names, segment arithmetic).
// Threads: plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace daruma::postgres {

// A byte position in the WAL. Zero is "none": PostgreSQL never writes a record there.
struct Lsn {
  uint64_t value = 0;

  auto operator<=>(const Lsn&) const = default;
  friend Lsn operator+(Lsn a, uint64_t bytes) { return {a.value + bytes}; }
  friend uint64_t operator-(Lsn a, Lsn b) { return a.value - b.value; }
  bool is_none() const { return value == 0; }
};

using Timeline = uint32_t;  // 1 and up; 0 never exists

std::string to_string(Lsn lsn);  // "16/B374D848"
// kInvalid: not two hex numbers of at most 8 digits with '/' between.
Result<Lsn> parse_lsn(std::string_view text);

// Segments: the WAL cut into files of `size` bytes (a power of two, 1 MiB to 1 GiB; 16 MiB by default).
struct SegmentSize {
  uint64_t bytes = 16 * 1024 * 1024;

  bool valid() const { return bytes >= 1u << 20 && bytes <= 1u << 30 && (bytes & (bytes - 1)) == 0; }
  uint64_t number_of(Lsn lsn) const { return lsn.value / bytes; }
  Lsn start_of(uint64_t number) const { return {number * bytes}; }
  Lsn floor(Lsn lsn) const { return {lsn.value & ~(bytes - 1)}; }
  uint64_t offset_of(Lsn lsn) const { return lsn.value & (bytes - 1); }
};

// "000000010000000A000000FF": timeline, then the segment's number as two groups of the 4 GiB it lies in.
std::string segment_name(Timeline timeline, uint64_t number, SegmentSize size);

struct SegmentId {
  Timeline timeline = 0;
  uint64_t number = 0;
  auto operator<=>(const SegmentId&) const = default;
};
// kInvalid: not 24 hex digits, timeline 0, or a low part that cannot occur with this segment size.
Result<SegmentId> parse_segment_name(std::string_view name, SegmentSize size);

std::string history_name(Timeline timeline);  // "00000002.history"

}  // namespace daruma::postgres
