// Which recovery point a wish comes to. The server's life is told by WalStory; all times are of one day.
#include "datastore/postgres/points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datastore/postgres/wal_story.h"

namespace daruma::postgres {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kMoreThanASegment = 1'300'000;

std::string show(const std::optional<Lsn>& lsn) { return lsn ? to_string(*lsn) : "the end of the log"; }
std::string show(const std::optional<Instant>& time) { return time ? to_rfc3339(*time) : "never"; }

struct PointsTest : testing::Test {
  WalStory server;
  Instant now = at(23, 0);
  Catalog catalog;

  void hold() { catalog = server.catalog(); }
  Result<RecoveryPoint> ask(const std::string& text, Timeline timeline = 0) {
    if (!catalog.log) hold();
    const auto wish = parse_wish(text);
    EXPECT_TRUE(wish.ok()) << wish.error().what;
    return resolve(catalog, *wish, timeline, now);
  }
  RecoveryPoint point(const std::string& text, Timeline timeline = 0) {
    auto result = ask(text, timeline);
    if (result.ok()) return *std::move(result);
    ADD_FAILURE() << text << ": " << result.error().what << " / " << result.error().hint;
    return {};
  }
  std::string stop(const std::string& text, Timeline timeline = 0) {
    return show(point(text, timeline).stop_before);
  }
  Error error(const std::string& text, Timeline timeline = 0) {
    const auto result = ask(text, timeline);
    EXPECT_FALSE(result.ok()) << text << " stops before " << (result.ok() ? show(result->stop_before) : "");
    return result.ok() ? Error{} : result.error();
  }
  void expect_error(const std::string& text, Errc code, const std::string& what,
                    const std::string& hint = {}) {
    const Error got = error(text);
    EXPECT_EQ(got.code, code) << got.what;
    EXPECT_THAT(got.what, HasSubstr(what));
    EXPECT_THAT(got.hint, HasSubstr(hint));
  }
  size_t snapshot_of(const RecoveryPoint& point) const {
    return static_cast<size_t>(point.snapshot - catalog.snapshots.data());
  }
  FakeLog& log() { return dynamic_cast<FakeLog&>(*catalog.log); }
};

// A snapshot at 10:00, then transactions 701, 702, 703 at 10:01, 10:02, 10:03.
struct OneMorning : PointsTest {
  OneMorning() {
    server.commit(700, at(9, 59));
    server.snapshot(at(10, 0));
    first = server.commit(701, at(10, 1));
    second = server.commit(702, at(10, 2));
    third = server.commit(703, at(10, 3));
    end = server.position();
  }
  Lsn first, second, third, end;
};

TEST_F(OneMorning, LatestGoesToTheEndOfTheLog) {
  const RecoveryPoint latest = point("latest");
  EXPECT_EQ(show(latest.stop_before), "the end of the log");
  EXPECT_EQ(latest.end_of_log, end);
  EXPECT_EQ(latest.last_record, third);
  EXPECT_EQ(show(latest.last_commit), "2026-11-22T10:03:00Z");
  EXPECT_EQ(latest.timeline, 1u);
  EXPECT_THAT(latest.notes, IsEmpty());
}

TEST_F(OneMorning, ExactlyAtACommitTheCommitIsThere) { EXPECT_EQ(stop("2026-11-22T10:02:00Z"), show(third)); }
TEST_F(OneMorning, JustBeforeACommitItIsNot) { EXPECT_EQ(stop("before:2026-11-22T10:02:00Z"), show(second)); }
TEST_F(OneMorning, BetweenCommitsTheLaterOneIsNot) {
  EXPECT_EQ(stop("2026-11-22T10:01:59.999999Z"), show(second));
  EXPECT_EQ(stop("before:2026-11-22T10:02:00.000001Z"), show(third));
}

TEST_F(OneMorning, APointSaysWhatWillBeThere) {
  const RecoveryPoint two = point("2026-11-22T10:02:30Z");
  EXPECT_EQ(show(two.last_commit), "2026-11-22T10:02:00Z");
  EXPECT_EQ(two.last_record, second);
  EXPECT_EQ(two.end_of_log, end);
  ASSERT_EQ(two.way.size(), 1u);
  EXPECT_EQ(to_string(two.way[0].from), "0/100000");
  EXPECT_GT(two.way[0].to, third) << "PostgreSQL has to read the record it stops before";
  EXPECT_EQ(two.wal_bytes, two.way[0].to - two.way[0].from);
}

TEST_F(OneMorning, AfterTheLastCommitItGoesToTheEndAndSaysSo) {
  const RecoveryPoint later = point("2026-11-22T10:06:00Z");
  EXPECT_EQ(show(later.stop_before), "the end of the log");
  EXPECT_THAT(later.notes, ElementsAre("2026-11-22T10:06:00Z is 3 min 0 s after the last commit held "
                                       "(2026-11-22T10:03:00Z); recovering to the end of the log"));
}

TEST_F(OneMorning, TheFutureIsRefused) {
  now = at(10, 5);
  expect_error("2026-11-22T10:06:00Z", Errc::kInvalid,
               "2026-11-22T10:06:00Z is in the future; the log held ends at 2026-11-22T10:03:00Z",
               "--at latest");
}

TEST_F(OneMorning, BeforeTheFirstSnapshotNothingCanBeRecovered) {
  expect_error("2026-11-22T09:58:00Z", Errc::kNotFound, "is before anything that can be recovered",
               "the earliest moment is --at 2026-11-22T10:00:00Z");
  expect_error("lsn:0/100028", Errc::kNotFound, "is before anything that can be recovered");
  EXPECT_EQ(stop("2026-11-22T10:00:00Z"), show(first));
}

TEST_F(OneMorning, ByTransactionItsEndIsThereOrNot) {
  EXPECT_EQ(stop("xid:702"), show(third));
  EXPECT_EQ(stop("before:xid:702"), show(second));
  EXPECT_EQ(stop("xid:703"), "the end of the log");
  EXPECT_EQ(point("xid:702").last_record, second);
}

TEST_F(OneMorning, ATransactionThatIsNotThereNamesTheRangeSearched) {
  expect_error("xid:999", Errc::kNotFound,
               "the end of transaction 999 is not in the log held of bookings: timeline 1 from 0/100000 to " +
                   to_string(end));
}

TEST_F(OneMorning, ByPositionTheRecordThereIsIncluded) {
  EXPECT_EQ(stop("lsn:" + to_string(second)), show(third));
  EXPECT_EQ(stop("lsn:" + to_string(second + 8)), show(third));
  EXPECT_EQ(stop("before:lsn:" + to_string(second)), show(second));
  EXPECT_EQ(stop("lsn:" + to_string(third)), "the end of the log");
  EXPECT_EQ(stop("lsn:" + to_string(end)), "the end of the log");
}

TEST_F(OneMorning, APositionPastTheEndIsNotFound) {
  expect_error("lsn:0/900000", Errc::kNotFound,
               "0/900000 is past the end of the log held: timeline 1 is held to " + to_string(end),
               "--at latest");
}

TEST_F(OneMorning, ATimelineThatIsNotHeldIsNotFound) {
  const Error unknown = error("latest", 7);
  EXPECT_EQ(unknown.code, Errc::kNotFound);
  EXPECT_EQ(unknown.what, "no WAL of timeline 7 of bookings is held");
  EXPECT_EQ(unknown.hint, "held is timeline 1");
}

TEST_F(PointsTest, AbortsStopTimeToo) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 1));
  const Lsn abort = server.abort(702, at(10, 3));
  server.commit(703, at(10, 4));
  EXPECT_EQ(stop("2026-11-22T10:02:00Z"), show(abort));
  EXPECT_THAT(point("xid:702").notes, ElementsAre("transaction 702 was rolled back"));
}

