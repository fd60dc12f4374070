// What a repository knows of a datastore, and points resolved from WAL that a real server wrote: work, a
// promotion at 05:49:25.27, and a little more (tests/data/README.md).
#include <gmock/gmock.h>

#include "datastore/postgres/points.h"
#include "datastore/postgres/test_data.h"
#include "repository/log_testing.h"

namespace daruma::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kSegment = 1 << 20;
constexpr Lsn kSwitch{0xF021A8};

struct CatalogTest : LogFixture {
  // What is said to be a snapshot, around the online checkpoint.
  static SnapshotMeta meta(uint64_t system_identifier = 0x68f3) {
    SnapshotMeta meta;
    meta.system_identifier = system_identifier;
    meta.timeline = 1;
    meta.start = {0xE065E8};
    meta.end = {0xE06698};
    meta.started = *parse_rfc3339("2026-11-22T05:49:23.74Z");
    meta.ended = *parse_rfc3339("2026-11-22T05:49:23.75Z");
    meta.segment_size = {kSegment};
    return meta;
  }
  void commit(const std::string& text, const std::string& datastore = "bookings") {
    Commit commit;
    commit.datastore = datastore;
    commit.kind = "full";
    commit.meta = text;
    ASSERT_TRUE(repository->append_commit(WriterId{}, commit, {}).ok());
  }
  void capture_real_wal() {
    WalSummarizer summarizer({kSegment});
    LogWriter::Options to;
    to.stream = stream;
    to.receiver = "here";
    to.piece_bytes = kSegment;
    to.seal_in_background = false;
    to.summarize = [&](Branch timeline, uint64_t position, BytesView bytes) {
      return summarizer(timeline, position, bytes);
    };
    auto log = *LogWriter::open(*repository, to);
    Bytes work = test_bytes("wal/work.wal");
    work.resize(kSegment);
    const Bytes promoted = test_bytes("wal/promoted.wal");
    const BytesView before = BytesView(promoted).first(kSwitch.value % kSegment);
    ASSERT_TRUE(log->append(1, 0xE00000, work).ok());
    ASSERT_TRUE(log->append(1, 0xF00000, before).ok());
    ASSERT_TRUE(log->close_piece().ok());
    ASSERT_TRUE(log->put_history(2, test_bytes("wal/00000002.history")).ok());
    ASSERT_TRUE(log->append(2, 0xF00000, promoted).ok());
    ASSERT_TRUE(log->sync().ok());
  }
  Result<Catalog> load(const std::string& datastore = "bookings", std::optional<uint64_t> incarnation = {}) {
    return load_catalog(*repository, datastore, incarnation);
  }
};

TEST_F(CatalogTest, WithoutASnapshotThereIsNothing) {
  commit(print_meta(meta()), "users");
  const auto none = load("bookings");
  ASSERT_TRUE(none.is(Errc::kNotFound));
  EXPECT_EQ(none.error().what, "the repository has no snapshot of 'bookings'; it has some of: users");
  EXPECT_EQ(none.error().hint, "take one: daruma backup bookings");
}

TEST_F(CatalogTest, HoldsSnapshotsOldestFirstAndHistories) {
  capture_real_wal();
  commit(print_meta(meta()));
  clock.advance(1h);
  commit(print_meta(meta()));
  const auto catalog = load();
  ASSERT_TRUE(catalog.ok()) << catalog.error().what;
  ASSERT_EQ(catalog->snapshots.size(), 2u);
  EXPECT_LT(catalog->snapshots[0].stored.commit.time, catalog->snapshots[1].stored.commit.time);
  EXPECT_EQ(catalog->segment_size.bytes, kSegment);
  ASSERT_EQ(catalog->histories.at(2).size(), 1u);
  EXPECT_EQ(catalog->histories.at(2)[0].left_at, kSwitch);
}

