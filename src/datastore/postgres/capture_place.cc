#include "datastore/postgres/capture_place.h"

#include <algorithm>

namespace daruma::postgres {
namespace {

bool reaches(const LogRange& range, Lsn at) { return range.from <= at.value && at.value <= range.to; }

}  // namespace

bool TimelineWay::has(Timeline any) const { return any == timeline || left(any); }

std::optional<Lsn> TimelineWay::left(Timeline any) const {
  for (const TimelineAncestor& ancestor : ancestors)
    if (ancestor.timeline == any) return ancestor.left_at;
  return std::nullopt;
}

Timeline TimelineWay::after(Timeline ancestor) const {
  const auto found = std::ranges::find(ancestors, ancestor, &TimelineAncestor::timeline);
  DR_CHECK(found != ancestors.end());
  return found + 1 == ancestors.end() ? timeline : (found + 1)->timeline;
}

Lsn TimelineWay::begins_of(Timeline any) const {
  Lsn begins;
  for (const TimelineAncestor& ancestor : ancestors)
    if (ancestor.timeline < any) begins = ancestor.left_at;
  return begins;
}

CapturePlace find_place(const std::vector<LogRange>& ranges, const TimelineWay& way, const SlotInfo& slot,
                        Lsn server_flushed, SegmentSize segment_size) {
  const LogRange* newest = nullptr;
  const LogRange* of_slot = nullptr;
  for (const LogRange& range : ranges) {  // by timeline and position
    if (!way.has(range.branch)) continue;
    newest = &range;
    if (!slot.restart.is_none() && reaches(range, slot.restart)) of_slot = &range;
  }
  if (!newest) return place_of_slot(way, slot, server_flushed, segment_size);
  const CapturePlace behind_newest{newest->branch, segment_size.floor({newest->to}), {newest->to}};
  if (slot.restart.is_none() || slot.restart.value >= newest->from) return behind_newest;
  // The server keeps the WAL of a hole before the newest range; to go on behind that range would let it go.
  const CapturePlace hole =
      of_slot ? leave_ended_timelines({of_slot->branch, segment_size.floor({of_slot->to}), {of_slot->to}},
                                      way, segment_size)
              : place_of_slot(way, slot, server_flushed, segment_size);
  const bool filled = hole.timeline == newest->branch && newest->from <= hole.start.value;
  return filled ? behind_newest : hole;
}

CapturePlace leave_ended_timelines(CapturePlace place, const TimelineWay& way, SegmentSize segment_size) {
  for (auto left = way.left(place.timeline); left; left = way.left(place.timeline)) {
    if (std::max(place.start, place.held_to) < *left) break;  // its rest is streamed first
    place = {way.after(place.timeline), segment_size.floor(*left), {}};
  }
  return place;
}

CapturePlace place_of_slot(const TimelineWay& way, const SlotInfo& slot, Lsn server_flushed,
                           SegmentSize segment_size) {
  const Lsn reserved = slot.restart.is_none() ? server_flushed : slot.restart;
  return {way.timeline, segment_size.floor(std::max(reserved, way.begins_of(way.timeline))), {}};
}

}  // namespace daruma::postgres
