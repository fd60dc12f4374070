// datastore/postgres/points.h: what can be recovered, and what a wish like "before:2026-11-22T10:42:00Z"
// comes to, decided before anything is touched.
//
// Method:  TIME -> the timeline live at that instant -> the first commit or abort that must not be applied,
//          from the commit records in the stored WAL -> a stop position. PostgreSQL is given that position
//          (recovery_target_lsn, not inclusive), never the time: it resolves a time wrongly after an undo,
//          and fails on one after the last commit.
// Errors:  kInvalid: no such syntax. kNotFound: nothing precedes the wish, or what it names is not in the
//          log. kRefused: ambiguous; the candidates are in the message. kCorrupt: the stored WAL does not
//          read, with its position.
// Threads: pure over what they are given.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datastore/postgres/control_file.h"
#include "datastore/postgres/snapshot_meta.h"
#include "datastore/postgres/wal_summary.h"
#include "repository/log.h"
#include "repository/repository.h"

namespace daruma::postgres {

// --at, parsed. "latest", "immediate", "2026-11-22T10:42:00Z", "before:2026-…", "lsn:0/3000148", "xid:731",
// "before:xid:731", "name:before-migration".
struct Wish {
  enum class Kind : uint8_t { kLatest, kImmediate, kTime, kLsn, kXid, kName };
  Kind kind = Kind::kLatest;
  bool before = false;  // just before it; not for kLatest and kImmediate
  Instant time;
  Lsn lsn;
  uint32_t xid = 0;
  std::string name;
  std::string text;  // as typed
};
Result<Wish> parse_wish(std::string_view text);

struct Snapshot {
  Repository::StoredCommit stored;
  SnapshotMeta meta;
};

// Everything known about one datastore in one repository, at the moment it was loaded.
struct Catalog {
  std::string datastore;
  LogStream stream;                 // the newest incarnation
  std::vector<Snapshot> snapshots;  // of that incarnation, oldest first
  std::unique_ptr<LogReader> log;
  std::map<Timeline, std::vector<TimelineAncestor>> histories;
  SegmentSize segment_size;
  std::vector<std::string> damage;  // objects that do not verify and were left out, each as a sentence
};
// kNotFound: the repository has no snapshot of this datastore. Several incarnations (system identifiers): the
// one of the newest snapshot, unless `incarnation` says which.
Result<Catalog> load_catalog(const Repository& repository, const std::string& datastore,
                             std::optional<uint64_t> incarnation = {});

// A stretch of the way from a snapshot to the point: WAL of one timeline.
struct WalStretch {
  Timeline timeline = 0;
  Lsn from;
  Lsn to;
};

struct RecoveryPoint {
  const Snapshot* snapshot = nullptr;  // in the catalog
  Timeline timeline = 0;               // recovery_target_timeline
  bool immediate = false;              // stop when consistent
  std::optional<Lsn> stop_before;      // the first record not applied; nullopt: to the end of the log held
  Lsn end_of_log;                      // of what is held on the way
  // Time of the newest commit that will be there; nullopt: none after the snapshot's start.
  std::optional<Instant> last_commit;
  std::optional<Lsn> last_record;  // start of the last whole record that will be applied
  std::vector<WalStretch> way;     // in order; begins at the segment of the snapshot's start
  uint64_t wal_bytes = 0;
  std::vector<std::string> notes;  // what a person should know: "10:45 is 3 min after the last commit held"
};

// Decides. `timeline` restricts to one (0: the one live at the wish). `now` is for refusing the future.
Result<RecoveryPoint> resolve(const Catalog& catalog, const Wish& wish, Timeline timeline, Instant now);

// The continuous ranges of log, with the times of their first and last commit where there are any.
struct LogSpan {
  Timeline timeline = 0;
  Lsn from;
  Lsn to;
  std::optional<Instant> from_time;
  std::optional<Instant> to_time;
};
Result<std::vector<LogSpan>> log_spans(const Catalog& catalog);

}  // namespace daruma::postgres
