#include "ai-micro-api-admin/ranges.h"

#include <gmock/gmock.h>

namespace aimicro {
namespace {

using Kind = ByteRange::Kind;

void expect_part(std::string_view range, uint64_t offset, uint64_t size) {
  const ByteRange got = range_of(range, "", "\"tag\"", 1000);
  EXPECT_EQ(got.kind, Kind::kPart) << range;
  EXPECT_EQ(got.offset, offset) << range;
  EXPECT_EQ(got.size, size) << range;
}

Kind kind_of(std::string_view range, uint64_t size = 1000) {
  return range_of(range, "", "\"tag\"", size).kind;
}

TEST(Ranges, AreFirstToLastInclusive) {
  expect_part("bytes=0-0", 0, 1);
  expect_part("bytes=0-499", 0, 500);
  expect_part("bytes=500-999", 500, 500);
}

TEST(Ranges, MayBeOpenAtEitherEnd) {
  expect_part("bytes=990-", 990, 10);
  expect_part("bytes=-10", 990, 10);
}

TEST(Ranges, AreCutAtTheEndOfTheDocument) {
  expect_part("bytes=900-5000", 900, 100);
  expect_part("bytes=-5000", 0, 1000);
  expect_part("bytes=0-18446744073709551615", 0, 1000);
}

TEST(Ranges, BeyondTheEndCannotBeSatisfied) {
  EXPECT_EQ(kind_of("bytes=1000-"), Kind::kUnsatisfiable);
  EXPECT_EQ(kind_of("bytes=1000-2000"), Kind::kUnsatisfiable);
  EXPECT_EQ(kind_of("bytes=-0"), Kind::kUnsatisfiable);
  EXPECT_EQ(kind_of("bytes=0-", 0), Kind::kUnsatisfiable);
  EXPECT_EQ(kind_of("bytes=-1", 0), Kind::kUnsatisfiable);
}

TEST(Ranges, ThatAreMalformedOrSeveralMeanTheWhole) {
  for (const char* range :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=a-b", "bytes=9-5", "bytes=0-1,5-6", "items=0-1",
        "bytes=0x0-5", "bytes=-1-5", "bytes=99999999999999999999-"})
    EXPECT_EQ(kind_of(range), Kind::kWhole) << range;
}

TEST(Ranges, CountOnlyWhileTheDocumentIsTheSame) {
  EXPECT_EQ(range_of("bytes=0-9", "\"tag\"", "\"tag\"", 1000).kind, Kind::kPart);
  EXPECT_EQ(range_of("bytes=0-9", "\"older\"", "\"tag\"", 1000).kind, Kind::kWhole);
  EXPECT_EQ(range_of("bytes=0-9", "W/\"tag\"", "\"tag\"", 1000).kind, Kind::kWhole);
}

TEST(NoneMatch, NamesATagOfAListOrAll) {
  EXPECT_TRUE(none_match_names("\"tag\"", "\"tag\""));
  EXPECT_TRUE(none_match_names("\"a\", W/\"tag\"", "\"tag\""));
  EXPECT_TRUE(none_match_names("*", "\"tag\""));
  EXPECT_FALSE(none_match_names("", "\"tag\""));
  EXPECT_FALSE(none_match_names("\"a\",\"b\"", "\"tag\""));
}

}  // namespace
}  // namespace aimicro
