// The parser against WAL of a real server, and pg_waldump's word for what is in it.
//
// Method: tests/data/wal holds a segment's worth of work and the next segment with a promotion. Every record
// must come out
//         where pg_waldump sees it; then the same bytes in pieces of every size, cut, and flipped.
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "datastore/postgres/test_data.h"
#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

using Kind = WalEvent::Kind;

constexpr SegmentSize kSegment{1 << 20};
constexpr Lsn kStart{0xE00000};

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) return {};
  const size_t begin = at + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

// One line of pg_waldump.
struct DumpedRecord {
  explicit DumpedRecord(const std::string& text) : line(text), desc(text.substr(text.find("desc: ") + 6)) {}

  std::string line;
  std::string desc;

  std::string start() const {
    const auto lsn = parse_lsn(between(line, "lsn: ", ","));
    return lsn.ok() ? to_string(*lsn) : "?";
  }
  bool is(std::string_view what) const { return desc.starts_with(what); }
  Kind kind() const {
    if (line.starts_with("rmgr: Transaction")) {
      if (is("COMMIT")) return Kind::kCommit;
      if (is("ABORT")) return Kind::kAbort;
    }
    if (is("RESTORE_POINT")) return Kind::kRestorePoint;
    if (is("CHECKPOINT_")) return Kind::kCheckpoint;
    if (is("END_OF_RECOVERY")) return Kind::kEndOfRecovery;
    if (is("SWITCH")) return Kind::kSwitch;
    return has_stored_image() ? Kind::kFullPageImages : Kind::kOther;
  }
  bool has_stored_image() const { return line.find("FPW") != std::string::npos; }
  uint64_t length() const { return std::stoull(between(between(line, "): ", ",") + ",", "/", ",")); }
  std::string xid() const {
    const std::string prepared = between(desc, "_PREPARED ", ":");
    return prepared.empty() ? std::to_string(std::stoul(between(line, "tx:", ","))) : prepared;
  }
  std::string time() const {
    const size_t zone = desc.find(" UTC");
    if (zone == std::string::npos || zone < 26) return {};
    return to_rfc3339(*parse_rfc3339(desc.substr(zone - 26, 26) + "Z"));
  }
};

std::vector<DumpedRecord> dumped(const std::string& name) {
  std::istringstream lines(test_text(name));
  std::vector<DumpedRecord> records;
  for (std::string line; std::getline(lines, line);) records.emplace_back(line);
  return records;
}

std::string describe(const WalEvent& event) {
  std::ostringstream out;
  out << static_cast<int>(event.kind) << " " << to_string(event.start) << "-" << to_string(event.end)
      << " xid " << event.xid << " at " << event.time.micros << " '" << event.name << "' tli "
      << event.timeline << "/" << event.previous_timeline << " redo " << to_string(event.redo);
  for (const BlockImage& image : event.images)
    out << " " << image.relation << "." << image.block << (image.stored ? "" : " init");
  return out.str();
}

bool has_stored_image(const WalEvent& event) {
  return std::any_of(event.images.begin(), event.images.end(),
                     [](const BlockImage& image) { return image.stored; });
}

struct Outcome {
  std::vector<WalEvent> events;
  Status status;
  bool at_end = false;
  Lsn position;
  Lsn last_end;

  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const WalEvent& event : events) out.push_back(describe(event));
    return out;
  }
};

// Feeds `bytes` in pieces whose sizes `next_size` gives.
template <class NextSize>
Outcome parse(BytesView bytes, NextSize next_size) {
  Outcome out;
  WalParser parser({.segment_size = kSegment, .report_images = true, .report_other = true}, kStart,
                   [&](const WalEvent& event) { out.events.push_back(event); });
  while (!bytes.empty() && out.status.ok()) {
    const size_t size = std::min<size_t>(bytes.size(), next_size());
    out.status = parser.feed(bytes.first(size));
    bytes = bytes.subspan(size);
  }
  out.at_end = parser.at_end();
  out.position = parser.position();
  out.last_end = parser.last_record_end();
  return out;
}
Outcome parse(BytesView bytes) {
  return parse(bytes, [&] { return bytes.size(); });
}

