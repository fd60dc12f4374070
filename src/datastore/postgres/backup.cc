#include "datastore/postgres/backup.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/size.h"
#include "datastore/postgres/page_watch.h"
#include "datastore/postgres/settings.h"
#include "datastore/postgres/tar_reader.h"
#include "datastore/postgres/wal_summary.h"
#include "repository/log.h"

namespace daruma::postgres {
namespace {

constexpr Duration kConnectWithin = std::chrono::seconds(10);
constexpr Duration kSilenceMax =
    std::chrono::minutes(10);  // a checkpoint may take long before the first byte
constexpr Duration kWalWithin = std::chrono::minutes(5);
constexpr Duration kPollEvery = std::chrono::milliseconds(100);
constexpr Duration kProgressEvery = std::chrono::milliseconds(200);

// Files of a base backup that belong to the tar form, not to the cluster.
bool is_packaging(std::string_view path) { return path == "tablespace_map" || path == "backup_manifest"; }

// Hands tar members to the snapshot under the paths they have in the data directory.
class Feed final : public TarSink {
 public:
  explicit Feed(SnapshotWriter& snapshot) : snapshot_(snapshot) {}

  void begin_archive(uint32_t tablespace) {
    prefix_ = tablespace == 0 ? "" : fmt::format("pg_tblspc/{}/", tablespace);
  }

  Status begin(const TarMember& member) override {
    skipping_ = member.name == "." || member.name.empty() || (prefix_.empty() && is_packaging(member.name));
    // Links under pg_tblspc are made anew by a restore, to where it puts the tablespaces.
    skipping_ |=
        prefix_.empty() && member.name.starts_with("pg_tblspc/") && member.type == TarMember::Type::kSymlink;
    if (skipping_) return {};
    FileEntry entry;
    entry.path = prefix_ + member.name;
    entry.type = member.type == TarMember::Type::kFile        ? FileEntry::Type::kFile
                 : member.type == TarMember::Type::kDirectory ? FileEntry::Type::kDirectory
                                                              : FileEntry::Type::kSymlink;
    entry.mode = member.mode;
    entry.modified = member.modified;
    entry.size = member.size;
    entry.target = member.target;
    return snapshot_.begin_file(entry);
  }
  Status data(BytesView bytes) override { return skipping_ ? Status{} : snapshot_.write(bytes); }
  Status end() override { return skipping_ ? Status{} : snapshot_.end_file(); }

 private:
  SnapshotWriter& snapshot_;
  std::string prefix_;
  bool skipping_ = false;
};

class Backup {
 public:
  Backup(ReplicationServer& server, Repository& repository, Clock& clock, const BackupOptions& options,
         std::stop_token stop)
      : server_(server), repository_(repository), clock_(clock), options_(options), stop_(std::move(stop)) {}

  Result<BackupResult> run() {
    DR_TRY(connection_, server_.connect(clock_.after(kConnectWithin)));
    const std::stop_callback interrupt(stop_, [this] { connection_->interrupt(); });
    DR_OK(greet());
    if (!options_.capture_running()) DR_OK(reserve_wal());
    meta_.started = clock_.now();
    options_.progress({BackupProgress::Phase::kStarting, 0, 0});
    DR_OK(connection_->start_backup("daruma " + options_.datastore, options_.fast_checkpoint));
    DR_OK(copy());
    DR_OK(secure_wal());
    return commit();
  }

 private:
  Status greet() {
    DR_TRY(const ServerIdentity identity, connection_->identify());
    if (options_.system_identifier && *options_.system_identifier != identity.system_identifier)
      return Error{
          Errc::kRefused,
          fmt::format("the server's system identifier is {}, and datastore '{}' in this repository is of {}",
                      identity.system_identifier, options_.datastore, *options_.system_identifier),
          "this is another database cluster: give it a datastore name of its own, or correct the connection"};
    meta_.system_identifier = identity.system_identifier;
    meta_.server_version = connection_->server_version();
    DR_TRY(meta_.segment_size, read_segment_size(*connection_));
    DR_TRY(const std::string checksums, connection_->show("data_checksums"));
    meta_.page_checksums = checksums == "on";
    DR_TRY(meta_.settings, read_recovery_settings(*connection_));
    return {};
  }

