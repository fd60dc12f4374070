// Goal: the twin behaves as a real server does (tests/scenario/replication_test.cc says how that is), and
// breaks, forgets and reveals exactly when it is told to.
#include "datastore/postgres/replication_twin.h"

#include <gmock/gmock.h>

#include "datastore/postgres/tar_reader.h"

namespace daruma::postgres {
namespace {

using testing::HasSubstr;

constexpr uint64_t kSegment = 1 << 20;

Bytes wal_like(size_t size, unsigned char seed) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(seed + i / 100);
  return bytes;
}

// Timeline 1 from 3 MiB, left at 4.5 MiB; timeline 2 from 4 MiB to 5 MiB.
ServerRecording small_recording() {
  ServerRecording recording;
  recording.system_identifier = 7123;
  recording.server_version = 150004;
  recording.settings = {{"wal_segment_size", "1MB"}};
  recording.tablespaces = {{16400, "/srv/fast", 1000}, {0, "", 2000}};
  recording.archives = {{16400, wal_like(40'000, 1)}, {0, wal_like(70'000, 2)}};
  recording.backup_start = {3 * kSegment + 40};
  recording.backup_end = {3 * kSegment + 1000};
  recording.timelines = {
      {1, {3 * kSegment}, wal_like(kSegment + kSegment / 2, 3), {4 * kSegment + kSegment / 2}, ""},
      {2, {4 * kSegment}, wal_like(kSegment, 4), {}, "1\t0/480000\tno recovery target specified\n"}};
  return recording;
}

class Twin : public testing::Test {
 protected:
  std::unique_ptr<ReplicationConnection> connect() { return *server_.connect(Deadline::never()); }
  std::unique_ptr<ReplicationConnection> stream(const std::string& slot = "", Lsn start = kStart) {
    auto connection = connect();
    if (!slot.empty()) static_cast<void>(connection->create_slot(slot, false));
    const Status status = connection->start_streaming({slot, 1, start});
    EXPECT_TRUE(status.ok()) << status.error().what;
    return connection;
  }
  // Everything that can be had now.
  static Bytes drain(ReplicationConnection& connection) {
    Bytes wal;
    while (true) {
      const auto message = connection.receive(Deadline::never());
      if (!message.ok() || !std::holds_alternative<WalData>(*message)) return wal;
      const BytesView bytes = std::get<WalData>(*message).bytes;
      wal.insert(wal.end(), bytes.begin(), bytes.end());
    }
  }
  template <class Message>
  static Message receive(ReplicationConnection& connection) {
    const auto message = connection.receive(Deadline::never());
    EXPECT_TRUE(message.ok()) << message.error().what;
    EXPECT_TRUE(std::holds_alternative<Message>(*message));
    return std::get<Message>(*message);
  }

  static constexpr Lsn kStart{3 * kSegment};
  ReplicationTwin server_{small_recording()};
};

TEST_F(Twin, SaysWhoItIsAndHowFarItHasWritten) {
  EXPECT_EQ(connect()->identify()->system_identifier, 7123u);
  EXPECT_EQ(connect()->identify()->flushed, server_.recording().backup_end);
  server_.write_all();
  EXPECT_EQ(connect()->identify()->flushed, (Lsn{4 * kSegment + kSegment / 2}));
  EXPECT_EQ(*connect()->show("wal_segment_size"), "1MB");
  EXPECT_TRUE(connect()->show("port").is(Errc::kNotFound));
}

TEST_F(Twin, RevealsWalOnlyAsFarAsItWasWritten) {
  const auto connection = stream();
  EXPECT_EQ(drain(*connection).size(), 1000u);
  EXPECT_FALSE(*connection->message_waiting());
  receive<NothingYet>(*connection);
  server_.write_until({3 * kSegment + 5000});
  EXPECT_TRUE(*connection->message_waiting());
  EXPECT_EQ(drain(*connection).size(), 4000u);
}

TEST_F(Twin, SendsPiecesOfTheSizeAsked) {
  server_.write_all();
  server_.set_piece_bytes(300);
  const auto connection = stream();
  const auto first = receive<WalData>(*connection);
  EXPECT_EQ(first.start, kStart);
  EXPECT_EQ(first.bytes.size(), 300u);
  EXPECT_EQ(receive<WalData>(*connection).start, kStart + 300);
  const Bytes rest = drain(*connection);
  EXPECT_EQ(rest.size() + 600, kSegment + kSegment / 2);
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), server_.recording().timelines[0].wal.begin() + 600));
}

