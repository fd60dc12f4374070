#include "datastore/postgres/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>

#include "base/size.h"
#include "base/worker_pool.h"
#include "datastore/postgres/recovery_config.h"
#include "datastore/postgres/running_server.h"
#include "os/files.h"
#include "repository/snapshot_reader.h"

namespace daruma::postgres {
namespace {

constexpr std::string_view kConfiguration = "configuration/";
constexpr std::string_view kTablespaces = "pg_tblspc/";
constexpr std::string_view kControlFile = "global/pg_control";
// They decide what a start does, and what they decided for the old server is not meant for this one. With
// standby.signal a restored server would follow and never promote.
constexpr std::array<std::string_view, 5> kSignals{"standby.signal", "recovery.signal", "recovery.conf",
                                                   "promote", "fallback_promote"};
constexpr uint64_t kSmallFile = 1 * kMiB;
constexpr uint64_t kSpareBytes = 64 * kMiB;
constexpr size_t kTasksUnderWay = 64;
constexpr uint64_t kSyncEvery = 256 * kMiB;

Path tablespace_path(const RestoreOptions& options, uint32_t oid) {
  const auto mapped = options.tablespaces.find(oid);
  if (mapped != options.tablespaces.end()) return mapped->second;
  return Path(options.target.string() + ".tablespaces") / std::to_string(oid);
}

Path configuration_path(const RestoreOptions& options) {
  return Path(options.target.string() + ".configuration");
}

// Missing or an empty directory.
Result<bool> is_free(FileSystem& fs, const Path& path) {
  const auto info = fs.info(path);
  if (info.is(Errc::kNotFound)) return true;
  DR_OK(info);
  if (info->type != FileType::kDirectory) return false;
  DR_TRY(const auto entries, fs.list_dir(path));
  return entries.empty();
}

Path existing_ancestor(FileSystem& fs, Path path) {
  while (path.has_parent_path() && path != path.parent_path() && !fs.info(path).ok())
    path = path.parent_path();
  return path;
}

class Restore {
 public:
  Restore(FileSystem& fs, Clock& clock, const Repository& repository, const Catalog& catalog,
          const RecoveryPoint& point, const RestoreOptions& options, std::stop_token stop)
      : fs_(fs),
        clock_(clock),
        repository_(repository),
        catalog_(catalog),
        point_(point),
        meta_(point.snapshot->meta),
        options_(options),
        stop_(std::move(stop)) {}

  Result<RestoreResult> run() {
    DR_TRY(snapshot_, SnapshotReader::open(repository_, point_.snapshot->stored));
    DR_TRY(total_, restored_bytes(*snapshot_));
    DR_OK(check_target(fs_, options_, meta_, total_ + point_.wal_bytes));
    DR_OK(check_wal());
    const MonoInstant started = clock_.mono();
    DR_OK(make_directories());
    DR_OK(write_files());
    result_.bytes = done_;
    const MonoInstant files_done = clock_.mono();
    result_.files_took = files_done - started;
    DR_OK(write_wal());
    result_.wal_took = clock_.mono() - files_done;
    options_.progress({RestoreProgress::Phase::kFinishing, total_, total_});
    DR_OK(write_configuration());
    DR_OK(write_control_file());
    return result_;
  }

 private:
  Path path_of(std::string_view name) const {
    if (!name.starts_with(kTablespaces) || name.size() == kTablespaces.size()) return options_.target / name;
    const std::string_view rest = name.substr(kTablespaces.size());
    uint32_t oid = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), oid);
    // A directory instead of a link (allow_in_place_tablespaces) is part of the data directory.
    const auto has_oid = [&](const TablespaceInfo& tablespace) { return tablespace.oid == oid; };
    if (parsed.ec != std::errc() || std::ranges::none_of(meta_.tablespaces, has_oid))
      return options_.target / name;
    const size_t used = static_cast<size_t>(parsed.ptr - rest.data());
    if (used == rest.size()) return tablespace_path(options_, oid);
    return tablespace_path(options_, oid) / rest.substr(used + 1);
  }

  // A hole in the WAL is found before the first byte is written.
  Status check_wal() {
    for (const WalStretch& stretch : point_.way) {
      const auto end = catalog_.log->end_of(stretch.timeline, stretch.from.value);
      if (!end || *end < stretch.to.value)
        return Error{Errc::kNotFound,
                     fmt::format("WAL of timeline {} from {} to {} is needed and not in the repository",
                                 stretch.timeline, to_string({end.value_or(stretch.from.value)}),
                                 to_string(stretch.to))};
    }
    return {};
  }

