// tests/support/record_replication.cc: plays a small hotel on a real server and records what its replication
// connection says, thinned to the files that tests look at. Run by script/record-replication.
//
//   record_replication FILE
#include <algorithm>
#include <cstdio>

#include "base/size.h"
#include "fmt/format.h"
#include "support/postgres_server.h"
#include "support/recording.h"

namespace daruma {
namespace {

using namespace postgres;

constexpr uint32_t kSegmentMib = 1;
constexpr SegmentSize kSegments{kSegmentMib * kMiB};
constexpr Duration kPatience = 60s;
constexpr const char* kSettings[] = {"archive_mode",
                                     "block_size",
                                     "data_checksums",
                                     "max_slot_wal_keep_size",
                                     "server_version",
                                     "server_version_num",
                                     "synchronous_commit",
                                     "synchronous_standby_names",
                                     "wal_block_size",
                                     "wal_keep_size",
                                     "wal_level",
                                     "wal_segment_size",
                                     "max_connections",
                                     "max_locks_per_transaction",
                                     "max_prepared_transactions",
                                     "max_wal_senders",
                                     "max_worker_processes"};

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "record_replication: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result.ok()) give_up(result.error().what);
  return *std::move(result);
}
void must(const Status& status) {
  if (!status.ok()) give_up(status.error().what);
}

// A server with the hotel's tables, one of them in a tablespace of its own.
class Hotel {
 public:
  Hotel() {
    server_.start();
    server_.sql(fmt::format("CREATE TABLESPACE fast LOCATION '{}'", server_.make_directory("fast").native()));
    server_.sql(
        "CREATE TABLE rooms TABLESPACE fast AS SELECT i AS room, i % 4 AS beds FROM generate_series(1, 500) "
        "i");
    server_.sql(
        "CREATE TABLE bookings (id bigint PRIMARY KEY, room int, guest text, made timestamptz DEFAULT "
        "now())");
    book(400);
    server_.sql("VACUUM bookings");
  }

  std::unique_ptr<ReplicationConnection> connect() {
    return must(libpq_replication(server_.settings(), "recorder", *clock_)->connect(soon()));
  }
  Deadline soon() const { return clock_->after(kPatience); }
  Lsn flushed() { return must(connect()->identify()).flushed; }

  // Books until `bytes` of WAL were written: every booking is a commit of its own.
  void work(uint64_t bytes) {
    const Lsn end = flushed() + bytes;
    while (flushed() < end) {
      book(20);
      server_.sql(fmt::format("DELETE FROM bookings WHERE id = {}", booked_ - 7));
    }
  }
  void mark(const std::string& name) {
    server_.sql(fmt::format("SELECT pg_create_restore_point('{}')", name));
  }
  void checkpoint() { server_.sql("CHECKPOINT"); }
  // What a log of a longer life holds: a prepared transaction, one that gave up, one of many rows, an early
  // switch.
  void eventful_day() {
    server_.sql(
        "DO $$ BEGIN INSERT INTO bookings VALUES (-1, 1, 'nobody'); RAISE 'changed my mind'; EXCEPTION WHEN "
        "raise_exception THEN NULL; END $$");
    const auto session = must(connect_sql(server_.settings(), *clock_, soon()));
    for (const char* statement :
         {"BEGIN", "INSERT INTO bookings VALUES (-2, 1, 'two phases')", "PREPARE TRANSACTION 'stay'",
          "COMMIT PREPARED 'stay'", "BEGIN", "INSERT INTO bookings VALUES (-3, 1, 'gone')", "ROLLBACK"}) {
      must(session->query(statement));
    }
    server_.sql("SELECT pg_switch_wal()");
  }
  void undo_by_mistake() { server_.sql("DELETE FROM bookings WHERE id > 100"); }
  // By their names in the archives: the hotel's relations and those of a few catalogs.
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const char* relation :
         {"bookings", "bookings_pkey", "rooms", "pg_am", "pg_namespace", "pg_database"}) {
      std::string path = server_.value(fmt::format("SELECT pg_relation_filepath('{}')", relation));
      constexpr std::string_view kTablespaces = "pg_tblspc/";
      if (path.starts_with(kTablespaces)) path.erase(0, path.find('/', kTablespaces.size()) + 1);
      for (const char* fork : {"", "_fsm", "_vm"}) names.push_back(path + fork);
    }
    return names;
  }
  // Recovers with nothing to recover, and goes on as the next timeline.
  void promote() {
    server_.stop();
    server_.write_file("standby.signal", "");
    server_.start();
    server_.promote();
  }

 private:
  void book(int count) {
    const auto session = must(connect_sql(server_.settings(), *clock_, soon()));
    for (int i = 0; i < count; ++i) {
      ++booked_;
      must(session->query(
          "INSERT INTO bookings (id, room, guest) VALUES ($1, $2, $3)",
          {std::to_string(booked_), std::to_string(booked_ % 500), fmt::format("guest {}", booked_)}));
    }
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  PostgresServer server_{{.wal_segment_mib = kSegmentMib,
                          .configuration = {"autovacuum = off", "wal_keep_size = 64MB", "max_wal_size = 64MB",
                                            "max_prepared_transactions = 4", "checkpoint_timeout = 1h",
                                            "bgwriter_lru_maxpages = 0"}}};
  int64_t booked_ = 0;
};

