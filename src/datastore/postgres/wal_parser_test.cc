// How the parser puts records together from pages, and how it tells the end of the log from damage.
//
// Method: WAL written by wal_test_builder.h, one oddity at a time; every case is also fed byte by byte. What
// records say is
//         wal_record_test.cc's matter, real WAL wal_golden_test.cc's.
#include "datastore/postgres/wal_parser.h"

#include <gtest/gtest.h>

#include "datastore/postgres/wal_test_builder.h"

namespace daruma::postgres {
namespace {

constexpr uint64_t kPage = WalTestBuilder::kPageBytes;
constexpr Lsn kStart{1 << 20};
constexpr Instant kNoon{1'798'977'600'000'000};

struct WalParsing : testing::Test {
  WalTestBuilder wal{kStart};
  uint64_t system_identifier = 0;
  Lsn start = kStart;

  std::string seen;  // what the parser reported: "commit 7", "other", …
  Status status;
  bool at_end = false;
  bool first_record_skipped = false;
  Lsn last_record_start, last_record_end;

  // Parses `bytes` twice: whole and byte by byte. Both must come to the same.
  void parse(const Bytes& bytes) {
    run(bytes, 1);
    const auto slowly = std::tuple(seen, status.ok(), at_end, last_record_end);
    run(bytes, bytes.size());
    EXPECT_EQ(std::tuple(seen, status.ok(), at_end, last_record_end), slowly);
  }
  void parse() { parse(wal.bytes()); }
  std::string error() const { return status.ok() ? "none" : status.error().what; }

 private:
  void run(BytesView bytes, size_t piece) {
    seen.clear();
    status = {};
    WalParser parser(
        {.segment_size = wal.segment_size(), .report_other = true, .system_identifier = system_identifier},
        start, [this](const WalEvent& event) { note(event); });
    for (; !bytes.empty() && status.ok(); bytes = bytes.subspan(std::min(piece, bytes.size())))
      status = parser.feed(bytes.first(std::min(piece, bytes.size())));
    at_end = parser.at_end();
    first_record_skipped = parser.first_record_skipped();
    last_record_start = parser.last_record_start();
    last_record_end = parser.last_record_end();
  }
  void note(const WalEvent& event) {
    if (!seen.empty()) seen += ", ";
    switch (event.kind) {
      case WalEvent::Kind::kCommit:
        seen += "commit " + std::to_string(event.xid);
        return;
      case WalEvent::Kind::kSwitch:
        seen += "switch";
        return;
      default:
        seen += "other";
        return;
    }
  }
};

TEST_F(WalParsing, RecordsComeInOrder) {
  wal.commit(7, kNoon);
  wal.other(100);
  const Lsn last = wal.commit(8, kNoon);
  parse();
  EXPECT_EQ(seen, "commit 7, other, commit 8");
  EXPECT_EQ(last_record_start, last);
  EXPECT_EQ(last_record_end.value, (wal.position().value + 7) / 8 * 8);
}

TEST_F(WalParsing, ARecordMaySpanManyPages) {
  wal.other(10 * kPage);
  wal.commit(7, kNoon);
  parse();
  EXPECT_EQ(seen, "other, commit 7") << error();
}

TEST_F(WalParsing, ARecordMaySpanSegments) {
  wal.other(3 * wal.segment_size().bytes);
  wal.commit(7, kNoon);
  parse();
  EXPECT_EQ(seen, "other, commit 7") << error();
}

TEST_F(WalParsing, ARecordsHeaderMayBeSplitAfterAnyEightBytes) {
  for (const uint64_t left : {8u, 16u, 24u}) {
    wal.fill_page_until(left);
    wal.commit(7, kNoon);
  }
  parse();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), '7'), 3) << seen << error();
}

TEST_F(WalParsing, ARecordMayEndWithItsPage) {
  wal.fill_page_until(0);
  wal.commit(7, kNoon);
  parse();
  EXPECT_TRUE(seen.ends_with("commit 7")) << seen << error();
}

