// Goal: every member of an archive comes out whole and in order, however its bytes are cut; nothing that
// could write outside a directory, or that is damaged, comes out at all.
#include "datastore/postgres/tar_reader.h"

#include <gmock/gmock.h>

#include "fmt/format.h"

namespace daruma::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Writes what came as lines: "file NAME MODE SIZE: DATA", "dir NAME MODE", "link NAME -> TARGET".
class Transcript final : public TarSink {
 public:
  Status begin(const TarMember& member) override {
    switch (member.type) {
      case TarMember::Type::kFile:
        lines.push_back(fmt::format("file {} {:o} {}: ", member.name, member.mode, member.size));
        break;
      case TarMember::Type::kDirectory:
        lines.push_back(fmt::format("dir {} {:o}", member.name, member.mode));
        break;
      case TarMember::Type::kSymlink:
        lines.push_back(fmt::format("link {} -> {}", member.name, member.target));
        break;
    }
    modified = member.modified;
    return refuse_member == member.name ? Status(Error{Errc::kNoSpace, "disk full"}) : Status();
  }
  Status data(BytesView bytes) override {
    lines.back() += as_text(bytes);
    return {};
  }
  Status end() override {
    ++ended;
    return {};
  }

  std::vector<std::string> lines;
  Instant modified;
  size_t ended = 0;
  std::string refuse_member;
};

void put(Bytes& block, size_t at, std::string_view text) {
  std::memcpy(block.data() + at, text.data(), text.size());
}

void seal(Bytes& header) {
  put(header, 148, "        ");
  unsigned sum = 0;
  for (const std::byte b : header) sum += std::to_integer<unsigned>(b);
  put(header, 148, fmt::format("{:06o}", sum) + std::string(1, '\0'));
}

