// The chunked coding, whole and in pieces of one byte.
#include "service/chunk_reader.h"

#include <gmock/gmock.h>

namespace daruma::service {
namespace {

// "BODY|REST" when it was read to its end; else what is wrong. The same for every size of pieces.
std::string read_in_pieces(std::string_view bytes, size_t piece, size_t body_max) {
  ChunkReader reader;
  std::string body;
  while (!bytes.empty()) {
    size_t taken = 0;
    const auto step = reader.read(bytes.substr(0, piece), taken, body, body_max);
    bytes.remove_prefix(taken);
    if (step == ChunkReader::Step::kDone) return body + "|" + std::string(bytes);
    if (step == ChunkReader::Step::kMalformed) return "malformed";
    if (step == ChunkReader::Step::kTooLarge) return "too large";
  }
  return "more";
}

std::string read(std::string_view bytes, size_t body_max = 100) {
  const std::string whole = read_in_pieces(bytes, bytes.size(), body_max);
  for (size_t piece = 1; piece < bytes.size(); ++piece)
    EXPECT_EQ(read_in_pieces(bytes, piece, body_max), whole);
  return whole;
}

TEST(ChunkReader, ChunksAreJoinedAndWhatFollowsIsLeft) {
  EXPECT_EQ(read("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\nGET /"), "hello, world|GET /");
  EXPECT_EQ(read("0\r\n\r\n"), "|");
  EXPECT_EQ(read("0000000A\r\n0123456789\r\n000\r\n\r\n"), "0123456789|");
  EXPECT_EQ(read("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n|");
}

TEST(ChunkReader, ExtensionsAndTrailersAreReadOver) {
  EXPECT_EQ(read("1;name=\"value\"\r\na\r\n0;last\r\nTrailer: 1\r\nOther: 2\r\n\r\n"), "a|");
  EXPECT_EQ(read("1 \t;x\r\na\r\n0\r\n\r\n"), "a|");
}

TEST(ChunkReader, WhatIsCutWaitsForMore) {
  const std::string_view whole = "3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n";
  for (size_t size = 1; size < whole.size(); ++size) EXPECT_EQ(read(whole.substr(0, size)), "more") << size;
}

TEST(ChunkReader, WhatIsNotTheCodingIsMalformed) {
  for (const char* wrong :
       {"\r\n", "x\r\n", "-1\r\n", ";x\r\n", "1\na", "1\r\nab\r\n", "1\r\na\n0\r\n\r\n", "123456789\r\n",
        "1\r\ra", "0\r\n T: folded\r\n\r\n", "0\r\nT: 1\n\r\n", "0\r\n\rx", "1;\x01\r\n", "0x1\r\na"})
    EXPECT_EQ(read(wrong), "malformed") << wrong;
}

TEST(ChunkReader, MoreThanAllowedIsTooLargeBeforeItIsRead) {
  EXPECT_EQ(read("a\r\n0123456789\r\n0\r\n\r\n", 10), "0123456789|");
  EXPECT_EQ(read("b\r\n", 10), "too large");
  EXPECT_EQ(read("6\r\n012345\r\n5\r\n", 10), "too large");
  EXPECT_EQ(read("ffffffff\r\n", 10), "too large");
}

TEST(ChunkReader, EndlessExtensionsAndTrailersAreMalformed) {
  EXPECT_EQ(read_in_pieces("1;" + std::string(5000, 'x'), 5100, 10), "malformed");
  EXPECT_EQ(read_in_pieces("0\r\n" + std::string(5000, 'x'), 5100, 10), "malformed");
}

}  // namespace
}  // namespace daruma::service
