// datastore/postgres/backup.h: takes a snapshot of a running server through its replication protocol.
//
// Promise: it becomes a recovery point only when the WAL that makes it consistent is in the repository: taken
// from the
//          running capture, or streamed here through a temporary slot that was made before the backup began.
// Pages:   every page's checksum is verified on the way. One that fails is excused only if its LSN is not
// older than the
//          backup's start, or the WAL of the backup holds its full image; every other is reported as file and
//          block.
// Rights:  a role with REPLICATION. With more (pg_read_all_settings, pg_read_file) the configuration outside
// the data
//          directory comes along.
// Threads: one call at a time per datastore (the caller holds a lock); progress comes from the calling
// thread.
#pragma once

#include <functional>
#include <stop_token>

#include "datastore/postgres/snapshot_meta.h"
#include "datastore/postgres/sql.h"
#include "repository/snapshot_reader.h"
#include "repository/snapshot_writer.h"

namespace daruma::postgres {

struct BackupProgress {
  enum class Phase : uint8_t { kStarting, kCopying, kWal, kFinishing };
  Phase phase = Phase::kStarting;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;  // the server's estimate; 0 while unknown
};

struct BackupOptions {
  std::string datastore;
  WriterId writer;
  unsigned workers = 2;
  bool fast_checkpoint = true;
  // Pages that this snapshot has are not stored again. null: full.
  const SnapshotReader* parent = nullptr;
  std::optional<uint64_t> system_identifier;  // refuse every other
  // True while somebody captures this datastore's WAL into this repository: then we wait for it instead of
  // streaming.
  std::function<bool()> capture_running = [] { return false; };
  // For configuration outside the data directory; null: none is read.
  SqlConnection* sql = nullptr;
  std::function<void(const BackupProgress&)> progress = [](const BackupProgress&) {};
};

struct BackupResult {
  Repository::StoredCommit stored;
  SnapshotMeta meta;
  std::vector<std::string> notes;  // what was left out, and the SQL that would allow it
};

Result<BackupResult> take_backup(ReplicationServer& server, Repository& repository, Clock& clock,
                                 const BackupOptions& options, std::stop_token stop);

}  // namespace daruma::postgres