TEST_F(Twin, RemembersTheLargestPositionReportedThroughASlot) {
  const auto connection = stream("daruma");
  EXPECT_TRUE(server_.reported_flushed("daruma").is_none());
  ASSERT_TRUE(connection->report_flushed(kStart + 500, {}, false).ok());
  ASSERT_TRUE(connection->report_flushed(kStart + 200, {}, true).ok());
  EXPECT_EQ(server_.reported_flushed("daruma"), kStart + 500);
  EXPECT_EQ(receive<Keepalive>(*connection).server_end, server_.recording().backup_end);
  EXPECT_EQ(connect()->read_slot("daruma")->restart, kStart + 500);
}

TEST_F(Twin, GivesASlotToOneReaderAndFreesItWithTheConnection) {
  auto first = stream("daruma");
  const auto second = connect();
  EXPECT_TRUE(second->create_slot("daruma", false).is(Errc::kExists));
  EXPECT_TRUE(second->start_streaming({"daruma", 1, kStart}).is(Errc::kUnavailable));
  EXPECT_TRUE(second->drop_slot("daruma").is(Errc::kUnavailable));
  first.reset();
  EXPECT_TRUE(second->start_streaming({"daruma", 1, kStart}).ok());
}

TEST_F(Twin, ForgetsATemporarySlotWithItsConnection) {
  auto connection = connect();
  ASSERT_TRUE(connection->create_slot("passing", true).ok());
  EXPECT_TRUE(connect()->read_slot("passing")->exists);
  connection.reset();
  EXPECT_FALSE(connect()->read_slot("passing")->exists);
}

TEST_F(Twin, LeadsFromOneTimelineToTheNextOnceItWasPromoted) {
  server_.write_all();
  const auto connection = stream();
  drain(*connection);
  receive<NothingYet>(*connection);
  EXPECT_TRUE(connect()->timeline_history(2).is(Errc::kNotFound));
  EXPECT_TRUE(connect()->start_streaming({"", 2, {4 * kSegment}}).is(Errc::kFailed));

  server_.promote();
  const auto end = receive<EndOfTimeline>(*connection);
  EXPECT_EQ(end.next_timeline, 2u);
  EXPECT_EQ(end.next_start, (Lsn{4 * kSegment + kSegment / 2}));
  EXPECT_EQ(connection->identify()->timeline, 2u);
  EXPECT_THAT(*connection->timeline_history(2), HasSubstr("0/480000"));
  ASSERT_TRUE(connection->start_streaming({"", 2, {4 * kSegment}}).ok());
  server_.write_all();
  EXPECT_EQ(drain(*connection), server_.recording().timelines[1].wal);
}

TEST_F(Twin, PlaysTheBaseBackupArchiveByArchive) {
  const auto connection = connect();
  ASSERT_TRUE(connection->start_backup("label", true).ok());
  std::map<uint32_t, Bytes> archives;
  uint32_t current = 0;
  const auto start = std::get<BackupStart>(*connection->next_backup_event(Deadline::never()));
  EXPECT_EQ(start.tablespaces.size(), 2u);
  while (true) {
    const auto event = *connection->next_backup_event(Deadline::never());
    if (const auto* archive = std::get_if<BackupArchive>(&event)) current = archive->tablespace_oid;
    if (const auto* data = std::get_if<BackupData>(&event)) {
      archives[current].insert(archives[current].end(), data->bytes.begin(), data->bytes.end());
    }
    if (const auto* end = std::get_if<BackupEnd>(&event)) {
      EXPECT_EQ(end->end, server_.recording().backup_end);
      break;
    }
  }
  EXPECT_EQ(archives, server_.recording().archives);
  EXPECT_TRUE(connection->identify().ok());
}