TEST_F(CatalogTest, TheNewestIncarnationIsTakenUnlessAnotherIsAskedFor) {
  commit(print_meta(meta(0x1111)));
  clock.advance(1h);
  commit(print_meta(meta(0x2222)));
  EXPECT_EQ(load()->stream.incarnation, 0x2222u);
  EXPECT_EQ(load("bookings", 0x1111)->snapshots.size(), 1u);
  EXPECT_TRUE(load("bookings", 0x3333).is(Errc::kNotFound));
}

TEST_F(CatalogTest, ASnapshotThatDoesNotDescribeItselfIsLeftOutAndNamed) {
  commit("{}");
  commit(print_meta(meta()));
  const auto catalog = load();
  ASSERT_TRUE(catalog.ok());
  EXPECT_EQ(catalog->snapshots.size(), 1u);
  EXPECT_THAT(catalog->damage, ElementsAre(AllOf(HasSubstr("commits/"), HasSubstr("is left out"))));
}

struct RealPointsTest : CatalogTest {
  RealPointsTest() {
    capture_real_wal();
    commit(print_meta(meta()));
    auto loaded = load();
    EXPECT_TRUE(loaded.ok());
    catalog = *std::move(loaded);
  }
  // "timeline, stop, last commit"
  std::string ask(const std::string& text) {
    const auto point = resolve(catalog, *parse_wish(text), 0, *parse_rfc3339("2026-11-23T00:00:00Z"));
    if (!point.ok()) return point.error().what;
    return std::to_string(point->timeline) + ", " +
           (point->stop_before ? "before " + to_string(*point->stop_before) : "to the end") + ", " +
           (point->last_commit ? to_rfc3339(*point->last_commit).substr(17) : "no commit");
  }
  Catalog catalog;
};

TEST_F(RealPointsTest, TimesBeforeAndAfterThePromotion) {
  EXPECT_EQ(ask("2026-11-22T05:49:23.757776Z"), "1, before 0/E07BC0, 23.757776Z");
  EXPECT_EQ(ask("before:2026-11-22T05:49:23.757776Z"), "1, before 0/E07AB0, no commit");
  EXPECT_EQ(ask("2026-11-22T05:49:25Z"), "1, to the end, 24.777368Z");
  EXPECT_EQ(ask("2026-11-22T05:49:25.3Z"), "2, before 0/F05C00, 24.777368Z");
  EXPECT_EQ(ask("2026-11-22T05:50:00Z"), "2, to the end, 25.383613Z");
}

TEST_F(RealPointsTest, TransactionsRestorePointsAndPositions) {
  EXPECT_EQ(ask("latest"), "2, to the end, 25.383613Z");
  EXPECT_EQ(ask("xid:775"), "1, before 0/F02130, 24.777368Z");
  EXPECT_EQ(ask("before:xid:776"), "2, before 0/F05C00, 24.777368Z");
  EXPECT_EQ(ask("name:七転び八起き"), "1, before 0/E07B40, 23.757776Z");
  EXPECT_EQ(ask("lsn:0/E07AB0"), "1, before 0/E07AD8, 23.757776Z");
  EXPECT_EQ(ask("immediate"), "1, to the end, no commit");
}

TEST_F(RealPointsTest, WhatLiesBeforeTheSnapshotIsRefused) {
  EXPECT_THAT(ask("name:before the migration"), HasSubstr("is before anything that can be recovered"));
  EXPECT_THAT(ask("2026-11-22T05:49:23.73Z"), HasSubstr("is before anything that can be recovered"));
}

TEST_F(RealPointsTest, SpansHaveTheTimesOfTheirTransactions) {
  const auto spans = log_spans(catalog);
  ASSERT_TRUE(spans.ok());
  ASSERT_EQ(spans->size(), 2u);
  EXPECT_EQ(to_rfc3339(*(*spans)[0].from_time), "2026-11-22T05:49:23.728237Z");
  EXPECT_EQ(to_rfc3339(*(*spans)[0].to_time), "2026-11-22T05:49:24.777368Z");
  EXPECT_EQ(to_rfc3339(*(*spans)[1].to_time), "2026-11-22T05:49:25.383613Z");
}

}  // namespace
}  // namespace daruma::postgres
