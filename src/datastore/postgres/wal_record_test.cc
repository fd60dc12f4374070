// What single records say, in every form the versions write them.
#include "datastore/postgres/wal_record.h"

#include <gtest/gtest.h>

#include "datastore/postgres/wal_test_builder.h"

namespace daruma::postgres {
namespace {

using Kind = WalEvent::Kind;

constexpr Instant kNoon{1'798'977'600'123'456};

struct WalRecords : testing::Test {
  WalTestBuilder wal;

  // Parses the log as it stands; its last event, or an empty kOther.
  WalEvent last_event(bool report_images = true) {
    WalEvent last;
    last.kind = Kind::kOther;
    WalParser parser({.segment_size = wal.segment_size(), .report_images = report_images}, {1 << 20},
                     [&](const WalEvent& event) { last = event; });
    status = parser.feed(wal.bytes());
    return last;
  }
  std::string error() const { return status.ok() ? "none" : status.error().what; }
  Status status;
};

TEST_F(WalRecords, ACommitHasItsTimeAndXid) {
  wal.commit(700, kNoon);
  const WalEvent event = last_event();
  EXPECT_EQ(event.kind, Kind::kCommit);
  EXPECT_EQ(event.xid, 700u);
  EXPECT_EQ(event.time, kNoon);
  EXPECT_EQ(event.start.value, 0x100028u);
  EXPECT_EQ(event.end.value, 0x100050u);
}

TEST_F(WalRecords, AnAbortIsNotACommit) {
  wal.abort(700, kNoon);
  EXPECT_EQ(last_event().kind, Kind::kAbort);
}

TEST_F(WalRecords, OtherTransactionRecordsAreNotReported) {
  for (const uint8_t info : {0x10, 0x50, 0x60}) {
    wal.transaction(info, 700, kNoon);
    EXPECT_EQ(last_event().kind, Kind::kOther);
  }
}

// The flagged parts of a transaction record, before the xid of the prepared transaction.
Bytes prepared_parts(uint32_t flags, uint32_t xid) {
  ByteWriter out;
  out.put(flags | 1u << 4);
  const auto items = [&](uint32_t count, size_t bytes_each) {
    out.put(count);
    out.put_bytes(Bytes(count * bytes_each, std::byte{0xEE}));
  };
  if (flags & 1u << 0) out.put_bytes(Bytes(8, std::byte{0xEE}));
  if (flags & 1u << 1) items(2, 4);
  if (flags & 1u << 2) items(3, 12);
  if (flags & 1u << 8) items(1, 12);
  if (flags & 1u << 3) items(2, 16);
  out.put(xid);
  return out.take();
}

TEST_F(WalRecords, APreparedTransactionIsNamedByItsOwnXidBehindAnyFlaggedParts) {
  for (uint32_t flags = 0; flags < 512; ++flags) {
    if (flags & 0xF0) continue;  // the xid's own flag, and what stands behind it
    wal = WalTestBuilder();
    wal.transaction(0x80 | 0x30, 0, kNoon, prepared_parts(flags, 1234));
    const WalEvent event = last_event();
    EXPECT_EQ(event.kind, Kind::kCommit);
    EXPECT_EQ(event.xid, 1234u) << flags;
    EXPECT_EQ(event.time, kNoon);
  }
  wal.transaction(0x80 | 0x40, 0, kNoon, prepared_parts(0x3, 99));
  EXPECT_EQ(last_event().kind, Kind::kAbort);
  EXPECT_EQ(last_event().xid, 99u);
}

TEST_F(WalRecords, ACountThatReachesBeyondTheRecordIsCorrupt) {
  Bytes parts = prepared_parts(1u << 1, 1);
  store_le<uint32_t>(parts.data() + 4, 0xFFFFFFFF);
  wal.transaction(0x80 | 0x30, 0, kNoon, parts);
  last_event();
  EXPECT_EQ(error(),
            "WAL record at 0/100028: its main data of 28 bytes is too short for a record of manager 1 and "
            "info 0xb0");
}

TEST_F(WalRecords, ARestorePointHasItsNameAndTime) {
  wal.restore_point("before the migration", kNoon);
  const WalEvent event = last_event();
  EXPECT_EQ(event.kind, Kind::kRestorePoint);
  EXPECT_EQ(event.name, "before the migration");
  EXPECT_EQ(event.time, kNoon);
}

Bytes checkpoint(uint64_t redo, uint32_t timeline, uint32_t previous_timeline, uint64_t seconds) {
  ByteWriter out;
  out.put(redo);
  out.put(timeline);
  out.put(previous_timeline);
  out.put_bytes(Bytes(48));
  out.put(seconds);
  out.put_bytes(Bytes(16));
  return WalTestBuilder::main_data(out.view());
}

TEST_F(WalRecords, ACheckpointHasRedoTimelinesAndSeconds) {
  for (const uint8_t info : {0x00, 0x10}) {
    wal.record(0, info, 0, checkpoint(0x123456, 3, 2, 1'798'977'600));
    const WalEvent event = last_event();
    EXPECT_EQ(event.kind, Kind::kCheckpoint);
    EXPECT_EQ(event.redo.value, 0x123456u);
    EXPECT_EQ(event.timeline, 3u);
    EXPECT_EQ(event.previous_timeline, 2u);
    EXPECT_EQ(event.time.micros, 1'798'977'600'000'000);
  }
}

TEST_F(WalRecords, AnEndOfRecoveryHasBothTimelines) {
  ByteWriter data;
  data.put(WalTestBuilder::timestamp(kNoon));
  data.put<uint32_t>(3);
  data.put<uint32_t>(2);
  data.put<uint32_t>(1);  // version 17 adds wal_level
  wal.record(0, 0x90, 0, WalTestBuilder::main_data(data.view()));
  const WalEvent event = last_event();
  EXPECT_EQ(event.kind, Kind::kEndOfRecovery);
  EXPECT_EQ(event.timeline, 3u);
  EXPECT_EQ(event.previous_timeline, 2u);
  EXPECT_EQ(event.time, kNoon);
}

TEST_F(WalRecords, TimesBeyondTheRangeStayAtItsEnd) {
  ByteWriter data;
  data.put<uint64_t>(0x7FFF'FFFF'FFFF'FFFF);  // PostgreSQL's "infinity"
  wal.record(1, 0x00, 7, WalTestBuilder::main_data(data.view()));
  EXPECT_EQ(last_event().time.micros, 0x7FFF'FFFF'FFFF'FFFF);
}

// Block references.
struct Block {
  uint8_t flags = 0;  // above the fork number
  uint32_t relation = 16401, number = 0;
  uint8_t image_flags = 0;
  uint16_t data_size = 0;
  bool hole_size_follows = false;
};
constexpr uint8_t kHasImage = 0x10, kHasData = 0x20, kWillInit = 0x40, kSameRelation = 0x80;
constexpr uint16_t kImageBytes = 100;

Bytes record_body(const std::vector<Block>& blocks, std::string_view main = "m") {
  ByteWriter heads;
  size_t data_size = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block& block = blocks[i];
    heads.put(static_cast<uint8_t>(i));
    heads.put(block.flags);
    heads.put(block.data_size);
    data_size += block.data_size;
    if (block.flags & kHasImage) {
      heads.put(kImageBytes);
      heads.put<uint16_t>(40);
      heads.put(block.image_flags);
      if (block.hole_size_follows) heads.put<uint16_t>(500);
      data_size += kImageBytes;
    }
    if (!(block.flags & kSameRelation)) {
      heads.put<uint32_t>(1663);
      heads.put<uint32_t>(5);
      heads.put(block.relation);
    }
    heads.put(block.number);
  }
  heads.put<uint8_t>(253);  // origin
  heads.put<uint16_t>(1);
  heads.put<uint8_t>(252);  // top-level xid
  heads.put<uint32_t>(77);
  heads.put<uint8_t>(255);
  heads.put(static_cast<uint8_t>(main.size()));
  heads.put_bytes(Bytes(data_size, std::byte{0xDD}));
  heads.put_bytes(as_bytes(main));
  return heads.take();
}

struct WalImages : WalRecords {
  // "relation.block" of each image of one record with these blocks.
  std::string images_of(const std::vector<Block>& blocks, uint16_t version = WalTestBuilder::kMagic15) {
    wal = WalTestBuilder({1 << 20}, version);
    wal.record(10, 0, 7, record_body(blocks));
    const WalEvent event = last_event();
    EXPECT_EQ(error(), "none");
    EXPECT_EQ(event.kind == Kind::kFullPageImages, !event.images.empty());
    std::string out;
    for (const BlockImage& image : event.images)
      out += (out.empty() ? "" : " ") + std::to_string(image.relation) + "." + std::to_string(image.block) +
             (image.fork ? " fork " + std::to_string(image.fork) : "") + (image.stored ? "" : " init");
    return out;
  }
};

TEST_F(WalImages, AreReportedWithTheirBlocks) {
  EXPECT_EQ(images_of({{.flags = kHasImage, .relation = 16401, .number = 9, .image_flags = 0x02},
                       {.flags = kHasImage | kSameRelation, .number = 10, .image_flags = 0x02},
                       {.flags = kHasImage | 2, .relation = 16500, .number = 0, .image_flags = 0x02}}),
            "16401.9 16401.10 16500.0 fork 2");
}

TEST_F(WalImages, OfOtherBlocksAreNone) {
  EXPECT_EQ(images_of({{.flags = kHasData, .data_size = 12}, {.flags = kSameRelation, .number = 1}}), "");
}

TEST_F(WalImages, IncludeBlocksThatAreInitialisedAnew) {
  EXPECT_EQ(images_of({{.flags = kWillInit | kHasData, .number = 4, .data_size = 9}}), "16401.4 init");
}

TEST_F(WalImages, OfConsistencyChecksAreNone) {
  EXPECT_EQ(images_of({{.flags = kHasImage, .image_flags = 0}}), "");
}

TEST_F(WalImages, FromFifteenOnNameTheirCompression) {
  for (const uint8_t compression : {0x04, 0x08, 0x10})
    EXPECT_EQ(images_of({{.flags = kHasImage,
                          .number = 3,
                          .image_flags = static_cast<uint8_t>(0x03 | compression),
                          .hole_size_follows = true}}),
              "16401.3");
  EXPECT_EQ(images_of({{.flags = kHasImage, .number = 3, .image_flags = 0x03}}), "16401.3");
}

TEST_F(WalImages, BeforeFifteenHaveOtherFlags) {
  for (const uint16_t version : {uint16_t{0xD106}, WalTestBuilder::kMagic14}) {
    EXPECT_EQ(images_of({{.flags = kHasImage, .number = 3, .image_flags = 0x07, .hole_size_follows = true}},
                        version),
              "16401.3");
    EXPECT_EQ(images_of({{.flags = kHasImage, .number = 3, .image_flags = 0x05}}, version), "16401.3");
    EXPECT_EQ(images_of({{.flags = kHasImage, .image_flags = 0x03, .hole_size_follows = true}}, version), "");
  }
}

TEST_F(WalImages, AreNotReportedUnlessAskedFor) {
  wal.record(10, 0, 7, record_body({{.flags = kHasImage, .image_flags = 0x02}}));
  EXPECT_TRUE(last_event(false).images.empty());
}

// Records whose CRC is right and whose contents are not: a bug or an attack, never to be believed.
struct ContradictoryRecords : WalRecords {
  std::string error_of(BytesView body) {
    wal = WalTestBuilder();
    wal.record(10, 0, 7, body);
    last_event();
    EXPECT_TRUE(status.is(Errc::kCorrupt));
    return error().substr(error().find(": ") + 2);
  }
};

TEST_F(ContradictoryRecords, WithAnUnknownPart) {
  const Bytes body = {std::byte{200}, std::byte{0}};
  EXPECT_EQ(error_of(body), "it has a part with the unknown id 200");
}

TEST_F(ContradictoryRecords, WithPartsLongerOrShorterThanTheRecord) {
  Bytes body = WalTestBuilder::main_data(as_bytes("main data"));
  body.push_back(std::byte{0});
  EXPECT_EQ(error_of(body), "its parts do not add up to its length");
  body.resize(body.size() - 2);
  EXPECT_EQ(error_of(body), "its parts do not add up to its length");
}

TEST_F(ContradictoryRecords, WithBlockReferencesOutOfOrder) {
  Bytes body = record_body({{.relation = 1}, {.flags = kSameRelation}});
  body[20] = std::byte{0};
  EXPECT_EQ(error_of(body), "block reference 0 follows 0");
}

TEST_F(ContradictoryRecords, WithTheSameRelationAsNone) {
  EXPECT_EQ(error_of(record_body({{.flags = kSameRelation}})),
            "block reference 0 is to the relation of a reference before it, but is the first");
}

TEST_F(ContradictoryRecords, WithDataThatIsNotFlagged) {
  EXPECT_EQ(error_of(record_body({{.flags = 0, .data_size = 5}})),
            "block reference 0 has 5 bytes of data and flags 0x00");
}

TEST_F(ContradictoryRecords, CutAnywhereUnlessTheRestAddsUpByChance) {
  const Bytes body =
      record_body({{.flags = kHasImage, .image_flags = 0x02}, {.flags = kHasData, .data_size = 7}});
  size_t added_up = 0;
  for (size_t size = 1; size < body.size(); ++size) {
    wal = WalTestBuilder();
    wal.record(10, 0, 7, BytesView(body).first(size));
    last_event();
    if (status.ok()) ++added_up;
    EXPECT_TRUE(status.ok() || status.is(Errc::kCorrupt)) << size;
  }
  EXPECT_EQ(added_up,
            4u);  // headers that end before the cut, and after them just as many bytes as they announce
}

}  // namespace
}  // namespace daruma::postgres