TEST_F(WalParsing, ARecordThatBeganBeforeTheStartIsSkipped) {
  wal.other(wal.segment_size().bytes + 3 * kPage);
  wal.commit(7, kNoon);
  start = kStart + wal.segment_size().bytes;
  parse(Bytes(wal.bytes().begin() + static_cast<ptrdiff_t>(wal.segment_size().bytes), wal.bytes().end()));
  EXPECT_EQ(seen, "commit 7") << error();
  EXPECT_TRUE(first_record_skipped);
}

TEST_F(WalParsing, NothingIsSkippedWhenARecordBeginsAtTheStart) {
  wal.commit(7, kNoon);
  parse();
  EXPECT_FALSE(first_record_skipped);
}

TEST_F(WalParsing, AfterASwitchTheRestOfTheSegmentIsIgnored) {
  wal.commit(7, kNoon);
  wal.switch_segment();
  wal.commit(8, kNoon);
  parse();
  EXPECT_EQ(seen, "commit 7, switch, commit 8") << error();
  EXPECT_FALSE(at_end);
}

TEST_F(WalParsing, ASwitchEndsWhereTheNextSegmentBegins) {
  wal.switch_segment();
  parse();
  EXPECT_EQ(last_record_end.value, (kStart + wal.segment_size().bytes).value);
}

TEST_F(WalParsing, ASwitchSplitOverTwoSegmentsEndsTheSecond) {
  const uint64_t pages = wal.segment_size().bytes / kPage;
  for (uint64_t page = 0; page < pages; ++page) wal.fill_page_until(page + 1 == pages ? 8 : 0);
  wal.switch_segment();
  wal.commit(8, kNoon);
  parse();
  EXPECT_TRUE(seen.ends_with("switch, commit 8")) << seen << error();
  EXPECT_EQ(wal.position().value / wal.segment_size().bytes, 3u);
}

TEST_F(WalParsing, ARecordCutByACrashIsOverwrittenFromTheNextPage) {
  wal.commit(7, kNoon);
  const Lsn torn = wal.torn_record(Bytes(20000), 5000);
  wal.overwrite_from_next_page();
  ByteWriter overwrite;
  overwrite.put(torn.value);
  overwrite.put<uint64_t>(0);
  wal.record(0, 0xD0, 0, WalTestBuilder::main_data(overwrite.view()));
  wal.commit(8, kNoon);
  // The server that crashed had filled the page with the torn record; what lies there does not matter.
  parse();
  EXPECT_EQ(error(), "none");
  EXPECT_EQ(seen, "commit 7, other, commit 8");
}

TEST_F(WalParsing, AnOverwriteOfAnotherRecordIsCorrupt) {
  wal.commit(7, kNoon);
  wal.torn_record(Bytes(20000), 5000);
  wal.overwrite_from_next_page();
  ByteWriter overwrite;
  overwrite.put<uint64_t>(0x100028);
  overwrite.put<uint64_t>(0);
  wal.record(0, 0xD0, 0, WalTestBuilder::main_data(overwrite.view()));
  parse();
  EXPECT_EQ(error(),
            "WAL record at 0/102018: it says that the record at 0/100028 was aborted, but it was the one at "
            "0/100050");
}

TEST_F(WalParsing, AnOverwriteEndsTheSkippingOfAnOlderRecord) {
  const Lsn before = wal.torn_record(Bytes(2 << 20), wal.segment_size().bytes + 3000);
  wal.overwrite_from_next_page();
  ByteWriter overwrite;
  overwrite.put(before.value);
  overwrite.put<uint64_t>(0);
  wal.record(0, 0xD0, 0, WalTestBuilder::main_data(overwrite.view()));
  wal.commit(8, kNoon);
  start = kStart + wal.segment_size().bytes;
  parse(Bytes(wal.bytes().begin() + static_cast<ptrdiff_t>(wal.segment_size().bytes), wal.bytes().end()));
  EXPECT_EQ(seen, "other, commit 8") << error();
}

TEST_F(WalParsing, ZerosWhereARecordMustBeAreTheEndOfTheLog) {
  wal.commit(7, kNoon);
  wal.zeros(3 * kPage);
  parse();
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(at_end);
  EXPECT_EQ(seen, "commit 7");
}