TEST_F(PointsTest, ALateCommitWithAnEarlierTimeDoesNotMatter) {
  server.snapshot(at(10, 0));
  const Lsn first_too_late = server.commit(701, at(10, 5));
  server.commit(702, at(10, 4));
  server.commit(703, at(10, 6));
  EXPECT_EQ(stop("2026-11-22T10:04:30Z"), show(first_too_late));
  EXPECT_EQ(show(point("latest").last_commit), "2026-11-22T10:06:00Z");
}

TEST_F(PointsTest, WithoutACommitAfterTheSnapshotThatIsSaid) {
  server.snapshot(at(10, 0));
  const RecoveryPoint latest = point("latest");
  EXPECT_EQ(show(latest.last_commit), "never");
  EXPECT_THAT(
      point("2026-11-22T10:30:00Z").notes,
      ElementsAre("no commit after the snapshot is held by 2026-11-22T10:30:00Z; recovering to the end of "
                  "the log"));
}

// Snapshots.

TEST_F(PointsTest, TheNewestSnapshotBeforeThePointIsUsed) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 30));
  server.commit(700, at(10, 40));
  server.snapshot(at(11, 0));
  server.commit(702, at(11, 30));
  EXPECT_EQ(snapshot_of(point("2026-11-22T10:30:00Z")), 0u);
  EXPECT_EQ(snapshot_of(point("2026-11-22T11:30:00Z")), 1u);
  EXPECT_EQ(snapshot_of(point("latest")), 1u);
  EXPECT_EQ(snapshot_of(point("xid:701")), 0u);
}