  Status make_directories() {
    DR_OK(create_dirs(fs_, options_.target, 0700));
    DR_OK(fs_.set_mode(options_.target, 0700));
    DR_OK(open_volume(options_.target));
    DR_OK(create_dirs(fs_, options_.target / "pg_tblspc", 0700));
    for (const TablespaceInfo& tablespace : meta_.tablespaces) {
      const Path place = tablespace_path(options_, tablespace.oid);
      DR_OK(create_dirs(fs_, place, 0700));
      DR_OK(open_volume(place));
      DR_OK(fs_.symlink(std::filesystem::absolute(place),
                        options_.target / "pg_tblspc" / std::to_string(tablespace.oid)));
    }
    return snapshot_->for_each_entry([this](const FileEntry& entry) -> Status {
      if (entry.type != FileEntry::Type::kDirectory) return {};
      return create_dirs(fs_, path_of(entry.path), entry.mode == 0 ? 0700 : entry.mode);
    });
  }

  Status open_volume(const Path& directory) {
    DR_TRY(auto volume, fs_.open_volume(directory));
    volumes_.push_back(std::move(volume));
    return {};
  }

  Status write_files() {
    WorkerPool pool(std::max(1u, options_.workers));
    std::deque<std::future<Status>> under_way;
    Status first;
    uint64_t synced = 0;
    const auto settle = [&](size_t keep) {
      while (under_way.size() > keep) {
        Status status = under_way.front().get();
        under_way.pop_front();
        if (first.ok() && !status.ok()) first = std::move(status);
        // The disk writes while the workers go on, so that little is left for the end.
        if (first.ok() && done_ - synced >= kSyncEvery) {
          synced = done_;
          first = sync();
        }
      }
      options_.progress({RestoreProgress::Phase::kFiles, done_, total_});
      return first;
    };
    Status listed = snapshot_->for_each_entry([&](const FileEntry& entry) -> Status {
      if (stop_.stop_requested())
        return Error{Errc::kCancelled, "the restore was stopped; the target is incomplete and cannot start"};
      if (entry.type == FileEntry::Type::kDirectory || entry.path == kControlFile) return {};
      if (entry.path.starts_with(kConfiguration)) return {};
      if (std::ranges::find(kSignals, entry.path) != kSignals.end()) return {};
      if (entry.type == FileEntry::Type::kSymlink) return fs_.symlink(entry.target, path_of(entry.path));
      ++result_.files;
      const Path path = path_of(entry.path);
      DR_TRY(auto file, fs_.create(path, entry.mode == 0 ? 0600 : entry.mode));
      // Shared by the tasks of one file: the last one closes it.
      const std::shared_ptr<File> shared = std::move(file);
      const auto kept = std::make_shared<const FileEntry>(entry);
      for (uint64_t leaf = 0; leaf < entry.leaf_count(); ++leaf)
        under_way.push_back(
            pool.submit([this, shared, kept, leaf] { return write_leaf(*shared, *kept, leaf); }));
      return settle(kTasksUnderWay);
    });
    const Status settled = settle(0);
    DR_OK(listed);
    DR_OK(settled);
    return sync();
  }

  // A cluster has a thousand small files: one by one they would take seconds.
  Status sync() {
    for (const auto& volume : volumes_) DR_OK(volume->sync());
    return {};
  }

  // Pages arrive by frame; neighbours are gathered, so that the disk sees long writes.
  Status write_leaf(File& file, const FileEntry& entry, uint64_t number) {
    DR_TRY(const LeafMap leaf, snapshot_->leaf(entry, number));
    const uint64_t base = number * kLeafPages * kPageSize;
    Bytes run;
    uint64_t run_at = 0;
    const auto flush = [&]() -> Status {
      if (run.empty()) return {};
      DR_OK(file.write_at(base + run_at, run));
      done_ += run.size();
      run.clear();
      return {};
    };
    DR_OK(snapshot_->read_pages(entry, leaf, 0, leaf.pages.size(),
                                [&](uint64_t page, BytesView bytes) -> Status {
                                  const uint64_t at = page * kPageSize;
                                  if (at != run_at + run.size() || run.size() >= kSmallFile) {
                                    DR_OK(flush());
                                    run_at = at;
                                  }
                                  run.insert(run.end(), bytes.begin(), bytes.end());
                                  return {};
                                }));
    return flush();
  }