TEST_F(WalParsing, ZerosWhereAPageMustBeAreTheEndOfTheLog) {
  wal.fill_page_until(0);
  wal.zeros(kPage);
  parse();
  EXPECT_TRUE(status.ok());
  EXPECT_TRUE(at_end);
}

TEST_F(WalParsing, ZerosInTheMiddleOfARecordAreTheEndOfTheLog) {
  const Lsn last = wal.commit(7, kNoon);
  wal.torn_record(Bytes(20000), wal.page_left() + kPage - 32);
  wal.zeros(wal.page_left());
  wal.zeros(kPage);
  parse();
  EXPECT_TRUE(at_end) << error();
  EXPECT_EQ(last_record_start, last);
}

TEST_F(WalParsing, ZerosTooShortForAHeaderBeforeThePageEndsAreTheEndOfTheLog) {
  for (const uint64_t left : {8u, 16u}) {
    wal = WalTestBuilder(kStart);
    wal.fill_page_until(left);
    wal.zeros(left);
    parse();
    EXPECT_TRUE(at_end) << left;
  }
}

TEST_F(WalParsing, AfterTheEndParsingStartsAfreshWithTheNextSegment) {
  wal.commit(7, kNoon);
  wal.torn_record(Bytes(100), 0);
  wal.zeros(wal.segment_left());
  wal.commit(8, kNoon);
  parse();
  EXPECT_EQ(seen, "commit 7, commit 8") << error();
  EXPECT_FALSE(at_end);
}

TEST_F(WalParsing, NoBytesAreNotTheEndOfTheLog) {
  wal.commit(7, kNoon);
  parse();
  EXPECT_FALSE(at_end);
}

// Damage. Each case changes a log that parses, and names what is said about it.
struct DamagedWal : WalParsing {
  Bytes bytes;

  DamagedWal() {
    wal.commit(7, kNoon);
    wal.other(2 * kPage);
    wal.commit(8, kNoon);
    bytes = wal.bytes();
  }
  template <std::unsigned_integral T>
  std::string error_after_storing(size_t at, T value) {
    store_le(bytes.data() + at, value);
    parse(bytes);
    EXPECT_TRUE(status.ok() || status.is(Errc::kCorrupt));
    return error();
  }
};

TEST_F(DamagedWal, IsNotDamagedYet) {
  parse(bytes);
  EXPECT_EQ(seen, "commit 7, other, commit 8");
}

TEST_F(DamagedWal, WithAnUnknownMagicIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint16_t>(0, 0xD118), "WAL page at 0/100000: unknown magic D118");
  EXPECT_EQ(status.error().hint, "PostgreSQL 13 to 17 are supported");
}

TEST_F(DamagedWal, WithAnotherVersionsMagicIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint16_t>(kPage, 0xD10D),
            "WAL page at 0/102000: magic D10D after pages with D110");
}

TEST_F(DamagedWal, WithUnknownFlagsIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint16_t>(2, 0x12), "WAL page at 0/100000: unknown flags 0012");
}

TEST_F(DamagedWal, WithAShortHeaderAtASegmentsStartIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint16_t>(2, 0),
            "WAL page at 0/100000: a segment's first page without a long header");
}

TEST_F(DamagedWal,
       WithAnOlderPageInItIsCorrupt) {  // what a recycled segment file holds behind the end of the log
  EXPECT_EQ(error_after_storing<uint64_t>(kPage + 8, 0x2000),
            "WAL page at 0/102000: its header says it is the page at 0/2000");
}

TEST_F(DamagedWal, WithTimelineZeroOrGoingBackIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint32_t>(kPage + 4, 0), "WAL page at 0/102000: timeline 0 after timeline 1");
  store_le<uint32_t>(bytes.data() + kPage + 4, 3);
  EXPECT_EQ(error_after_storing<uint32_t>(4, 4), "WAL page at 0/102000: timeline 3 after timeline 4");
}

TEST_F(DamagedWal, OfAnotherSystemIsCorrupt) {
  system_identifier = 42;
  parse(bytes);
  EXPECT_EQ(error(), "WAL page at 0/100000: it belongs to system 7672903052103712769, not 42");
}

