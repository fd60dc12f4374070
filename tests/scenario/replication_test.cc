// Goal: the replication connection tells what a real server says: positions, slots, WAL, base backups,
// timelines; and every way it can fail comes out as the code and the hint that the contract promises.
#include "datastore/postgres/replication.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/size.h"
#include "datastore/postgres/tar_reader.h"
#include "support/postgres_server.h"

namespace daruma::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Duration kPatience = 60s;

class Replication : public testing::Test {
 protected:
  std::unique_ptr<ReplicationConnection> connect(const ConnectionSettings& to) {
    auto connection = libpq_replication(to, "daruma", *clock_)->connect(soon());
    if (!connection.ok()) ADD_FAILURE() << connection.error().what;
    return connection.ok() ? *std::move(connection) : nullptr;
  }
  std::unique_ptr<ReplicationConnection> connect() { return connect(server_.settings()); }
  Error connect_error(const ConnectionSettings& to) {
    auto connection = libpq_replication(to, "daruma", *clock_)->connect(soon());
    if (!connection.ok()) return connection.error();
    ADD_FAILURE() << "the connection was made";
    return {};
  }
  Deadline soon() { return clock_->after(kPatience); }

  // Streams from the start of the segment that `start` lies in.
  void stream_from(ReplicationConnection& connection, Lsn start, Timeline timeline,
                   const std::string& slot = "") {
    const Status status = connection.start_streaming({slot, timeline, start});
    ASSERT_TRUE(status.ok()) << status.error().what;
  }
  // Receives until `end` was reached; the bytes from the first on.
  Bytes receive_until(ReplicationConnection& connection, Lsn end) {
    Bytes wal;
    for (Lsn position; position < end;) {
      auto message = connection.receive(soon());
      if (!message.ok() || std::holds_alternative<NothingYet>(*message)) {
        ADD_FAILURE() << (message.ok() ? "nothing came" : message.error().what);
        break;
      }
      if (const auto* data = std::get_if<WalData>(&*message)) {
        EXPECT_TRUE(position.is_none() || data->start == position);
        wal.insert(wal.end(), data->bytes.begin(), data->bytes.end());
        position = data->start + data->bytes.size();
      }
    }
    return wal;
  }
  // Receives until something else than WAL and keepalives comes.
  Result<StreamMessage> receive_end(ReplicationConnection& connection) {
    while (true) {
      auto message = connection.receive(soon());
      if (!message.ok() || std::holds_alternative<EndOfTimeline>(*message) ||
          std::holds_alternative<NothingYet>(*message)) {
        return message;
      }
    }
  }
  Lsn write_some_wal() {
    server_.sql("CREATE TABLE IF NOT EXISTS bookings (id bigint, guest text)");
    server_.sql("INSERT INTO bookings SELECT i, 'guest ' || i FROM generate_series(1, 5000) AS i");
    return *parse_lsn(server_.value("SELECT pg_current_wal_flush_lsn()"));
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  PostgresServer server_{{.wal_segment_mib = 1, .tcp = true, .configuration = {"max_wal_size = 32MB"}}};
};

class RunningServer : public Replication {
 protected:
  RunningServer() { server_.start(); }
};

TEST_F(RunningServer, SaysWhoItIs) {
  const auto identity = connect()->identify();
  ASSERT_TRUE(identity.ok()) << identity.error().what;
  EXPECT_EQ(std::to_string(identity->system_identifier),
            server_.value("SELECT system_identifier FROM pg_control_system()"));
  EXPECT_EQ(identity->timeline, 1u);
  EXPECT_LE(identity->flushed, *parse_lsn(server_.value("SELECT pg_current_wal_flush_lsn()")));
  EXPECT_EQ(std::to_string(connect()->server_version()), server_.value("SHOW server_version_num"));
}

TEST_F(RunningServer, TellsItsSettings) {
  const auto connection = connect(server_.tcp_settings());
  EXPECT_EQ(*connection->show("wal_segment_size"), "1MB");
  EXPECT_EQ(*connection->show("data_checksums"), "on");
  EXPECT_TRUE(connection->show("no_such_setting").is(Errc::kNotFound));
  EXPECT_EQ(*connection->show("block_size"), "8192");  // and goes on after an error
}

TEST_F(RunningServer, KeepsSlotsUntilTheyAreDropped) {
  const auto connection = connect();
  EXPECT_FALSE(connection->read_slot("daruma")->exists);
  ASSERT_TRUE(connection->create_slot("daruma", false).ok());
  const auto slot = connection->read_slot("daruma");
  EXPECT_TRUE(slot->exists);
  EXPECT_FALSE(slot->restart.is_none());
  EXPECT_EQ(slot->restart_timeline, 1u);
  EXPECT_TRUE(connection->create_slot("daruma", false).is(Errc::kExists));
  ASSERT_TRUE(connection->drop_slot("daruma").ok());
  EXPECT_TRUE(connection->drop_slot("daruma").is(Errc::kNotFound));
  EXPECT_TRUE(connection->create_slot("Not; a slot", true).is(Errc::kInvalid));
}

TEST_F(RunningServer, ATemporarySlotGoesWithItsConnection) {
  auto connection = connect();
  ASSERT_TRUE(connection->create_slot("passing", true).ok());
  EXPECT_EQ(server_.value("SELECT temporary FROM pg_replication_slots WHERE slot_name = 'passing'"), "t");
  connection.reset();
  const Deadline deadline = soon();
  while (server_.value("SELECT count(*) FROM pg_replication_slots") != "0" &&
         !deadline.passed(clock_->mono())) {
  }
  EXPECT_FALSE(connect()->read_slot("passing")->exists);
}

TEST_F(RunningServer, StreamsTheWalThatItWrites) {
  const auto connection = connect();
  ASSERT_TRUE(connection->create_slot("daruma", false).ok());
  const Lsn start = SegmentSize{kMiB}.floor(connection->read_slot("daruma")->restart);
  stream_from(*connection, start, 1, "daruma");
  const Lsn end = write_some_wal();
  const Bytes wal = receive_until(*connection, end);

  const std::string name = segment_name(1, SegmentSize{kMiB}.number_of(start), SegmentSize{kMiB});
  const auto segment = read_file(*real_file_system(), server_.data() / "pg_wal" / name, 2 * kMiB);
  const size_t held = std::min<size_t>(wal.size(), kMiB);
  ASSERT_GT(held, 0u);
  EXPECT_TRUE(std::equal(wal.begin(), wal.begin() + static_cast<std::ptrdiff_t>(held), segment->begin()));
}

TEST_F(RunningServer, SeesWhatWasReportedFlushedAndNothingApplied) {
  const auto connection = connect();
  ASSERT_TRUE(connection->create_slot("daruma", false).ok());
  stream_from(*connection, connection->read_slot("daruma")->restart, 1, "daruma");
  const Lsn end = write_some_wal();
  receive_until(*connection, end);
  ASSERT_TRUE(connection->report_flushed(end, clock_->now(), true).ok());

  const auto answer = connection->receive(soon());  // the server answers when it has read the report
  ASSERT_TRUE(answer.ok() && std::holds_alternative<Keepalive>(*answer));
  const auto row =
      server_.sql("SELECT application_name, write_lsn, flush_lsn, replay_lsn FROM pg_stat_replication")[0];
  EXPECT_EQ(row, (SqlRow{"daruma", to_string(end), to_string(end), std::nullopt}));
  EXPECT_EQ(connect()->read_slot("daruma")->restart, end);
}

TEST_F(RunningServer, TellsWithoutWaitingWhetherAMessageIsThere) {
  const auto connection = connect();
  const Lsn start = connection->identify()->flushed;
  stream_from(*connection, start, 1);
  const Lsn end = write_some_wal();
  const Deadline deadline = soon();
  while (!*connection->message_waiting() && !deadline.passed(clock_->mono())) {
  }
  EXPECT_TRUE(*connection->message_waiting());
  receive_until(*connection, end);
  while (*connection->message_waiting()) ASSERT_TRUE(connection->receive(soon()).ok());
  EXPECT_TRUE(std::holds_alternative<NothingYet>(*connection->receive(clock_->after(Duration{0}))));
}

TEST_F(RunningServer, ASlotHasOneReader) {
  const auto first = connect();
  ASSERT_TRUE(first->create_slot("daruma", false).ok());
  const Lsn start = first->read_slot("daruma")->restart;
  stream_from(*first, start, 1, "daruma");
  ASSERT_TRUE(first->receive(soon()).ok());
  const auto second = connect();
  const Status refused = second->start_streaming({"daruma", 1, start});
  EXPECT_TRUE(refused.is(Errc::kUnavailable)) << refused.error().what;
  EXPECT_THAT(refused.error().hint, HasSubstr("pg_replication_slots"));
}

TEST_F(RunningServer, ALostSlotAndRemovedWalAreNotFoundAndNamed) {
  const auto connection = connect();
  const Lsn start = connection->identify()->flushed;
  const Status lost = connection->start_streaming({"lost", 1, start});
  EXPECT_TRUE(lost.is(Errc::kNotFound));
  EXPECT_THAT(lost.error().what, HasSubstr("\"lost\""));

  stream_from(*connection, Lsn{kMiB}, 1);  // WAL begins with the segment after this one
  const auto message = receive_end(*connection);
  EXPECT_TRUE(message.is(Errc::kNotFound));
  EXPECT_THAT(message.error().what, HasSubstr("streaming WAL from 0/100000 of timeline 1"));
  EXPECT_TRUE(connection->identify().ok());
}

TEST_F(RunningServer, AWaitCanBeInterruptedForGood) {
  const auto connection = connect();
  stream_from(*connection, connection->identify()->flushed, 1);
  std::thread other([&] { connection->interrupt(); });
  const auto message = receive_end(*connection);
  other.join();
  EXPECT_TRUE(message.is(Errc::kCancelled));
  EXPECT_TRUE(connection->receive(soon()).is(Errc::kCancelled));
}

TEST_F(RunningServer, AKilledServerBreaksTheStreamWithUnavailable) {
  const auto connection = connect();
  stream_from(*connection, connection->identify()->flushed, 1);
  server_.kill9();
  EXPECT_TRUE(receive_end(*connection).is(Errc::kUnavailable));
  const Error refused = connect_error(server_.settings());
  EXPECT_EQ(refused.code, Errc::kUnavailable);
  server_.start();
  EXPECT_TRUE(connect()->identify().ok());
}

TEST_F(RunningServer, AServerThatShutsDownEndsTheStreamWithUnavailable) {
  const auto connection = connect();
  stream_from(*connection, connection->identify()->flushed, 1);
  std::thread other([&] { server_.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication"); });
  EXPECT_TRUE(receive_end(*connection).is(Errc::kUnavailable));
  other.join();
}

TEST_F(RunningServer, MissingRightsSayWhatToRun) {
  server_.sql("CREATE ROLE weak LOGIN PASSWORD 'right'");
  const Error role = connect_error(server_.settings("weak"));
  EXPECT_EQ(role.code, Errc::kRefused);
  EXPECT_EQ(role.hint, "as a superuser: ALTER ROLE weak REPLICATION;");

  server_.sql("ALTER ROLE weak REPLICATION");
  EXPECT_TRUE(connect(server_.settings("weak"))->show("data_directory").is(Errc::kRefused));

  server_.write_file("pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust\n");
  server_.sql("SELECT pg_reload_conf()");
  const Deadline deadline = soon();
  while (libpq_replication(server_.tcp_settings("weak"), "daruma", *clock_)->connect(soon()).ok() &&
         !deadline.passed(clock_->mono())) {
  }
  const Error line = connect_error(server_.tcp_settings("weak"));
  EXPECT_EQ(line.code, Errc::kRefused);
  EXPECT_THAT(line.hint, HasSubstr("\"host replication weak 127.0.0.1/32 scram-sha-256\""));
}

TEST_F(RunningServer, APasswordIsNeverShown) {
  server_.sql("CREATE ROLE careful LOGIN REPLICATION PASSWORD 'right'");
  server_.write_file("pg_hba.conf", "local all all trust\nhost replication all 127.0.0.1/32 scram-sha-256\n");
  server_.restart();
  ConnectionSettings to = server_.tcp_settings("careful");
  EXPECT_THAT(connect_error(to).what, HasSubstr("asks for a password and none was given"));
  to.password = "wrong-and-secret";
  const Error error = connect_error(to);
  EXPECT_EQ(error.code, Errc::kRefused);
  EXPECT_THAT(error.hint, HasSubstr("password given for role careful"));
  EXPECT_THAT(error.what + error.hint, Not(HasSubstr("wrong-and-secret")));
  to.password = "right";
  EXPECT_TRUE(connect(to)->identify().ok());
}

TEST_F(RunningServer, AnUnknownSslModeIsTheCallersMistake) {
  ConnectionSettings to = server_.tcp_settings();
  to.sslmode = "perhaps";
  EXPECT_EQ(connect_error(to).code, Errc::kInvalid);
}

TEST_F(RunningServer, SqlTakesParametersAndTellsNullFromEmpty) {
  const auto connection = connect_sql(server_.settings(), *clock_, soon());
  ASSERT_TRUE(connection.ok());
  const auto rows = (*connection)->query("SELECT $1::text, '', NULL", {"it's; --"});
  EXPECT_EQ((*rows)[0], (SqlRow{"it's; --", "", std::nullopt}));
  const auto failed = (*connection)->query("SELECT 1/0");
  EXPECT_TRUE(failed.is(Errc::kFailed));
  EXPECT_THAT(failed.error().what, HasSubstr("division by zero [22012]"));
  ASSERT_TRUE((*connection)->query("ROLLBACK").ok());
  EXPECT_THAT((*connection)->last_warning(), HasSubstr("no transaction in progress"));
  ASSERT_TRUE((*connection)->query("SELECT 1").ok());
  EXPECT_EQ((*connection)->last_warning(), "");
}

TEST_F(RunningServer, AQueryThatTakesTooLongEndsItsConnection) {
  const auto connection = connect_sql(server_.settings(), *clock_, soon(), 10ms);
  ASSERT_TRUE(connection.ok());
  EXPECT_TRUE((*connection)->query("SELECT pg_sleep(600)").is(Errc::kUnavailable));
  EXPECT_TRUE((*connection)->query("SELECT 1").is(Errc::kUnavailable));
}

// A promotion: a copy of the server recovers and becomes timeline 2.
class Timelines : public RunningServer {
 protected:
  // Promotes the server itself, out of a recovery with nothing to recover.
  void promote_server() {
    server_.stop();
    server_.write_file("standby.signal", "");
    server_.start();
    server_.promote();
  }
};

TEST_F(Timelines, TheOldOneEndsWhereTheNewOneBegins) {
  write_some_wal();
  const Lsn start = SegmentSize{kMiB}.floor(connect()->identify()->flushed);
  promote_server();
  const auto connection = connect();
  EXPECT_EQ(connection->identify()->timeline, 2u);

  stream_from(*connection, start, 1);
  const auto message = receive_end(*connection);
  ASSERT_TRUE(message.ok()) << message.error().what;
  const auto end = std::get<EndOfTimeline>(*message);
  EXPECT_EQ(end.next_timeline, 2u);

  const auto history = connection->timeline_history(2);  // the connection takes commands again
  ASSERT_TRUE(history.ok()) << history.error().what;
  EXPECT_THAT(*history, HasSubstr("1\t" + to_string(end.next_start)));
  EXPECT_TRUE(connection->timeline_history(3).is(Errc::kNotFound));
}

TEST_F(Timelines, StartingAtTheVeryEndOfAnOldOneSaysSoAtOnce) {
  promote_server();
  const auto connection = connect();
  stream_from(*connection, SegmentSize{kMiB}.floor(connection->identify()->flushed), 1);
  const auto end = std::get<EndOfTimeline>(*receive_end(*connection));
  stream_from(*connection, end.next_start, 1);
  EXPECT_TRUE(*connection->message_waiting());
  EXPECT_TRUE(connection->report_flushed(end.next_start, clock_->now(), false).ok());
  const auto again = std::get<EndOfTimeline>(*connection->receive(soon()));
  EXPECT_EQ(again.next_start, end.next_start);
  EXPECT_EQ(again.next_timeline, 2u);
}

// Collects the files of archives.
class Collector final : public TarSink {
 public:
  Status begin(const TarMember& member) override {
    file_ = &files[prefix + member.name];
    types[prefix + member.name] = member.type;
    return {};
  }
  Status data(BytesView bytes) override {
    file_->insert(file_->end(), bytes.begin(), bytes.end());
    return {};
  }
  Status end() override { return {}; }

  std::map<std::string, Bytes> files;
  std::map<std::string, TarMember::Type> types;
  std::string prefix;

 private:
  Bytes* file_ = nullptr;
};

class BaseBackup : public RunningServer {
 protected:
  // Takes a backup of quiet data into `collected_`; its first and last event.
  void take(const std::string& label) {
    const auto connection = connect();
    const Status started = connection->start_backup(label, true);
    ASSERT_TRUE(started.ok()) << started.error().what;
    std::unique_ptr<TarReader> reader;
    for (bool over = false; !over;) {
      const auto event = connection->next_backup_event(soon());
      ASSERT_TRUE(event.ok()) << event.error().what;
      if (const auto* start = std::get_if<BackupStart>(&*event)) start_ = *start;
      if (const auto* archive = std::get_if<BackupArchive>(&*event)) {
        ASSERT_TRUE(!reader || reader->finish().ok());
        collected_.prefix = archive->tablespace_oid == 0 ? "" : std::to_string(archive->tablespace_oid) + "/";
        reader = std::make_unique<TarReader>(collected_);
      }
      const auto* data = std::get_if<BackupData>(&*event);
      ASSERT_TRUE(data == nullptr || reader->feed(data->bytes).ok());
      over = std::holds_alternative<BackupEnd>(*event);
      if (over) end_ = std::get<BackupEnd>(*event);
    }
    ASSERT_TRUE(reader->finish().ok());
    EXPECT_TRUE(connection->identify().ok());  // it takes commands again
  }
  void expect_same_as_server(const std::string& path) {
    const auto bytes = read_file(*real_file_system(), server_.data() / path, 64 * kMiB);
    ASSERT_TRUE(bytes.ok()) << bytes.error().what;
    EXPECT_TRUE(collected_.files[path] == *bytes) << path;
  }

  Collector collected_;
  BackupStart start_;
  BackupEnd end_;
};

TEST_F(BaseBackup, HoldsTheFilesOfTheServer) {
  write_some_wal();
  server_.sql("CHECKPOINT");
  take("it's \"a\" label");
  expect_same_as_server("PG_VERSION");
  expect_same_as_server(server_.value("SELECT pg_relation_filepath('bookings')"));
  expect_same_as_server(server_.value("SELECT pg_relation_filepath('pg_class')"));
  EXPECT_THAT(std::string(as_text(collected_.files["backup_label"])), HasSubstr("LABEL: it's \"a\" label"));
  EXPECT_EQ(collected_.types["pg_wal"], TarMember::Type::kDirectory);
  EXPECT_EQ(collected_.files.count("global/pg_control"), 1u);
  EXPECT_EQ(start_.timeline, 1u);
  EXPECT_LT(start_.start, end_.end);
  ASSERT_EQ(start_.tablespaces.size(), 1u);
  EXPECT_EQ(start_.tablespaces[0].oid, 0u);
  EXPECT_GT(start_.tablespaces[0].size_bytes, kMiB);
}

TEST_F(BaseBackup, HoldsEveryTablespaceInAnArchiveOfItsOwn) {
  const Path location = server_.make_directory("fast");
  server_.sql("CREATE TABLESPACE fast LOCATION '" + location.native() + "'");
  server_.sql("CREATE TABLE rooms TABLESPACE fast AS SELECT generate_series(1, 1000) AS room");
  server_.sql("CHECKPOINT");
  take("tablespaces");
  const std::string oid = server_.value("SELECT oid FROM pg_tablespace WHERE spcname = 'fast'");
  ASSERT_EQ(start_.tablespaces.size(), 2u);
  EXPECT_EQ(start_.tablespaces[0].location, location);
  EXPECT_EQ(std::to_string(start_.tablespaces[0].oid), oid);
  EXPECT_THAT(std::string(as_text(collected_.files["tablespace_map"])),
              HasSubstr(oid + " " + location.native()));

  std::string path = server_.value("SELECT pg_relation_filepath('rooms')");  // pg_tblspc/OID/PG_15_…/5/16401
  const auto bytes = read_file(*real_file_system(), server_.data() / path, 64 * kMiB);
  path.erase(0, std::string("pg_tblspc/").size());
  EXPECT_TRUE(collected_.files[path] == *bytes);
}

TEST_F(BaseBackup, CanBeWaitedForInSmallStepsAndInterrupted) {
  const auto connection = connect();
  EXPECT_TRUE(connection->start_backup("a\nlabel", true).is(Errc::kInvalid));
  ASSERT_TRUE(connection->start_backup("spread", false).ok());
  const auto nothing = connection->next_backup_event(clock_->after(Duration{0}));
  EXPECT_TRUE(nothing.is(Errc::kCancelled)) << "a spread checkpoint takes its time";
  connection->interrupt();
  EXPECT_TRUE(connection->next_backup_event(soon()).is(Errc::kCancelled));
}

TEST_F(BaseBackup, AKilledServerBreaksItWithUnavailable) {
  const auto connection = connect();
  ASSERT_TRUE(connection->start_backup("cut", true).ok());
  ASSERT_TRUE(connection->next_backup_event(soon()).ok());
  server_.kill9();
  Status status;
  while (status.ok()) {
    const auto event = connection->next_backup_event(soon());
    if (!event.ok()) status = event.error();
    ASSERT_FALSE(event.ok() && std::holds_alternative<BackupEnd>(*event));
  }
  EXPECT_TRUE(status.is(Errc::kUnavailable)) << status.error().what;
}

}  // namespace
}  // namespace daruma::postgres