  Status write_wal() {
    const SegmentSize size = catalog_.segment_size;
    const Path directory = options_.target / "pg_wal";
    DR_OK(create_dirs(fs_, directory, 0700));
    DR_OK(create_dirs(fs_, directory / "archive_status", 0700));
    for (const auto& [timeline, text] : catalog_.log->histories())
      DR_OK(replace_file(fs_, directory / history_name(timeline), as_bytes(text)));
    for (size_t i = 0; i < point_.way.size(); ++i) {
      const WalStretch& stretch = point_.way[i];
      uint64_t last = size.number_of({stretch.to.value - 1});
      // The next timeline's first segment begins with this one's last bytes, and PostgreSQL reads it instead.
      if (i + 1 < point_.way.size()) last = size.number_of(point_.way[i + 1].from) - 1;
      for (uint64_t number = size.number_of(stretch.from); number <= last; ++number) {
        if (stop_.stop_requested())
          return Error{Errc::kCancelled,
                       "the restore was stopped; the target is incomplete and cannot start"};
        DR_OK(write_segment(directory, stretch.timeline, number));
        options_.progress({RestoreProgress::Phase::kWal, result_.wal_bytes, point_.wal_bytes});
      }
    }
    return sync();
  }

  // What is held of a segment, zero-padded to its full size. A record at the stop position may reach into the
  // next one, which wal-get brings when PostgreSQL asks.
  Status write_segment(const Path& directory, Timeline timeline, uint64_t number) {
    const Lsn start = catalog_.segment_size.start_of(number);
    const auto held = catalog_.log->end_of(timeline, start.value);
    if (!held)
      return Error{Errc::kNotFound, fmt::format("WAL segment {} is not in the repository",
                                                segment_name(timeline, number, catalog_.segment_size))};
    // Never past the end that was resolved: a log may grow while we read it.
    const uint64_t limit =
        point_.stop_before || point_.immediate ? *held : std::min(*held, point_.end_of_log.value);
    const uint64_t bytes = std::min(catalog_.segment_size.bytes, limit - start.value);
    DR_TRY(auto file, fs_.create(directory / segment_name(timeline, number, catalog_.segment_size), 0600));
    for (uint64_t at = 0; at < catalog_.segment_size.bytes;) {
      const uint64_t piece =
          std::min<uint64_t>(at < bytes ? bytes - at : catalog_.segment_size.bytes - at, kPieceMax);
      Bytes data(piece);
      if (at < bytes) {
        DR_TRY(data, catalog_.log->read(timeline, start.value + at, piece));
      }
      DR_OK(file->write_at(at, data));
      at += piece;
    }
    result_.wal_bytes += bytes;
    return {};
  }

  Result<std::string> captured_configuration(const std::string& name) {
    DR_TRY(const FileEntry entry, snapshot_->find(std::string(kConfiguration) + name));
    DR_TRY(const Bytes text, snapshot_->read_range(entry, 0, entry.size));
    return std::string(as_text(text));
  }

  Status write_missing(const std::string& name, const std::string& minimal) {
    const auto captured = captured_configuration(name);
    if (captured.ok()) {
      DR_OK(create_dirs(fs_, configuration_path(options_), 0700));
      DR_OK(replace_file(fs_, configuration_path(options_) / name, as_bytes(*captured)));
    } else if (!captured.is(Errc::kNotFound)) {
      return captured.error();
    }
    DR_TRY(const bool there, exists(fs_, options_.target / name));
    if (there) return {};
    const bool portable = name != "postgresql.conf" && captured.ok();  // it names places of the old host
    result_.notes.push_back(fmt::format(
        "{} was not in the data directory; {} was written{}", name,
        portable ? "the captured one" : "a minimal one",
        captured.ok() && !portable ? ", the old one is in " + configuration_path(options_).string() : ""));
    return replace_file(fs_, options_.target / name, as_bytes(portable ? *captured : minimal));
  }

  Status write_configuration() {
    DR_OK(write_missing("postgresql.conf", minimal_configuration(meta_)));
    DR_OK(write_missing("pg_hba.conf", minimal_hba()));
    DR_OK(write_missing("pg_ident.conf", "# Written by daruma restore: no mappings.\n"));
    for (const char* name : {"postgresql.conf", "postgresql.auto.conf"}) {
      const Path path = options_.target / name;
      const auto text = read_file(fs_, path, 16 * kMiB);
      if (!text.ok() && !text.is(Errc::kNotFound)) return text.error();
      std::string cleaned = text.ok() ? without_recovery_settings(as_text(*text)) : std::string();
      if (std::string_view(name) == "postgresql.auto.conf")
        cleaned += recovery_block(point_, options_.then, options_.restore_command);
      DR_OK(replace_file(fs_, path, as_bytes(cleaned)));
    }
    return replace_file(fs_, options_.target / "recovery.signal", {});
  }