Bytes header(const std::string& name, char type, uint64_t size, const std::string& target = "") {
  Bytes block(512);
  put(block, 0, name);
  put(block, 100, "0000600");
  put(block, 124, fmt::format("{:011o} ", size));
  put(block, 136, fmt::format("{:011o} ", 1'700'000'000));
  put(block, 156, std::string(1, type));
  put(block, 157, target);
  put(block, 257, std::string_view("ustar\00000", 8));
  seal(block);
  return block;
}

void append(Bytes& out, BytesView more) { out.insert(out.end(), more.begin(), more.end()); }

Bytes file(const std::string& name, const std::string& data) {
  Bytes out = header(name, '0', data.size());
  append(out, as_bytes(data));
  out.resize((out.size() + 511) / 512 * 512);
  return out;
}

Bytes archive() {
  Bytes out = file("backup_label", "START WAL");
  append(out, header("base/1/", '5', 0));
  append(out, file("base/1/1259", std::string(1000, 'x')));
  append(out, header("pg_tblspc/16400", '2', 0, "/srv/fast"));
  append(out, file("base/1/empty", ""));
  append(out, file("global/pg_control", std::string(512, 'c')));
  return out;
}

Status read(BytesView bytes, Transcript& out, size_t piece = 1 << 20) {
  TarReader reader(out);
  while (!bytes.empty()) {
    const BytesView now = bytes.first(std::min(piece, bytes.size()));
    DR_OK(reader.feed(now));
    bytes = bytes.subspan(now.size());
  }
  return reader.finish();
}

void expect_corrupt(BytesView bytes, const std::string& why) {
  Transcript out;
  const Status status = read(bytes, out);
  ASSERT_TRUE(status.is(Errc::kCorrupt));
  EXPECT_THAT(status.error().what, HasSubstr(why));
}

TEST(TarReader, TellsEveryMemberInOrder) {
  Transcript out;
  ASSERT_TRUE(read(archive(), out).ok());
  EXPECT_THAT(out.lines, ElementsAre("file backup_label 600 9: START WAL", "dir base/1 600",
                                     "file base/1/1259 600 1000: " + std::string(1000, 'x'),
                                     "link pg_tblspc/16400 -> /srv/fast", "file base/1/empty 600 0: ",
                                     "file global/pg_control 600 512: " + std::string(512, 'c')));
  EXPECT_EQ(out.ended, 6u);
  EXPECT_EQ(out.modified.micros, 1'700'000'000'000'000);
}

TEST(TarReader, DoesNotCareHowTheBytesAreCut) {
  Transcript whole;
  ASSERT_TRUE(read(archive(), whole).ok());
  for (const size_t piece : {1u, 7u, 511u, 512u, 513u, 1000u}) {
    Transcript cut;
    ASSERT_TRUE(read(archive(), cut, piece).ok());
    EXPECT_EQ(cut.lines, whole.lines) << piece;
  }
}

TEST(TarReader, AcceptsTheTwoZeroBlocksAtTheEndAndNothingAfterThem) {
  Bytes ended = archive();
  ended.resize(ended.size() + 1024);
  Transcript out;
  EXPECT_TRUE(read(ended, out).ok());
  append(ended, file("late", "x"));
  expect_corrupt(ended, "bytes follow the end");
}

TEST(TarReader, FindsAnArchiveThatEndsInsideAMember) {
  const Bytes whole = archive();
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    Transcript out;
    const Status status = read(BytesView(whole).first(cut), out);
    const bool between_members = out.ended == out.lines.size() && cut % 512 == 0;
    EXPECT_EQ(status.ok(), between_members) << cut;
  }
}

TEST(TarReader, ReadsASizeInBase256) {
  Bytes block = header("base/1/big", '0', 0);
  std::memset(block.data() + 124, 0, 12);
  block[124] = std::byte{0x80};
  block[131] = std::byte{0x02};  // 2 << 32
  seal(block);
  Transcript out;
  TarReader reader(out);
  ASSERT_TRUE(reader.feed(block).ok());
  EXPECT_THAT(out.lines, ElementsAre("file base/1/big 600 8589934592: "));
  EXPECT_THAT(reader.finish().error().what,
              HasSubstr("ends inside member 'base/1/big', 8589934592 bytes early"));
}

TEST(TarReader, JoinsThePrefixOfALongName) {
  Bytes block = header("16401", '0', 0);
  put(block, 345, "PG_15_202209061/5");
  seal(block);
  Transcript out;
  ASSERT_TRUE(read(block, out).ok());
  EXPECT_THAT(out.lines, ElementsAre("file PG_15_202209061/5/16401 600 0: "));
}

TEST(TarReader, RefusesNamesThatLeaveTheArchive) {
  for (const char* name :
       {"/etc/passwd", "../up", "base/../../up", "base/..", "..", "base//1", "base/./1", "", "/"}) {
    expect_corrupt(header(name, '0', 0), "leaves the archive");
  }
}

TEST(TarReader, RefusesTypesItDoesNotKnow) {
  for (const char type : {'1', '3', 'x', 'g', 'L', '\xff'})
    expect_corrupt(header("a", type, 0), "unknown type");
}

TEST(TarReader, RefusesDataBehindADirectoryAndLinksToNowhere) {
  expect_corrupt(header("base", '5', 512), "carries 512 bytes");
  expect_corrupt(header("pg_wal", '2', 0), "points nowhere");
}

TEST(TarReader, FindsEveryFlippedByteOfAHeader) {
  const Bytes good = header("base/1/1259", '0', 0);
  for (size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= std::byte{0x01};
    Transcript out;
    // A digit's neighbour and the checksum's own padding may still spell a header; a changed member never
    // passes.
    if (read(bad, out).ok()) {
      EXPECT_THAT(out.lines, ElementsAre("file base/1/1259 600 0: ")) << at;
    }
  }
}

TEST(TarReader, StopsForGoodWhenTheSinkFails) {
  Transcript out;
  out.refuse_member = "base/1/1259";
  TarReader reader(out);
  EXPECT_TRUE(reader.feed(archive()).is(Errc::kNoSpace));
  EXPECT_TRUE(reader.feed(archive()).is(Errc::kNoSpace));
  EXPECT_TRUE(reader.finish().is(Errc::kNoSpace));
  EXPECT_EQ(out.lines.size(), 3u);
}

}  // namespace
}  // namespace daruma::postgres