// True for what tests look at: everything that is not data, and the relations of one database that say
// something.
bool worth_keeping(const std::string& name, const std::vector<std::string>& relations) {
  const auto under = [&](const std::string& folder) { return name.starts_with(folder); };
  if (name.ends_with('/')) return true;
  if (under("base/") || under("global/") || under("PG_")) {
    const bool relation = std::find(relations.begin(), relations.end(), name) != relations.end();
    return relation || name.ends_with("PG_VERSION") || name == "global/pg_control" ||
           name.ends_with("pg_filenode.map");
  }
  return true;
}

// Copies the members worth keeping, headers and all, as the server wrote them.
Bytes thin(BytesView archive, const std::vector<std::string>& relations) {
  constexpr size_t kBlock = 512;
  const auto text = [](BytesView field) {
    return std::string(as_text(field).substr(0, as_text(field).find('\0')));
  };
  Bytes out;
  while (archive.size() >= kBlock && archive[0] != std::byte{0}) {
    const uint64_t size = std::stoull(text(archive.subspan(124, 12)), nullptr, 8);
    const size_t whole = kBlock + (size + kBlock - 1) / kBlock * kBlock;
    if (worth_keeping(text(archive.first(100)), relations)) {
      out.insert(out.end(), archive.begin(), archive.begin() + static_cast<std::ptrdiff_t>(whole));
    }
    archive = archive.subspan(whole);
  }
  return out;
}

void record_backup(ReplicationConnection& connection, Deadline deadline, ServerRecording& out) {
  must(connection.start_backup("hotel", true));
  Bytes* archive = nullptr;
  while (true) {
    const BackupEvent event = must(connection.next_backup_event(deadline));
    if (const auto* start = std::get_if<BackupStart>(&event)) {
      out.backup_start = start->start;
      out.tablespaces = start->tablespaces;
    } else if (const auto* begun = std::get_if<BackupArchive>(&event)) {
      archive = &out.archives[begun->tablespace_oid];
    } else if (const auto* data = std::get_if<BackupData>(&event)) {
      archive->insert(archive->end(), data->bytes.begin(), data->bytes.end());
    } else {
      out.backup_end = std::get<BackupEnd>(event).end;
      return;
    }
  }
}

// Streams a timeline from `start` to its end, or to `end` when it is the newest.
TimelineRecording record_timeline(ReplicationConnection& connection, Deadline deadline, Timeline timeline,
                                  Lsn start, Lsn end) {
  TimelineRecording out{
      timeline, start, {}, {}, timeline == 1 ? "" : must(connection.timeline_history(timeline))};
  must(connection.start_streaming({"", timeline, start}));
  while (out.start + out.wal.size() < end) {
    const StreamMessage message = must(connection.receive(deadline));
    if (const auto* data = std::get_if<WalData>(&message)) {
      out.wal.insert(out.wal.end(), data->bytes.begin(), data->bytes.end());
    } else if (const auto* over = std::get_if<EndOfTimeline>(&message)) {
      out.switched_at = over->next_start;
      return out;
    } else if (std::holds_alternative<NothingYet>(message)) {
      give_up("the server stopped sending WAL");
    }
  }
  return out;
}

ServerRecording record() {
  Hotel hotel;
  ServerRecording out;
  const auto connection = hotel.connect();
  const ServerIdentity identity = must(connection->identify());
  out.system_identifier = identity.system_identifier;
  out.server_version = connection->server_version();
  for (const char* name : kSettings) out.settings[name] = must(connection->show(name));
  hotel.checkpoint();
  record_backup(*connection, hotel.soon(), out);
  for (auto& [oid, archive] : out.archives) archive = thin(archive, hotel.files());

  hotel.work(kMiB / 2);
  hotel.mark("before_the_eventful_day");
  hotel.eventful_day();
  hotel.checkpoint();
  hotel.work(kMiB / 4);
  hotel.mark("before_the_mistake");
  hotel.undo_by_mistake();
  hotel.work(kMiB / 4);
  hotel.promote();
  hotel.mark("after_the_promotion");
  hotel.work(kMiB / 2);

  const auto reader = hotel.connect();
  const Lsn end = hotel.flushed();
  out.timelines.push_back(record_timeline(*reader, hotel.soon(), 1, kSegments.floor(out.backup_start), end));
  const Lsn left_at = out.timelines[0].switched_at;
  out.timelines.push_back(record_timeline(*reader, hotel.soon(), 2, kSegments.floor(left_at), end));
  return out;
}

int run(const Path& path) {
  const ServerRecording recording = record();
  if (!recording.consistent()) give_up("the recording is not consistent");
  must(store_recording(*real_file_system(), path, recording));
  for (const auto& [oid, archive] : recording.archives) {
    fmt::print("archive {:5}  {}\n", oid, human_bytes(archive.size()));
  }
  for (const TimelineRecording& timeline : recording.timelines) {
    fmt::print("timeline {}     {} from {}\n", timeline.timeline, human_bytes(timeline.wal.size()),
               to_string(timeline.start));
  }
  return 0;
}

}  // namespace
}  // namespace daruma

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: record_replication FILE\n");
    return 2;
  }
  return daruma::run(argv[1]);
}