TEST_F(PointsTest, ALaterSnapshotServesWhenNothingHappenedInBetween) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 30));
  server.snapshot(at(11, 0));
  server.commit(702, at(11, 30));
  EXPECT_EQ(snapshot_of(point("2026-11-22T10:45:00Z")), 1u);
  EXPECT_EQ(snapshot_of(point("2026-11-22T10:29:00Z")), 0u);
}

TEST_F(PointsTest, ASnapshotThatHoldsALaterCommitIsNotUsedWhateverItsClockSays) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 30));
  const Lsn later = server.commit(702, at(11, 10));
  server.next_segment();
  server.snapshot(at(10, 55));
  server.commit(703, at(11, 30));
  const RecoveryPoint between = point("2026-11-22T11:00:00Z");
  EXPECT_EQ(snapshot_of(between), 0u);
  EXPECT_EQ(show(between.stop_before), show(later));
}

TEST_F(PointsTest, ACommitBetweenTheSnapshotsEndAndItsLastByteStoredCanBeRecovered) {
  server.snapshot(at(10, 0), at(10, 10));
  server.commit(701, at(10, 5));
  const Lsn next = server.commit(702, at(10, 20));
  EXPECT_EQ(stop("2026-11-22T10:05:00Z"), show(next));
}

TEST_F(PointsTest, ImmediateIsTheNewestSnapshotAndNoMore) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 30));
  server.snapshot(at(11, 0));
  server.commit(702, at(11, 30));
  const RecoveryPoint soon = point("immediate");
  EXPECT_TRUE(soon.immediate);
  EXPECT_EQ(snapshot_of(soon), 1u);
  EXPECT_EQ(soon.way.back().to, soon.snapshot->meta.end);
  EXPECT_EQ(soon.end_of_log, soon.snapshot->meta.end);
  EXPECT_EQ(show(soon.last_commit), "never");
}

TEST_F(PointsTest, ASnapshotWithoutItsWalIsPassedOver) {
  server.snapshot(at(10, 0));
  const Lsn kept = server.commit(701, at(10, 30));
  hold();
  catalog.snapshots.push_back(catalog.snapshots.front());
  catalog.snapshots.back().meta.start = {0x300028};
  catalog.snapshots.back().meta.end = {0x300100};
  const RecoveryPoint soon = point("immediate");
  EXPECT_EQ(snapshot_of(soon), 0u);
  EXPECT_EQ(soon.notes.size(), 1u);
  EXPECT_EQ(point("latest").last_record, kept);
}

// Restore points.

TEST_F(PointsTest, ARestorePointIsReachedByName) {
  server.snapshot(at(10, 0));
  const Lsn named = server.restore_point("before the migration", at(10, 1));
  const Lsn next = server.work(100);
  EXPECT_EQ(stop("name:before the migration"), show(next));
  EXPECT_EQ(stop("before:name:before the migration"), show(named));
}