  Status write_control_file() {
    DR_TRY(const FileEntry entry, snapshot_->find(std::string(kControlFile)));
    DR_TRY(const Bytes bytes, snapshot_->read_range(entry, 0, entry.size));
    DR_OK(replace_file(fs_, options_.target / kControlFile, bytes));
    ++result_.files;
    result_.bytes += bytes.size();
    return fs_.sync_dir(options_.target.parent_path().empty() ? Path(".") : options_.target.parent_path());
  }

  FileSystem& fs_;
  Clock& clock_;
  const Repository& repository_;
  const Catalog& catalog_;
  const RecoveryPoint& point_;
  const SnapshotMeta& meta_;
  const RestoreOptions& options_;
  std::stop_token stop_;

  std::unique_ptr<SnapshotReader> snapshot_;
  uint64_t total_ = 0;
  std::atomic<uint64_t> done_{0};
  std::vector<std::unique_ptr<Volume>> volumes_;  // of the target and of each tablespace
  RestoreResult result_;
};

}  // namespace

Result<uint64_t> restored_bytes(const SnapshotReader& snapshot) {
  uint64_t bytes = 0;
  DR_OK(snapshot.for_each_entry([&](const FileEntry& entry) -> Status {
    if (entry.type == FileEntry::Type::kFile) bytes += entry.size;
    return {};
  }));
  return bytes;
}

Status check_target(FileSystem& fs, const RestoreOptions& options, const SnapshotMeta& meta, uint64_t bytes) {
  if (const auto pid = running_server(fs, options.target))
    return Error{Errc::kRefused,
                 fmt::format("a PostgreSQL server (pid {}) runs in {}", *pid, options.target.string()),
                 "stop it and set the directory aside, or restore into another one"};
  for (Path above = std::filesystem::absolute(options.target).lexically_normal().parent_path();
       above != above.root_path(); above = above.parent_path())
    if (fs.info(above / "PG_VERSION").ok())
      return Error{Errc::kRefused,
                   fmt::format("{} lies inside {}, which is a PostgreSQL data directory",
                               options.target.string(), above.string()),
                   "restore beside it"};
  DR_TRY(const bool free, is_free(fs, options.target));
  if (!free)
    return Error{Errc::kRefused, fmt::format("{} is not empty", options.target.string()),
                 fmt::format("set it aside, it may still be needed: mv {} {}.damaged",
                             options.target.string(), options.target.string())};
  for (const auto& [oid, path] : options.tablespaces)
    if (std::ranges::find(meta.tablespaces, oid, &TablespaceInfo::oid) == meta.tablespaces.end())
      return Error{Errc::kInvalid, fmt::format("--tablespace {}: the snapshot has no such tablespace", oid)};
  for (const TablespaceInfo& tablespace : meta.tablespaces) {
    const Path place = tablespace_path(options, tablespace.oid);
    DR_TRY(const bool tablespace_free, is_free(fs, place));
    if (!tablespace_free)
      return Error{Errc::kRefused,
                   fmt::format("{} for tablespace {} is not empty", place.string(), tablespace.oid),
                   fmt::format("set it aside, or give another place: --tablespace {}=DIR", tablespace.oid)};
  }
  DR_TRY(const uint64_t room,
         fs.free_bytes(existing_ancestor(fs, std::filesystem::absolute(options.target))));
  if (room < bytes + kSpareBytes)
    return Error{Errc::kRefused,
                 fmt::format("{} needs {}, and its file system has {} free", options.target.string(),
                             human_bytes(bytes + kSpareBytes), human_bytes(room)),
                 "make room, or restore to another file system"};
  return {};
}

Result<RestoreResult> restore(FileSystem& fs, Clock& clock, const Repository& repository,
                              const Catalog& catalog, const RecoveryPoint& point,
                              const RestoreOptions& options, std::stop_token stop) {
  return Restore(fs, clock, repository, catalog, point, options, std::move(stop)).run();
}

}  // namespace daruma::postgres