TEST_F(DamagedWal, WithOtherSizesIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint32_t>(32, 1 << 24),
            "WAL page at 0/100000: its segments have 16777216 bytes, not 1048576");
  store_le<uint32_t>(bytes.data() + 32, 1 << 20);
  EXPECT_EQ(error_after_storing<uint32_t>(36, 4096),
            "WAL page at 0/100000: its pages have 4096 bytes, not 8192");
}

TEST_F(DamagedWal, ThatDoesNotContinueARecordIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint16_t>(kPage + 2, 0),
            "WAL page at 0/102000: it does not continue the record before, of which 8301 bytes are missing");
}

TEST_F(DamagedWal, ThatContinuesARecordByAnotherLengthIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint32_t>(kPage + 16, 8300),
            "WAL page at 0/102000: it continues a record by 8300 bytes, 8301 are missing");
}

TEST_F(DamagedWal, ThatContinuesAndOverwritesARecordIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint16_t>(kPage + 2, 0x9),
            "WAL page at 0/102000: it both continues and overwrites a record");
}

TEST_F(DamagedWal, WithAnImpossibleLengthIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint32_t>(40, 23), "WAL record at 0/100028: its length is 23");
  EXPECT_EQ(error_after_storing<uint32_t>(40, 1u << 30), "WAL record at 0/100028: its length is 1073741824");
  EXPECT_EQ(error_after_storing<uint32_t>(40, 0), "WAL record at 0/100028: its length is 0");
}

TEST_F(DamagedWal, WithAByteChangedInARecordIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint8_t>(70, 1), "WAL record at 0/100028: its CRC does not match");
}

TEST_F(DamagedWal, WithARecordThatPointsForwardIsCorrupt) {
  EXPECT_EQ(error_after_storing<uint64_t>(48, 0x100028),
            "WAL record at 0/100028: it points back to 0/100028, which is not before it");
}

TEST_F(WalParsing, ARecordThatPointsBackToAnotherIsCorrupt) {
  // Two logs that agree up to a page's end, then the second's next page: what a split brain would leave.
  WalTestBuilder other_wal(kStart);
  wal.commit(7, kNoon);
  wal.fill_page_until(0);
  other_wal.fill_page_until(0);
  wal.commit(8, kNoon);
  other_wal.other(5);
  ASSERT_EQ(wal.bytes().size() / kPage, other_wal.bytes().size() / kPage);
  Bytes mixed(wal.bytes().begin(), wal.bytes().begin() + kPage);
  mixed.insert(mixed.end(), other_wal.bytes().begin() + kPage, other_wal.bytes().end());
  parse(mixed);
  EXPECT_NE(error().find("it points back to 0/100028, but the record before it is at"), std::string::npos)
      << error();
}

TEST_F(WalParsing, AParserThatFailedTakesNoMoreBytes) {
  WalParser parser({.segment_size = wal.segment_size()}, kStart, [](const WalEvent&) {});
  const Bytes garbage(64, std::byte{0xAA});
  wal.commit(7, kNoon);
  EXPECT_TRUE(parser.feed(garbage).is(Errc::kCorrupt));
  const Lsn position = parser.position();
  EXPECT_TRUE(parser.feed(wal.bytes()).is(Errc::kCorrupt));
  EXPECT_EQ(parser.position(), position);
}

TEST_F(WalParsing, ThePageHeadersAreTold) {
  WalParser parser({.segment_size = wal.segment_size()}, kStart, [](const WalEvent&) {});
  EXPECT_EQ(parser.system_identifier(), 0u);
  EXPECT_EQ(parser.page_timeline(), 0u);
  wal.set_timeline(5);
  wal.commit(7, kNoon);
  ASSERT_TRUE(parser.feed(wal.bytes()).ok());
  EXPECT_EQ(parser.system_identifier(), WalTestBuilder::kSystem);
  EXPECT_EQ(parser.page_timeline(), 5u);
  EXPECT_EQ(parser.position(), wal.position());
}

}  // namespace
}  // namespace daruma::postgres