TEST_F(PointsTest, AnUnknownRestorePointListsThoseThatAreThere) {
  server.snapshot(at(10, 0));
  server.restore_point("monday", at(10, 1));
  server.restore_point("tuesday", at(10, 2));
  expect_error("name:wednesday", Errc::kNotFound,
               "restore point 'wednesday' is not in the log held of bookings",
               "the log held has 'monday', 'tuesday'");
}

TEST_F(PointsTest, ARestorePointThatIsThereTwiceIsAmbiguous) {
  server.snapshot(at(10, 0));
  const Lsn one = server.restore_point("deploy", at(10, 1));
  const Lsn two = server.restore_point("deploy", at(11, 1));
  expect_error("name:deploy", Errc::kRefused,
               "restore point 'deploy' is 2 times in the log of bookings: 2026-11-22T10:01:00Z at " +
                   to_string(one) + " (timeline 1), 2026-11-22T11:01:00Z at " + to_string(two) +
                   " (timeline 1)",
               "--at lsn:" + to_string(one));
}

// Timelines.

// Snapshot 10:00, commits 10:01 and 10:02; promoted at 10:10; commit 10:11.
TEST_F(PointsTest, LatestFollowsAPromotion) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 1));
  server.work(kMoreThanASegment);
  server.commit(702, at(10, 2));
  server.promote(at(10, 10));
  const Lsn last = server.commit(703, at(10, 11));
  const RecoveryPoint latest = point("latest");
  EXPECT_EQ(latest.timeline, 2u);
  EXPECT_EQ(latest.last_record, last);
  ASSERT_EQ(latest.way.size(), 2u);
  EXPECT_EQ(latest.way[0].timeline, 1u);
  EXPECT_EQ(to_string(latest.way[0].to), "0/200000")
      << "the segment of the switch comes from the new timeline";
  EXPECT_EQ(latest.way[1].timeline, 2u);
  EXPECT_EQ(latest.way[1].from, latest.way[0].to);
}

TEST_F(PointsTest, ATimelineOfWhichOnlyTheParentsBytesAreHeldIsNotChosen) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 1));
  const Lsn end = server.position();
  server.promote(at(10, 10));
  hold();
  catalog.histories[2].back().left_at = end + (1 << 20);
  EXPECT_EQ(point("latest").timeline, 1u);
}

struct AnUndo : PointsTest {
  // Bookings until 10:05, deleted at 10:20. At 10:30 back to the moment before; on from 10:31.
  AnUndo() {
    server.snapshot(at(10, 0));
    server.commit(701, at(10, 5));
    server.work(kMoreThanASegment);
    const auto before = server.here();
    damage = server.commit(702, at(10, 20));
    server.commit(703, at(10, 21));
    server.undo_to(before, at(10, 30));
    server.commit(704, at(10, 31));
    repaired = server.commit(705, at(10, 32));
  }
  Lsn damage, repaired;
};

TEST_F(AnUndo, LatestIsTheNewTimeline) {
  EXPECT_EQ(point("latest").timeline, 2u);
  EXPECT_EQ(point("latest").last_record, repaired);
}

TEST_F(AnUndo, ATimeBeforeItIsOfTheOldTimeline) {
  const RecoveryPoint old = point("2026-11-22T10:20:00Z");
  EXPECT_EQ(old.timeline, 1u);
  EXPECT_EQ(show(old.last_commit), "2026-11-22T10:20:00Z");
  EXPECT_EQ(stop("2026-11-22T10:19:00Z"), show(damage));
  EXPECT_EQ(show(point("2026-11-22T10:25:00Z").last_commit), "2026-11-22T10:21:00Z");
}

TEST_F(AnUndo, ATimeAfterItIsOfTheNewTimeline) {
  const RecoveryPoint after = point("2026-11-22T10:31:30Z");
  EXPECT_EQ(after.timeline, 2u);
  EXPECT_EQ(show(after.last_commit), "2026-11-22T10:31:00Z");
  EXPECT_EQ(show(after.stop_before), show(repaired));
}

