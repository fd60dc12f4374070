// What WAL positions and segment names look like, and that nothing else passes for one.
#include "datastore/postgres/lsn.h"

#include <gtest/gtest.h>

namespace daruma::postgres {
namespace {

constexpr SegmentSize k1MiB{1 << 20};
constexpr SegmentSize k16MiB{};
constexpr SegmentSize k1GiB{1 << 30};

TEST(Lsn, IsWrittenAsTwoHexNumbers) {
  EXPECT_EQ(to_string(Lsn{0x16B374D848}), "16/B374D848");
  EXPECT_EQ(to_string(Lsn{0}), "0/0");
  EXPECT_EQ(to_string(Lsn{~uint64_t{0}}), "FFFFFFFF/FFFFFFFF");
}

TEST(Lsn, IsReadBackFromItsText) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{0x16B374D848}, ~uint64_t{0}}) {
    const auto parsed = parse_lsn(to_string(Lsn{value}));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->value, value);
  }
  EXPECT_EQ(parse_lsn("16/b374d848")->value, 0x16B374D848u);
}

TEST(Lsn, RefusesWhatIsNotTwoHexNumbers) {
  for (const char* text : {"", "/", "1/", "/1", "16", "1/2/3", "G/0", "0/-1", "0/+1", " 0/1", "0/1 ", "0x1/0",
                           "123456789/0", "0/123456789"})
    EXPECT_TRUE(parse_lsn(text).is(Errc::kInvalid)) << text;
  EXPECT_EQ(parse_lsn("x").error().what, "'x' is not a WAL position");
}

TEST(Segment, NamesFollowTheFourGibibyteGroups) {
  EXPECT_EQ(segment_name(1, 0xAFF, k16MiB), "000000010000000A000000FF");
  EXPECT_EQ(segment_name(1, 0xAFF, k1MiB), "000000010000000000000AFF");
  EXPECT_EQ(segment_name(0xAB, 7, k1GiB), "000000AB0000000100000003");
}

TEST(Segment, ANameIsReadBack) {
  for (const SegmentSize size : {k1MiB, k16MiB, k1GiB})
    for (const uint64_t number : {0u, 1u, 3u, 255u, 256u, 4095u, 4096u, 1000000u}) {
      const auto parsed = parse_segment_name(segment_name(9, number, size), size);
      ASSERT_TRUE(parsed.ok()) << parsed.error().what;
      EXPECT_EQ(*parsed, (SegmentId{9, number}));
    }
}

TEST(Segment, RefusesNamesThatCannotOccur) {
  for (const char* name : {"", "00000001000000000000000", "0000000100000000000000010", "00000001.history",
                           "0000000100000000000000G1", "000000000000000000000001",
                           "000000010000000000000001.partial", "-00000010000000000000001"})
    EXPECT_TRUE(parse_segment_name(name, k16MiB).is(Errc::kInvalid)) << name;
  EXPECT_TRUE(parse_segment_name("000000010000000000000100", k1MiB).ok());
  EXPECT_EQ(parse_segment_name("000000010000000000000100", k16MiB).error().what,
            "'000000010000000000000100' is not the name of a WAL segment: "
            "with segments of 16777216 bytes the last part stays below 00000100");
}

TEST(Segment, PositionsAreSplitIntoSegmentAndOffset) {
  const Lsn lsn{0x1'0234'5678};
  EXPECT_EQ(k16MiB.number_of(lsn), 0x102u);
  EXPECT_EQ(k16MiB.start_of(0x102).value, 0x1'0200'0000u);
  EXPECT_EQ(k16MiB.floor(lsn).value, 0x1'0200'0000u);
  EXPECT_EQ(k16MiB.offset_of(lsn), 0x34'5678u);
}

TEST(Segment, OnlyPowersOfTwoFromOneMebibyteToOneGibibyteAreSizes) {
  for (const uint64_t bytes : {1u << 20, 1u << 24, 1u << 30}) EXPECT_TRUE(SegmentSize{bytes}.valid());
  for (const uint64_t bytes : {0u, 1u, 1u << 19, 3u << 20, 1u << 31})
    EXPECT_FALSE(SegmentSize{bytes}.valid());
}

TEST(Timeline, HistoryFilesAreNamedAfterIt) { EXPECT_EQ(history_name(0x2A), "0000002A.history"); }

}  // namespace
}  // namespace daruma::postgres
