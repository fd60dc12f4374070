#include "datastore/postgres/capture_place.h"

#include <gtest/gtest.h>

#include "base/size.h"

namespace daruma::postgres {
namespace {

constexpr SegmentSize kSegment{1 * kMiB};
constexpr uint64_t kEnd = 90 * kMiB;  // of what the server has

constexpr uint64_t mib(uint64_t n) { return n * kMiB; }

TimelineWay first_timeline() { return {1, {}}; }
TimelineWay after_promotions() { return {3, {{1, {mib(20) + 500}, ""}, {2, {mib(30) + 500}, ""}}}; }
TimelineWay recovered_again_from_the_first() { return {3, {{1, {mib(10) + 500}, ""}}}; }

SlotInfo slot_at(uint64_t restart) { return {"daruma", true, {restart}, 0}; }

std::string place(const std::vector<LogRange>& ranges, const TimelineWay& way, const SlotInfo& slot) {
  const CapturePlace found =
      leave_ended_timelines(find_place(ranges, way, slot, {kEnd}, kSegment), way, kSegment);
  return std::to_string(found.timeline) + " at " + std::to_string(found.start.value / kMiB) + " MiB" +
         (found.start.value % kMiB ? " and more" : "") +
         (found.held_to >= found.start && !found.held_to.is_none() ? ", held" : "");
}

TEST(CaptureGoesOn, WhereTheSlotBeginsWhenTheLogIsEmpty) {
  EXPECT_EQ(place({}, first_timeline(), slot_at(mib(5) + 9)), "1 at 5 MiB");
  EXPECT_EQ(place({}, first_timeline(), slot_at(0)), "1 at 90 MiB");
}

TEST(CaptureGoesOn, NotBeforeTheServersTimelineBeganWhenTheLogIsEmpty) {
  EXPECT_EQ(place({}, after_promotions(), slot_at(mib(5))), "3 at 30 MiB");
}

TEST(CaptureGoesOn, AtTheSegmentInWhichTheLogEnds) {
  EXPECT_EQ(place({{1, mib(2), mib(7) + 9}}, first_timeline(), slot_at(mib(7))), "1 at 7 MiB, held");
}

TEST(CaptureGoesOn, InAHoleBeforeNewerLogWhileTheSlotKeepsIt) {
  const std::vector<LogRange> ranges{{1, mib(2), mib(7)}, {1, mib(12), mib(13)}};
  EXPECT_EQ(place(ranges, first_timeline(), slot_at(mib(7))), "1 at 7 MiB, held");
  EXPECT_EQ(place(ranges, first_timeline(), slot_at(mib(3))), "1 at 7 MiB, held");
  EXPECT_EQ(place(ranges, first_timeline(), slot_at(mib(9))), "1 at 9 MiB");
}

TEST(CaptureGoesOn, BehindAHoleThatTheSlotNoLongerKeeps) {
  const std::vector<LogRange> ranges{{1, mib(2), mib(7)}, {1, mib(12), mib(13)}};
  EXPECT_EQ(place(ranges, first_timeline(), slot_at(mib(12))), "1 at 13 MiB, held");
  EXPECT_EQ(place(ranges, first_timeline(), slot_at(0)), "1 at 13 MiB, held");
}

TEST(CaptureGoesOn, WithTheNextTimelineNotTheServersWhenItWasPromotedTwice) {
  EXPECT_EQ(place({{1, mib(2), mib(20) + 500}}, after_promotions(), slot_at(mib(2))), "2 at 20 MiB");
}

TEST(CaptureGoesOn, WithTheRestOfAnOldTimelineAtASegmentsFirstByte) {
  EXPECT_EQ(place({{1, mib(2), mib(9) + 77}}, after_promotions(), slot_at(0)), "1 at 9 MiB, held");
}

TEST(CaptureGoesOn, WithTheNewTimelineWhenTheOldOneIsHeldBeyondTheSwitch) {
  EXPECT_EQ(place({{1, mib(2), mib(40)}}, after_promotions(), slot_at(mib(30))), "2 at 20 MiB");
}

TEST(CaptureGoesOn, WithTheServersTimelineWhenTheLogHasOneThatWasAbandoned) {
  const std::vector<LogRange> ranges{{1, mib(2), mib(20)}, {2, mib(15), mib(25)}};
  EXPECT_EQ(place(ranges, recovered_again_from_the_first(), slot_at(mib(10))), "3 at 10 MiB");
}

TEST(CaptureGoesOn, BehindItsOwnTimelineThoughTheSlotIsStillOnItsParent) {
  const std::vector<LogRange> ranges{{1, mib(2), mib(20)}, {3, mib(10), mib(25)}};
  EXPECT_EQ(place(ranges, recovered_again_from_the_first(), slot_at(mib(4))), "3 at 25 MiB, held");
}

}  // namespace
}  // namespace daruma::postgres