// Both segments, each with the zeros that follow its used pages.
const Bytes& real_wal() {
  static const Bytes wal = [] {
    Bytes bytes = test_bytes("wal/work.wal");
    bytes.resize(kSegment.bytes);
    const Bytes promoted = test_bytes("wal/promoted.wal");
    bytes.insert(bytes.end(), promoted.begin(), promoted.end());
    bytes.resize(2 * kSegment.bytes);
    return bytes;
  }();
  return wal;
}
// Only the used pages of the first segment: what is flipped and cut.
const Bytes& used_wal() {
  static const Bytes wal = test_bytes("wal/work.wal");
  return wal;
}

struct RealWal : testing::Test {
  std::vector<DumpedRecord> expected = [] {
    auto records = dumped("wal/work.waldump");
    const auto more = dumped("wal/promoted.waldump");
    records.insert(records.end(), more.begin(), more.end());
    return records;
  }();
};

TEST_F(RealWal, GivesEveryRecordThatPgWaldumpGives) {
  const Outcome got = parse(real_wal());
  ASSERT_TRUE(got.status.ok()) << got.status.error().what;
  ASSERT_EQ(got.events.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(expected[i].line);
    const WalEvent& event = got.events[i];
    EXPECT_EQ(to_string(event.start), expected[i].start());
    EXPECT_EQ(has_stored_image(event), expected[i].has_stored_image());
    // pg_waldump does not say which blocks are initialised anew.
    if (event.images.empty() || has_stored_image(event)) {
      EXPECT_EQ(event.kind, expected[i].kind());
    }
    EXPECT_EQ(std::to_string(event.xid), expected[i].xid());
    if (event.kind == Kind::kCommit || event.kind == Kind::kAbort || event.kind == Kind::kEndOfRecovery) {
      EXPECT_EQ(to_rfc3339(event.time), expected[i].time());
    }
  }
}

TEST_F(RealWal, RecordsFollowEachOther) {
  const auto events = parse(real_wal()).events;
  for (size_t i = 1; i < events.size(); ++i) {
    const uint64_t gap = events[i].start - events[i - 1].end;
    EXPECT_TRUE(gap == 0 || (events[i - 1].end.value % 8192 == 0 && gap <= 40)) << describe(events[i]);
  }
}

TEST_F(RealWal, EndsWhereTheServerStopped) {
  const Outcome got = parse(real_wal());
  EXPECT_EQ(to_string(got.last_end), "0/F05CA0");
  EXPECT_EQ(to_string(got.position), "0/1000000");
}

TEST_F(RealWal, CheckpointsSayTimelineAndRedo) {
  std::vector<std::string> texts;
  for (const WalEvent& event : parse(real_wal()).events)
    if (event.kind == Kind::kCheckpoint)
      texts.push_back(std::to_string(event.timeline) + " redo " + to_string(event.redo) + " " +
                      to_rfc3339(event.time).substr(0, 16));
  EXPECT_EQ(texts, (std::vector<std::string>{
                       "1 redo 0/E065E8 2026-11-22T05:49", "1 redo 0/F02130 2026-11-22T05:49",
                       "2 redo 0/F021D8 2026-11-22T05:49", "2 redo 0/F05C28 2026-11-22T05:49"}));
}

TEST_F(RealWal, ThePromotionSaysBothTimelines) {
  for (const WalEvent& event : parse(real_wal()).events) {
    if (event.kind != Kind::kEndOfRecovery) continue;
    EXPECT_EQ(event.timeline, 2u);
    EXPECT_EQ(event.previous_timeline, 1u);
  }
}

TEST_F(RealWal, RestorePointsKeepTheirNames) {
  std::vector<std::string> names;
  for (const WalEvent& event : parse(real_wal()).events)
    if (event.kind == Kind::kRestorePoint) names.push_back(event.name);
  EXPECT_EQ(names, (std::vector<std::string>{"before the migration", "七転び八起き"}));
}