TEST_F(PointsTest, ABirthKnownToTheSecondIsAtTheEndOfThatSecondOrAtTheFirstCommit) {
  server.snapshot(at(10, 0));
  const auto before = server.here();
  server.commit(701, at(10, 30, 0, 100'000));
  server.undo_to(before, at(10, 30, 0, 400'000));
  server.commit(702, at(10, 30, 0, 700'000));
  EXPECT_EQ(point("2026-11-22T10:30:00.2Z").timeline, 1u);
  EXPECT_EQ(point("2026-11-22T10:30:00.7Z").timeline, 2u);
}

TEST_F(AnUndo, TheOldTimelineCanBeAskedFor) {
  EXPECT_EQ(show(point("latest", 1).last_commit), "2026-11-22T10:21:00Z");
  EXPECT_EQ(point("2026-11-22T10:45:00Z", 1).timeline, 1u);
}

TEST_F(AnUndo, TransactionsOfBothTimelinesAreFound) {
  EXPECT_EQ(point("xid:702").timeline, 1u);
  EXPECT_EQ(point("xid:704").timeline, 2u);
  EXPECT_EQ(point("xid:701").timeline, 1u) << "what both have in common is found once";
  EXPECT_EQ(error("xid:704", 1).code, Errc::kNotFound);
}

TEST_F(AnUndo, APositionThatBothTimelinesHaveIsAmbiguous) {
  expect_error("lsn:" + to_string(damage + 8), Errc::kRefused,
               "is a position on timelines 1 and 2 of bookings", "--timeline N");
  EXPECT_EQ(point("lsn:" + to_string(damage + 8), 1).timeline, 1u);
}

TEST_F(AnUndo, TheEndOfTheLongerTimelineIsAPositionOnIt) {
  const auto old_end = server.position();
  server.go_on_with(1);
  server.work(10'000);
  EXPECT_GT(server.position(), old_end);
  EXPECT_EQ(point("lsn:" + to_string(server.position())).timeline, 1u);
}

TEST_F(AnUndo, ASecondUndoForgetsTheFirst) {
  const auto before = server.here();
  server.commit(706, at(10, 50));
  server.undo_to(before, at(10, 55));
  server.commit(707, at(10, 56));
  EXPECT_EQ(point("latest").timeline, 3u);
  EXPECT_EQ(point("2026-11-22T10:50:00Z").timeline, 2u);
  EXPECT_EQ(point("2026-11-22T10:20:00Z").timeline, 1u);
  EXPECT_EQ(show(point("2026-11-22T10:55:30Z").last_commit), "2026-11-22T10:32:00Z");
}

TEST_F(PointsTest, ASnapshotAfterTheBranchIsNotUsedForTheNewTimeline) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 5));
  const auto before = server.here();
  server.commit(702, at(10, 20));
  server.snapshot(at(10, 21));
  server.undo_to(before, at(10, 30));
  server.commit(703, at(10, 31));
  server.work(10'000);
  EXPECT_EQ(snapshot_of(point("latest")), 0u);
  EXPECT_EQ(snapshot_of(point("latest", 1)), 1u);
}

TEST_F(PointsTest, AfterASplitBrainLatestIsAmbiguous) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 1));
  server.promote(at(10, 10));
  server.commit(702, at(10, 20));
  server.go_on_with(1);
  server.commit(702, at(10, 15));
  server.commit(703, at(10, 16));
  expect_error("latest", Errc::kRefused,
               "several timelines of bookings lived at the same time: timeline 1 until 2026-11-22T10:16:00Z, "
               "timeline 2 since 2026-11-22T10:10:00Z",
               "--timeline N");
  EXPECT_EQ(error("2026-11-22T10:15:30Z").code, Errc::kRefused);
  EXPECT_EQ(point("2026-11-22T10:14:00Z").timeline, 2u);
  EXPECT_EQ(show(point("latest", 1).last_commit), "2026-11-22T10:16:00Z");
  EXPECT_EQ(show(point("latest", 2).last_commit), "2026-11-22T10:20:00Z");
  expect_error("xid:702", Errc::kRefused, "the end of transaction 702 is 2 times in the log");
}

// Holes and damage.

// A hole of one segment between 10:10 and 10:20; a new snapshot at 10:30.
struct AHole : PointsTest {
  AHole() {
    server.snapshot(at(10, 0));
    server.commit(701, at(10, 10));
    server.next_segment();
    server.lose_segment_of(server.commit(702, at(10, 15)));
    server.next_segment();
    server.commit(703, at(10, 20));
  }
};

TEST_F(AHole, OnTheWayIsNamedWithWhatCanBeRecovered) {
  expect_error(
      "latest", Errc::kNotFound,
      "the WAL of bookings has a hole: 0/200000 to 0/300000 of timeline 1 is missing; before it can be "
      "recovered up to 0/200000, the last commit there is of 2026-11-22T10:10:00Z",
      "--at 2026-11-22T10:10:00Z");
  EXPECT_EQ(error("2026-11-22T10:12:00Z").code, Errc::kNotFound);
  EXPECT_EQ(error("2026-11-22T10:20:00Z").code, Errc::kNotFound);
  EXPECT_EQ(error("xid:703").code, Errc::kNotFound);
  EXPECT_THAT(error("lsn:0/200100").what, HasSubstr("0/200000 to 0/300000 of timeline 1 is missing"));
}

TEST_F(AHole, WhatTheHintSaysCanBeRecovered) {
  const RecoveryPoint before = point("2026-11-22T10:10:00Z");
  EXPECT_EQ(to_string(before.end_of_log), "0/200000");
  EXPECT_EQ(show(before.last_commit), "2026-11-22T10:10:00Z");
  EXPECT_EQ(show(point("xid:701").last_commit), "2026-11-22T10:10:00Z");
}

TEST_F(AHole, ANewSnapshotLeadsOn) {
  server.snapshot(at(10, 30));
  server.commit(704, at(10, 40));
  EXPECT_EQ(snapshot_of(point("latest")), 1u);
  EXPECT_EQ(snapshot_of(point("2026-11-22T10:35:00Z")), 1u);
  EXPECT_EQ(error("2026-11-22T10:17:00Z").code, Errc::kNotFound) << "the hole may hide what came first";
}

TEST_F(PointsTest, BehindAHoleASnapshotIsNotUsedForATimeThatTheHoleMayHide) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 10));
  server.next_segment();
  server.lose_segment_of(server.commit(702, at(10, 25)));
  server.next_segment();
  server.snapshot(at(10, 30));
  server.commit(703, at(10, 40));
  EXPECT_THAT(error("2026-11-22T10:20:00Z").what, HasSubstr("has a hole"));
  EXPECT_EQ(snapshot_of(point("2026-11-22T10:30:00Z")), 1u);
}

