// datastore/postgres/capture_place.h: where capture goes on, from what the log holds, what the slot keeps and
// the way that the server's timeline came.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <vector>

#include "datastore/postgres/control_file.h"
#include "datastore/postgres/replication.h"
#include "repository/log.h"

namespace daruma::postgres {

// A server's timeline and the ancestors that led to it.
struct TimelineWay {
  Timeline timeline = 0;
  std::vector<TimelineAncestor> ancestors;  // oldest first, as its history file has them

  bool has(Timeline any) const;
  // Where `any` was left for the next one; nullopt: never, it is the server's own or not on the way.
  std::optional<Lsn> left(Timeline any) const;
  // The one after `ancestor`, which must be one.
  Timeline after(Timeline ancestor) const;
  // Where `any` begins; none when it has no known parent.
  Lsn begins_of(Timeline any) const;
};

struct CapturePlace {
  Timeline timeline = 0;
  Lsn start;
  Lsn held_to;  // how far this timeline is held, at `start` or behind it; none: nothing of it up to here
};

// From the ranges that the log holds. Goes on where the range ends that the slot's position lies in, so that
// a hole before a newer range is filled while the server still has it; without such a position, behind the
// newest range. A log of timelines that are not on the way (the server was recovered to a moment before them)
// says nothing: then where the server's own timeline begins, or where its slot does.
CapturePlace find_place(const std::vector<LogRange>& ranges, const TimelineWay& way, const SlotInfo& slot,
                        Lsn server_flushed, SegmentSize segment_size);

// Past the ends of timelines that have nothing more to stream: from the end of one to the beginning of the
// next.
CapturePlace leave_ended_timelines(CapturePlace place, const TimelineWay& way, SegmentSize segment_size);

// What the server can be asked for when the WAL at the place wanted is gone: what its slot reserves, on its
// own timeline.
CapturePlace place_of_slot(const TimelineWay& way, const SlotInfo& slot, Lsn server_flushed,
                           SegmentSize segment_size);

}  // namespace daruma::postgres