TEST_F(RealWal, ImagesNameTheirBlocks) {
  for (const WalEvent& event : parse(real_wal()).events) {
    if (to_string(event.start) != "0/E06698") continue;  // a compressed image with a hole
    ASSERT_EQ(event.images.size(), 1u);
    EXPECT_EQ(event.images[0].tablespace, 1663u);
    EXPECT_EQ(event.images[0].database, 5u);
    EXPECT_EQ(event.images[0].relation, 1259u);
    EXPECT_EQ(event.images[0].block, 13u);
    EXPECT_TRUE(event.images[0].stored);
    return;
  }
  ADD_FAILURE() << "the record is not there";
}

TEST_F(RealWal, InPiecesOfAnySizeGivesTheSameEvents) {
  const auto whole = parse(real_wal()).texts();
  for (const size_t size : {1, 7, 24, 100, 8191, 8192, 65537})
    EXPECT_EQ(parse(real_wal(), [&] { return size; }).texts(), whole) << size;
  std::mt19937 random(20260101);
  for (int round = 0; round < 20; ++round)
    EXPECT_EQ(parse(real_wal(), [&] { return 1 + random() % 20000; }).texts(), whole) << "round " << round;
}

bool is_prefix(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST_F(RealWal, CutAnywhereGivesTheRecordsBeforeTheCut) {
  const auto whole = parse(used_wal()).texts();
  for (size_t size = 0; size < used_wal().size(); size += 29) {
    const Outcome got = parse(BytesView(used_wal()).first(size));
    EXPECT_TRUE(got.status.ok()) << size;
    EXPECT_TRUE(is_prefix(got.texts(), whole)) << size;
  }
}

TEST_F(RealWal, CutAnywhereAndFilledWithZerosIsCorruptOrAtItsEnd) {
  const auto whole = parse(used_wal()).texts();
  constexpr size_t kSwitchEnds = 0x7C00;
  for (size_t size = 0; size < kSwitchEnds; size += 31) {
    Bytes bytes = used_wal();
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(size), bytes.end(), std::byte{0});
    const Outcome got = parse(bytes);
    EXPECT_TRUE(got.at_end || got.status.is(Errc::kCorrupt) || got.texts() == whole) << size;
    EXPECT_TRUE(is_prefix(got.texts(), whole)) << size;
  }
}

// Marks the bytes of the first segment that a record's CRC covers, for records that lie on one page.
std::vector<bool> covered_by_crc(const std::vector<DumpedRecord>& records) {
  std::vector<bool> covered(used_wal().size());
  for (const DumpedRecord& record : records) {
    const uint64_t start = *parse_lsn(record.start()) - kStart;
    const uint64_t end = start + record.length();
    if (end > covered.size() || start / 8192 != (end - 1) / 8192) continue;
    std::fill(covered.begin() + static_cast<ptrdiff_t>(start), covered.begin() + static_cast<ptrdiff_t>(end),
              true);
  }
  return covered;
}

TEST_F(RealWal, FlippedAnywhereNeverGivesAnEventThatIsNotThere) {
  const auto whole = parse(used_wal()).texts();
  const auto covered = covered_by_crc(expected);
  Bytes bytes = used_wal();
  bytes.resize(bytes.size() +
               8192);  // so that a record that became too long meets a page that does not continue it
  for (size_t at = 0; at < used_wal().size(); at += 7) {
    bytes[at] ^= std::byte{0x04};
    const Outcome got = parse(bytes);
    EXPECT_TRUE(is_prefix(got.texts(), whole)) << at;
    if (covered[at]) {
      EXPECT_TRUE(got.status.is(Errc::kCorrupt) || got.at_end) << at;
    }
    bytes[at] ^= std::byte{0x04};
  }
}

}  // namespace
}  // namespace daruma::postgres