TEST_F(Twin, BreaksEveryConnectionOnceAfterTheMessagesCounted) {
  server_.write_all();
  server_.set_piece_bytes(100);
  const auto first = stream("daruma");
  const auto second = stream();
  server_.break_after(2);
  receive<WalData>(*first);
  receive<WalData>(*second);
  EXPECT_TRUE(first->receive(Deadline::never()).is(Errc::kUnavailable));
  EXPECT_TRUE(second->receive(Deadline::never()).is(Errc::kUnavailable));
  EXPECT_TRUE(first->report_flushed(kStart, {}, false).is(Errc::kUnavailable));
  EXPECT_TRUE(first->identify().is(Errc::kUnavailable));
  EXPECT_EQ(drain(*stream("daruma", kStart + 100)).size(), kSegment + kSegment / 2 - 100);
}

TEST_F(Twin, HasNoWalBeforeWhatItRecycled) {
  server_.write_all();
  const auto reader = stream("daruma");
  server_.recycle_before({4 * kSegment});
  EXPECT_TRUE(connect()->read_slot("daruma")->restart.is_none());
  EXPECT_TRUE(reader->receive(Deadline::never()).is(Errc::kNotFound));
  EXPECT_TRUE(reader->identify().ok());
  EXPECT_EQ(drain(*stream("", {4 * kSegment})).size(), kSegment / 2);
}

TEST_F(Twin, ALostSlotBreaksItsStreamAndIsNotFound) {
  const auto connection = stream("daruma");
  server_.lose_slot("daruma");
  EXPECT_TRUE(connection->receive(Deadline::never()).is(Errc::kUnavailable));
  EXPECT_TRUE(connect()->start_streaming({"daruma", 1, kStart}).is(Errc::kNotFound));
  EXPECT_TRUE(connect()->drop_slot("daruma").is(Errc::kNotFound));
}

TEST_F(Twin, AnInterruptHoldsForGood) {
  const auto connection = stream();
  connection->interrupt();
  EXPECT_TRUE(connection->receive(Deadline::never()).is(Errc::kCancelled));
  EXPECT_TRUE(connection->message_waiting().is(Errc::kCancelled));
}

TEST(Recording, ComesBackAsItWasWritten) {
  const ServerRecording recording = small_recording();
  const auto again = decode_recording(encode_recording(recording));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(encode_recording(*again), encode_recording(recording));
  EXPECT_EQ(again->archives, recording.archives);
  EXPECT_EQ(again->timelines[1].history, recording.timelines[1].history);
  EXPECT_EQ(again->settings, recording.settings);
}

TEST(Recording, IsRefusedWhenCutOrFlipped) {
  const Bytes good = encode_recording(small_recording());
  for (const size_t at : {size_t{0}, size_t{9}, size_t{40}, good.size() / 2, good.size() - 1}) {
    Bytes flipped = good;
    flipped[at] ^= std::byte{0x10};
    EXPECT_TRUE(decode_recording(flipped).is(Errc::kCorrupt)) << at;
    EXPECT_TRUE(decode_recording(BytesView(good).first(at)).is(Errc::kCorrupt)) << at;
  }
}

TEST(Recording, IsRefusedWhenItsPartsDoNotFit) {
  ServerRecording no_archive = small_recording();
  no_archive.archives.erase(16400);
  EXPECT_TRUE(decode_recording(encode_recording(no_archive)).is(Errc::kCorrupt));
  ServerRecording gap = small_recording();
  gap.timelines[0].wal.resize(1000);
  EXPECT_TRUE(decode_recording(encode_recording(gap)).is(Errc::kCorrupt));
}

}  // namespace
}  // namespace daruma::postgres
