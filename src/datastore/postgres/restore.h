// datastore/postgres/restore.h: makes a data directory that starts by itself and recovers to a point.
//
// Order:   nothing is written before the target is known to be free and large enough; files, then WAL, then
// configuration,
//          each synced; global/pg_control is written last, so a half-restored directory can never start.
// Promise: every page is verified by its hash before it is written; wrong data is an error, never a file.
// Source:  PostgreSQL documentation, "Continuous Archiving and Point-in-Time Recovery".
// Threads: one call per target; it has worker threads. Progress comes from any of them, one at a time.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "datastore/postgres/points.h"
#include "os/clock.h"
#include "os/file_system.h"
#include "repository/snapshot_reader.h"

namespace daruma::postgres {

enum class Then : uint8_t { kPromote, kPause, kShutdown };

struct RestoreProgress {
  enum class Phase : uint8_t { kFiles, kWal, kFinishing };
  Phase phase = Phase::kFiles;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};

struct RestoreOptions {
  Path target;
  std::map<uint32_t, Path> tablespaces;  // by OID; the others go to TARGET.tablespaces/OID
  Then then = Then::kPromote;
  std::string
      restore_command;  // how PostgreSQL fetches WAL that is not in pg_wal: `daruma wal-get … %f "%p"`
  unsigned workers = 2;
  std::function<void(const RestoreProgress&)> progress = [](const RestoreProgress&) {};
};

struct RestoreResult {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t wal_bytes = 0;
  Duration files_took{};
  Duration wal_took{};
  std::vector<std::string> notes;
};

// Is it safe to restore there? kRefused with the reason and the next step: it is not empty, a server runs in
// it, a tablespace's place is taken, or the disk is too small for `bytes`. Touches nothing.
Status check_target(FileSystem& fs, const RestoreOptions& options, const SnapshotMeta& meta, uint64_t bytes);

// Bytes of all files of a snapshot, as restored.
Result<uint64_t> restored_bytes(const SnapshotReader& snapshot);

Result<RestoreResult> restore(FileSystem& fs, Clock& clock, const Repository& repository,
                              const Catalog& catalog, const RecoveryPoint& point,
                              const RestoreOptions& options, std::stop_token stop);

}  // namespace daruma::postgres
