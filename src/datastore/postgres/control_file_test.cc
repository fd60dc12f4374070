// pg_control and timeline history: what a real server wrote is read; what is cut or flipped is refused.
#include "datastore/postgres/control_file.h"

#include <gtest/gtest.h>

#include "datastore/postgres/test_data.h"
#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

constexpr size_t kUsedBytes = 292;
constexpr size_t kVersionAt = 8;

struct RealControlFile : testing::Test {
  Bytes bytes = test_bytes("postgres/pg_control");

  void set(size_t at, uint32_t value) { store_le(bytes.data() + at, value); }
  void seal() { set(kUsedBytes - 4, crc32c(BytesView(bytes).first(kUsedBytes - 4))); }
};

TEST_F(RealControlFile, SaysWhatPgControldataSays) {
  const auto file = parse_control_file(bytes);
  ASSERT_TRUE(file.ok()) << file.error().what;
  EXPECT_EQ(file->system_identifier, 7710867424076620792u);
  EXPECT_EQ(file->control_version, 1300u);
  EXPECT_EQ(file->catalog_version, 202209061u);
  EXPECT_EQ(file->state, 1u);
  EXPECT_EQ(to_string(file->checkpoint), "0/F02130");
  EXPECT_EQ(to_string(file->checkpoint_redo), "0/F02130");
  EXPECT_EQ(file->checkpoint_timeline, 1u);
  EXPECT_EQ(file->block_size, 8192u);
  EXPECT_EQ(file->wal_segment_size.bytes, 1u << 20);
  EXPECT_EQ(file->data_checksum_version, 1u);
}

TEST_F(RealControlFile, NeedsOnlyTheBytesInUse) {
  bytes.resize(kUsedBytes);
  EXPECT_TRUE(parse_control_file(bytes).ok());
}

TEST_F(RealControlFile, IsCorruptCutAtAnyByteInUse) {
  for (size_t size = 0; size < kUsedBytes; ++size)
    EXPECT_TRUE(parse_control_file(BytesView(bytes).first(size)).is(Errc::kCorrupt)) << size;
}

TEST_F(RealControlFile, IsRefusedWithAnyByteInUseFlipped) {
  for (size_t at = 0; at < kUsedBytes; ++at) {
    bytes[at] ^= std::byte{1};
    const bool in_version = at >= kVersionAt && at < kVersionAt + 4;
    EXPECT_TRUE(parse_control_file(bytes).is(in_version ? Errc::kInvalid : Errc::kCorrupt)) << at;
    bytes[at] ^= std::byte{1};
  }
}

TEST_F(RealControlFile, OfPostgres17IsReadAlike) {
  set(kVersionAt, 1700);
  seal();
  ASSERT_TRUE(parse_control_file(bytes).ok());
  EXPECT_EQ(parse_control_file(bytes)->control_version, 1700u);
}

TEST_F(RealControlFile, OfAnUnknownVersionIsNamed) {
  set(kVersionAt, 1800);
  seal();
  const auto file = parse_control_file(bytes);
  ASSERT_TRUE(file.is(Errc::kInvalid));
  EXPECT_EQ(file.error().what, "pg_control has version 1800");
}

TEST_F(RealControlFile, WithAnImpossibleSegmentSizeIsCorrupt) {
  set(228, 3 << 20);
  seal();
  EXPECT_TRUE(parse_control_file(bytes).is(Errc::kCorrupt));
}

TEST(History, OfARealPromotionIsRead) {
  const auto ancestors = parse_history(test_text("wal/00000002.history"));
  ASSERT_TRUE(ancestors.ok()) << ancestors.error().what;
  ASSERT_EQ(ancestors->size(), 1u);
  EXPECT_EQ(ancestors->front().timeline, 1u);
  EXPECT_EQ(to_string(ancestors->front().left_at), "0/F021A8");
  EXPECT_EQ(ancestors->front().reason, "no recovery target specified");
}

TEST(History, ListsAncestorsOldestFirst) {
  const auto ancestors =
      parse_history("# a comment\n1\t0/3000000\tno recovery target\n\n  3 16/B374D848 before x\n");
  ASSERT_TRUE(ancestors.ok()) << ancestors.error().what;
  ASSERT_EQ(ancestors->size(), 2u);
  EXPECT_EQ(ancestors->at(1).timeline, 3u);
  EXPECT_EQ(to_string(ancestors->at(1).left_at), "16/B374D848");
  EXPECT_EQ(ancestors->at(1).reason, "before x");
}

TEST(History, MayBeEmpty) { EXPECT_TRUE(parse_history("")->empty()); }

TEST(History, RefusesLinesThatAreNotAncestors) {
  for (const char* text : {"1", "1\t", "x\t0/1\tr\n", "0\t0/1\tr\n", "-1\t0/1\tr\n", "1\tzero\tr\n",
                           "1\t0/1/2\tr\n", "4294967296\t0/1\tr\n", "1\t0/30000"})
    EXPECT_TRUE(parse_history(text).is(Errc::kCorrupt)) << text;
}

TEST(History, RefusesTimelinesThatDoNotIncrease) {
  const auto ancestors = parse_history("1\t0/1\tr\n1\t0/2\tr\n");
  ASSERT_TRUE(ancestors.is(Errc::kCorrupt));
  EXPECT_EQ(ancestors.error().what,
            "timeline history, line 2: '1\t0/2\tr' does not name a newer timeline than the line before");
}

}  // namespace
}  // namespace daruma::postgres
