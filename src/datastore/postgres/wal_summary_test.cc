// What a piece of WAL is said to hold, also when records span pieces.
#include "datastore/postgres/wal_summary.h"

#include <gtest/gtest.h>

#include "datastore/postgres/test_data.h"
#include "datastore/postgres/wal_story.h"

namespace daruma::postgres {
namespace {

constexpr uint64_t kSegment = 1 << 20;

struct WalSummaryTest : testing::Test {
  WalTestBuilder wal;
  WalSummarizer summarize{{kSegment}};

  // The piece from `from` to `to`, counted from the first byte of the WAL.
  BytesView bytes(uint64_t from, uint64_t to) const {
    const BytesView all = wal.bytes();
    return all.subspan(from, std::min<uint64_t>(to, all.size()) - from);
  }
  WalSummary piece(uint64_t from, uint64_t to) {
    const auto summary = parse_summary(summarize(1, kSegment + from, bytes(from, to)));
    EXPECT_TRUE(summary.ok());
    return summary.ok() ? *summary : WalSummary{};
  }
  WalSummary segment(uint64_t number) { return piece(number * kSegment, (number + 1) * kSegment); }
};

TEST_F(WalSummaryTest, SaysHowManyCommitsAndBetweenWhichTimes) {
  wal.commit(701, at(10, 2));
  wal.abort(702, at(10, 1));
  wal.commit(703, at(10, 3));
  const WalSummary summary = segment(0);
  EXPECT_EQ(summary.commits, 2u);
  EXPECT_EQ(summary.first_time, at(10, 1));
  EXPECT_EQ(summary.last_time, at(10, 3));
  EXPECT_FALSE(summary.head_unknown);
  EXPECT_FALSE(summary.damaged);
}

TEST_F(WalSummaryTest, WithoutTransactionsThereAreNoTimes) {
  wal.other(100);
  EXPECT_EQ(segment(0).commits, 0u);
  EXPECT_FALSE(segment(0).first_time);
  EXPECT_EQ(print_summary(segment(0)), R"({"commits":0})");
}

TEST_F(WalSummaryTest, KeepsRestorePointsWhole) {
  const Lsn start = wal.restore_point("name \xff \"quoted\"", at(10, 1));
  const WalSummary summary = segment(0);
  ASSERT_EQ(summary.marks.size(), 1u);
  EXPECT_EQ(summary.marks[0].kind, WalEvent::Kind::kRestorePoint);
  EXPECT_EQ(summary.marks[0].name, "name \xff \"quoted\"");
  EXPECT_EQ(summary.marks[0].start, start);
  EXPECT_EQ(summary.marks[0].time, at(10, 1));
}

TEST_F(WalSummaryTest, ARecordBelongsToThePieceInWhichItEnds) {
  while (wal.segment_left() > 8000 || wal.segment_left() == 0) wal.other(500);
  wal.fill_page_until(16);
  wal.commit(701, at(10, 1));
  wal.other(100);
  EXPECT_EQ(segment(0).commits, 0u);
  const WalSummary second = segment(1);
  EXPECT_EQ(second.commits, 1u);
  EXPECT_FALSE(second.head_unknown);
}

TEST_F(WalSummaryTest, APieceThatBeginsInsideAnUnknownRecordSaysSo) {
  wal.other(kSegment + 1000);
  wal.commit(701, at(10, 1));
  EXPECT_TRUE(segment(1).head_unknown);
  EXPECT_EQ(segment(1).commits, 1u);
}

TEST_F(WalSummaryTest, ARecordLongerThanAPieceHidesBothPiecesItContinuesIn) {
  wal.other(2 * kSegment + 1000);
  wal.commit(701, at(10, 1));
  wal.other(kSegment);
  EXPECT_TRUE(segment(1).head_unknown);
  EXPECT_TRUE(segment(2).head_unknown);
  EXPECT_FALSE(segment(3).head_unknown);
}

TEST_F(WalSummaryTest, PiecesMayBeShorterThanSegments) {
  wal.other(20'000);
  wal.commit(701, at(10, 1));
  wal.other(50'000);
  EXPECT_EQ(piece(0, 16'384).commits, 0u);
  const WalSummary second = piece(16'384, 65'536);
  EXPECT_EQ(second.commits, 1u);
  EXPECT_FALSE(second.head_unknown);
}

TEST_F(WalSummaryTest, APieceInsideASegmentWithNothingBeforeItIsUnknown) {
  wal.other(50'000);
  EXPECT_TRUE(piece(16'384, 32'768).head_unknown);
}

TEST_F(WalSummaryTest, DamageIsSaidAndEndsWithThePiece) {
  wal.commit(701, at(10, 1));
  const Lsn hit = wal.commit(702, at(10, 2));
  wal.other(1000);
  wal.switch_segment();
  wal.commit(703, at(10, 3));
  Bytes spoiled = to_bytes(bytes(0, kSegment));
  spoiled[hit.value - kSegment + 30] ^= std::byte{1};
  const auto first = parse_summary(summarize(1, kSegment, spoiled));
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->damaged);
  EXPECT_EQ(first->commits, 1u);
  EXPECT_FALSE(segment(1).damaged);
  EXPECT_EQ(segment(1).commits, 1u);
}

TEST_F(WalSummaryTest, ANewTimelineStartsAfresh) {
  wal.other(kSegment);
  segment(0);
  const auto child = parse_summary(summarize(2, 2 * kSegment, bytes(kSegment, 2 * kSegment)));
  ASSERT_TRUE(child.ok());
  EXPECT_TRUE(child->head_unknown);
}

TEST_F(WalSummaryTest, OfARealPromotion) {
  Bytes real = test_bytes("wal/promoted.wal");
  real.resize(kSegment);
  const auto summary = parse_summary(summarize(2, 0xF00000, real));
  ASSERT_TRUE(summary.ok());
  EXPECT_GT(summary->commits, 0u);
  ASSERT_FALSE(summary->marks.empty());
  EXPECT_EQ(summary->marks[0].kind, WalEvent::Kind::kEndOfRecovery);
  EXPECT_EQ(summary->marks[0].timeline, 2u);
  EXPECT_EQ(summary->marks[0].previous_timeline, 1u);
}

TEST(WalSummaryTextTest, UnknownKeysAndMarksAreIgnored) {
  const auto summary =
      parse_summary(R"({"commits":3,"new":{},"marks":[{"kind":"something","start_lsn":"0/1"}]})");
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->commits, 3u);
  EXPECT_TRUE(summary->marks.empty());
}

TEST(WalSummaryTextTest, WhatIsNotASummaryIsCorrupt) {
  for (const char* text : {"", "[]", "{}", R"({"commits":-1})", R"({"commits":1,"marks":[{}]})",
                           R"({"commits":1,"first_time":"2026-11-22T10:00:00Z"})"})
    EXPECT_TRUE(parse_summary(text).is(Errc::kCorrupt)) << text;
}

}  // namespace
}  // namespace daruma::postgres
