// datastore/postgres/snapshot_meta.h: what a PostgreSQL snapshot says of itself: the JSON in its manifest and
// commit.
//
// Format:  docs/format/postgres.md. Unknown keys are ignored, so that later versions can say more.
// Threads: plain values and pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "datastore/postgres/replication.h"

namespace daruma::postgres {

// A page whose checksum did not match when it was read.
struct PageError {
  std::string path;
  uint32_t block = 0;    // of the relation fork, counted through its segment files
  bool excused = false;  // torn by the backup itself: the WAL of the backup holds its full image
};

struct SnapshotMeta {
  uint64_t system_identifier = 0;
  int server_version = 0;  // 150004
  Timeline timeline = 0;   // at the start
  Lsn start;               // recovery begins here
  Lsn end;                 // consistent from here
  Instant started;
  Instant ended;
  SegmentSize segment_size;
  bool page_checksums = false;
  uint64_t bytes_read = 0;
  uint64_t bytes_stored = 0;
  std::vector<TablespaceInfo> tablespaces;      // without the data directory itself
  std::map<std::string, std::string> settings;  // those that recovery needs at least as large, and wal_level
  std::vector<PageError> page_errors;
};

std::string print_meta(const SnapshotMeta& meta);
// kCorrupt: not such a JSON text.
Result<SnapshotMeta> parse_meta(std::string_view json);

}  // namespace daruma::postgres
