// datastore/postgres/wal_route.h: the stored WAL that leads to a timeline, as if it were one log.
//
// Method:  a timeline begins inside a segment of its parent; its own log starts with that whole segment, so
//          the bytes before the switch are there twice. The route takes every segment from the youngest
//          timeline that has it, as PostgreSQL does, so that what remains are whole segments in order.
// Owns:    nothing; the catalog outlives it.
// Threads: const methods may be called concurrently.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "datastore/postgres/points.h"

namespace daruma::postgres {

inline constexpr Lsn kNoLimit{std::numeric_limits<uint64_t>::max()};

class WalRoute {
 public:
  // Continuous WAL, as far as it is held.
  struct Span {
    Lsn from;
    Lsn to;
    bool contains(Lsn at) const { return from <= at && at < to; }
  };

  // Through the ancestors that `target`'s history names. Without a history, `target` alone.
  static WalRoute to(const Catalog& catalog, Timeline target);
  // One timeline's log and nothing else.
  static WalRoute only(const Catalog& catalog, Timeline timeline);

  Timeline target() const { return legs_.back().timeline; }
  // Where `target` left its parent; none when it has no known parent.
  Lsn branch_point() const;
  // Where the route leaves `timeline`: kNoLimit for the target itself. nullopt: not on the route.
  std::optional<Lsn> leaves(Timeline timeline) const;
  SegmentSize segment_size() const { return catalog_->segment_size; }

  // In order, apart from each other.
  const std::vector<Span>& held() const { return held_; }
  const Span* span_at(Lsn at) const;  // nullptr: not held
  // [from, to) by the timeline whose log holds it.
  std::vector<WalStretch> stretches(Lsn from, Lsn to) const;

  // Exactly [at, at + size), which does not cross a segment. Errors: as LogReader::read.
  Result<Bytes> read(Lsn at, uint64_t size) const;
  // What the held part of the segment that starts at `segment` holds. nullopt: not known without reading it.
  std::optional<WalSummary> summary(Lsn segment) const;

 private:
  struct Leg {
    Timeline timeline = 0;
    Lsn begins;  // its records; its bytes begin with that segment
    Lsn leaves;
  };
  WalRoute(const Catalog& catalog, std::vector<Leg> legs);
  Timeline holder_of(Lsn at) const;
  Lsn bytes_end(const Leg& leg) const;

  const Catalog* catalog_;
  std::vector<Leg> legs_;  // oldest first, at least one
  std::vector<Span> held_;
};

}  // namespace daruma::postgres