TEST_F(PointsTest, ASnapshotIsNotUsedForATimeThatDamageMayHide) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 10));
  server.next_segment();
  const Lsn hit = server.commit(702, at(10, 20));
  server.next_segment();
  server.snapshot(at(10, 30));
  server.commit(703, at(10, 40));
  hold();
  log().spoil(1, hit + 20);
  EXPECT_EQ(error("2026-11-22T10:15:00Z").code, Errc::kCorrupt);
  EXPECT_EQ(snapshot_of(point("2026-11-22T10:35:00Z")), 1u);
}

TEST_F(PointsTest, DamageOnTheWayIsAnErrorWithItsPosition) {
  server.snapshot(at(10, 0));
  const Lsn hit = server.commit(701, at(10, 1));
  server.commit(702, at(10, 2));
  hold();
  log().spoil(1, hit + 20);
  const Error damaged = error("2026-11-22T10:01:30Z");
  EXPECT_EQ(damaged.code, Errc::kCorrupt);
  EXPECT_THAT(damaged.what, HasSubstr(to_string(hit)));
}

TEST_F(PointsTest, DamageThatMayHideTheStopIsAnError) {
  server.snapshot(at(10, 0));
  server.next_segment();
  const Lsn hit = server.commit(701, at(10, 30));
  server.next_segment();
  server.commit(702, at(10, 12));
  server.commit(703, at(10, 40));
  hold();
  log().spoil(1, hit + 20);
  EXPECT_EQ(error("2026-11-22T10:20:00Z").code, Errc::kCorrupt);
}