  // A second connection whose temporary slot keeps the WAL from before the backup begins until we have it.
  Status reserve_wal() {
    DR_TRY(wal_connection_, server_.connect(clock_.after(kConnectWithin)));
    slot_ = "daruma_backup_" + repository_.random().id<Id<struct SlotTag, 4>>().hex();
    return wal_connection_->create_slot(slot_, true);
  }

  // From BASE_BACKUP's first event to its last.
  Status copy() {
    std::optional<Feed> feed;
    std::optional<TarReader> tar;
    MonoInstant last_progress;
    for (;;) {
      DR_TRY(const BackupEvent event, connection_->next_backup_event(clock_.after(kSilenceMax)));
      if (const auto* start = std::get_if<BackupStart>(&event)) {
        begin(*start);
        feed.emplace(*snapshot_);
      } else if (const auto* archive = std::get_if<BackupArchive>(&event)) {
        if (tar) DR_OK(tar->finish());
        feed->begin_archive(archive->tablespace_oid);
        tar.emplace(*feed);
      } else if (const auto* data = std::get_if<BackupData>(&event)) {
        DR_OK(tar->feed(data->bytes));
        if (clock_.mono() - last_progress < kProgressEvery) continue;
        last_progress = clock_.mono();
        options_.progress({BackupProgress::Phase::kCopying, snapshot_->bytes_read(), bytes_total_});
      } else {
        if (tar) DR_OK(tar->finish());
        meta_.end = std::get<BackupEnd>(event).end;
        return add_configuration();
      }
    }
  }

  void begin(const BackupStart& start) {
    meta_.start = start.start;
    meta_.timeline = start.timeline;
    for (const TablespaceInfo& tablespace : start.tablespaces) {
      bytes_total_ += tablespace.size_bytes;
      if (tablespace.oid != 0) meta_.tablespaces.push_back(tablespace);
    }
    watch_.emplace(start.start);
    SnapshotWriter::Options writer;
    writer.datastore = options_.datastore;
    writer.workers = options_.workers;
    writer.parent = options_.parent;
    if (meta_.page_checksums)
      writer.inspect = [this](const std::string& path, uint64_t page, BytesView bytes) {
        watch_->see(path, page, bytes);
      };
    snapshot_ = SnapshotWriter::start(repository_, std::move(writer));
  }

  Status add_configuration() {
    if (!options_.sql) return {};
    auto files = read_outside_configuration(*options_.sql);
    if (!files.ok()) {
      notes_.push_back(files.error().what +
                       (files.error().hint.empty() ? "" : " (" + files.error().hint + ")"));
      return {};
    }
    for (const ConfigurationFile& file : *files) {
      FileEntry entry;
      entry.path = "configuration/" + file.name;
      entry.mode = 0600;
      entry.modified = clock_.now();
      entry.size = file.text.size();
      DR_OK(snapshot_->begin_file(entry));
      DR_OK(snapshot_->write(as_bytes(file.text)));
      DR_OK(snapshot_->end_file());
    }
    return {};
  }

  // Returns when the WAL from the segment of the start to the end is in the repository.
  Status secure_wal() {
    options_.progress({BackupProgress::Phase::kWal, snapshot_->bytes_read(), snapshot_->bytes_read()});
    if (wal_connection_) return stream_wal();
    const Deadline deadline = clock_.after(kWalWithin);
    for (;;) {
      DR_TRY(const auto log, LogReader::open(repository_, stream()));
      const auto end = log->end_of(meta_.timeline, from().value);
      if (end && *end >= meta_.end.value) return {};
      if (!options_.capture_running())
        return Error{Errc::kUnavailable, "the capture that was to bring the snapshot's WAL has stopped",
                     "start `daruma serve` again, then back up"};
      if (deadline.passed(clock_.mono()))
        return Error{Errc::kUnavailable,
                     fmt::format("the running capture did not bring the WAL up to {} within 5 minutes",
                                 to_string(meta_.end)),
                     "see `daruma status` for what keeps it"};
      if (!clock_.pause(kPollEvery, stop_)) return Error{Errc::kCancelled, "the backup was stopped"};
    }
  }

  Status stream_wal() {
    const std::stop_callback interrupt(stop_, [this] { wal_connection_->interrupt(); });
    WalSummarizer summarizer(meta_.segment_size);
    LogWriter::Options log;
    log.stream = stream();
    log.receiver = "backup";
    log.piece_bytes = std::min(meta_.segment_size.bytes, kPieceMax);
    log.seal_in_background = false;
    log.summarize = [&](Branch timeline, uint64_t position, BytesView bytes) {
      return summarizer(timeline, position, bytes);
    };
    DR_TRY(const auto writer, LogWriter::open(repository_, std::move(log)));
    DR_OK(writer->close_piece());
    if (meta_.timeline > 1) {
      DR_TRY(const std::string history, wal_connection_->timeline_history(meta_.timeline));
      DR_OK(writer->put_history(meta_.timeline, as_bytes(history)));
    }
    DR_OK(wal_connection_->start_streaming({slot_, meta_.timeline, from()}));
    Lsn at = from();
    while (at < meta_.end) {
      DR_TRY(const StreamMessage message, wal_connection_->receive(clock_.after(kWalWithin)));
      if (const auto* wal = std::get_if<WalData>(&message)) {
        if (wal->start != at)
          return Error{Errc::kUnavailable, "the server sent WAL from another place than was asked for"};
        DR_OK(writer->append(meta_.timeline, at.value, wal->bytes));
        at = at + wal->bytes.size();
      } else if (std::holds_alternative<Keepalive>(message)) {
        DR_OK(wal_connection_->report_flushed(from(), clock_.now(), false));
      } else {
        return Error{
            Errc::kUnavailable,
            fmt::format("the server did not send the snapshot's WAL: it ends at {}, and {} is needed",
                        to_string(at), to_string(meta_.end))};
      }
    }
    return writer->close_piece();
  }

  Result<BackupResult> commit() {
    options_.progress({BackupProgress::Phase::kFinishing, snapshot_->bytes_read(), snapshot_->bytes_read()});
    DR_TRY(auto stored, snapshot_->commit(options_.writer, meta_.started, [this]() -> Result<std::string> {
      DR_TRY(const auto log, LogReader::open(repository_, stream()));
      DR_TRY(meta_.page_errors,
             watch_->judge(*log, meta_.timeline, meta_.start, meta_.end, meta_.segment_size));
      meta_.ended = clock_.now();
      meta_.bytes_read = snapshot_->bytes_read();
      meta_.bytes_stored = snapshot_->bytes_stored();
      return print_meta(meta_);
    }));
    return BackupResult{std::move(stored), meta_, notes_};
  }

  LogStream stream() const { return {options_.datastore, meta_.system_identifier}; }
  Lsn from() const { return meta_.segment_size.floor(meta_.start); }

  ReplicationServer& server_;
  Repository& repository_;
  Clock& clock_;
  const BackupOptions& options_;
  std::stop_token stop_;

  std::unique_ptr<ReplicationConnection> connection_;
  std::unique_ptr<ReplicationConnection> wal_connection_;  // null: a running capture brings the WAL
  std::string slot_;
  SnapshotMeta meta_;
  std::vector<std::string> notes_;
  uint64_t bytes_total_ = 0;
  std::optional<PageWatch> watch_;
  std::unique_ptr<SnapshotWriter> snapshot_;
};

}  // namespace

Result<BackupResult> take_backup(ReplicationServer& server, Repository& repository, Clock& clock,
                                 const BackupOptions& options, std::stop_token stop) {
  return Backup(server, repository, clock, options, std::move(stop)).run();
}

}  // namespace daruma::postgres