// Records that span pieces, and reading little.

TEST_F(PointsTest, ARecordThatSpansPiecesIsFoundInTheOneWhereItEnds) {
  server.snapshot(at(10, 0));
  server.commit(701, at(10, 1));
  server.work(3 * kMoreThanASegment);
  const Lsn next = server.commit(702, at(10, 2));
  server.work(kMoreThanASegment);
  EXPECT_EQ(stop("xid:701").substr(0, 4), "0/10");
  EXPECT_EQ(stop("2026-11-22T10:01:30Z"), show(next));
  EXPECT_EQ(point("2026-11-22T10:01:30Z").last_record->value >> 20, 1u);
}

TEST_F(PointsTest, ACommitRecordCutByAPieceBoundaryIsFound) {
  server.snapshot(at(10, 0));
  while (server.room_in_segment() > 8000) server.work(500);
  server.fill_until(16);
  const Lsn cut = server.commit(701, at(10, 1));
  server.commit(702, at(10, 2));
  server.work(2 * kMoreThanASegment);
  EXPECT_EQ(cut.value % (1 << 20), (1 << 20) - 16u);
  EXPECT_EQ(stop("before:xid:701"), show(cut));
  EXPECT_EQ(stop("before:2026-11-22T10:01:00Z"), show(cut));
}

TEST_F(PointsTest, APieceWhoseWriterHadNotSeenWhereItsFirstRecordBeganIsRead) {
  server.snapshot(at(10, 0));
  while (server.room_in_segment() > 8000) server.work(500);
  server.fill_until(16);
  const Lsn cut = server.commit(701, at(10, 1));
  server.work(2 * kMoreThanASegment);
  server.restart_daruma_before_every_piece();
  EXPECT_EQ(stop("before:2026-11-22T10:01:00Z"), show(cut));
  EXPECT_EQ(show(point("latest").last_commit), "2026-11-22T10:01:00Z");
}

TEST_F(PointsTest, PiecesThatCannotMatterAreNotRead) {
  server.snapshot(at(10, 0));
  for (int minute = 1; minute < 20; ++minute) {
    server.commit(700 + static_cast<uint32_t>(minute), at(10, minute));
    server.next_segment();
  }
  hold();
  point("2026-11-22T10:10:30Z");
  EXPECT_LE(log().segments_read.size(), 4u);
}

// What is there at all.

TEST_F(AnUndo, SpansSayWhatIsHeldOfEachTimeline) {
  hold();
  const auto spans = log_spans(catalog);
  ASSERT_TRUE(spans.ok());
  ASSERT_EQ(spans->size(), 2u);
  EXPECT_EQ((*spans)[0].timeline, 1u);
  EXPECT_EQ(show((*spans)[0].from_time), "2026-11-22T10:05:00Z");
  EXPECT_EQ(show((*spans)[0].to_time), "2026-11-22T10:21:00Z");
  EXPECT_EQ((*spans)[1].timeline, 2u);
  EXPECT_EQ(to_string((*spans)[1].from), "0/200000");
  EXPECT_EQ(show((*spans)[1].to_time), "2026-11-22T10:32:00Z");
}

TEST_F(AHole, SpansAreApart) {
  hold();
  const auto spans = log_spans(catalog);
  ASSERT_TRUE(spans.ok());
  ASSERT_EQ(spans->size(), 2u);
  EXPECT_EQ(to_string((*spans)[0].to), "0/200000");
  EXPECT_EQ(to_string((*spans)[1].from), "0/300000");
  EXPECT_EQ(show((*spans)[1].from_time), "2026-11-22T10:20:00Z");
}

}  // namespace
}  // namespace daruma::postgres
