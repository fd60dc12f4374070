// datastore/postgres/replication_twin.h: a server that is a script: it answers the replication protocol from
// a recording of a real one, so that crash tests need no PostgreSQL and run the same way every time.
//
// A recording (tests/data/replication, made by `script/record-replication` from a real server, and thinned to
// a few relations) holds one base backup and the WAL of one or two timelines. The twin reveals WAL up to
// `visible_end`, keeps slots and what each was told was flushed, and can break connections on purpose.
//
// It has no clock: where a server would make us wait, NothingYet comes at once, as if the deadline had
// passed. It sends a Keepalive only where one was requested, and nothing but what was recorded as base
// backup, even after a promotion.
//
// Threads: one lock; connections of one twin may live in different threads.
// Owns:    the recording. It outlives its connections.
#pragma once

#include <map>
#include <memory>

#include "datastore/postgres/replication.h"

namespace daruma::postgres {

struct TimelineRecording {
  Timeline timeline = 0;
  Lsn start;  // first byte held, at a segment boundary
  Bytes wal;
  Lsn switched_at;      // where the next timeline leaves this one; none for the last
  std::string history;  // the file's text; empty for timeline 1
};

struct ServerRecording {
  uint64_t system_identifier = 0;
  int server_version = 0;
  std::map<std::string, std::string> settings;
  std::vector<TablespaceInfo> tablespaces;
  Lsn backup_start;
  Lsn backup_end;
  std::map<uint32_t, Bytes> archives;  // tablespace oid -> tar; 0 is the data directory
  std::vector<TimelineRecording> timelines;

  // Every tablespace has its archive, timelines follow one another, and the WAL held reaches the backup's
  // end.
  bool consistent() const;
};

Bytes encode_recording(const ServerRecording& recording);
// kCorrupt: not such a file, or one that is not consistent.
Result<ServerRecording> decode_recording(BytesView bytes);

class ReplicationTwin final : public ReplicationServer {
 public:
  explicit ReplicationTwin(ServerRecording recording);  // a consistent one
  ~ReplicationTwin() override;

  Result<std::unique_ptr<ReplicationConnection>> connect(Deadline deadline) override;

  // How far the server "has written": WAL before this can be streamed. Starts at backup_end.
  void write_until(Lsn end);
  void write_all();
  // The next timeline begins to exist (a promotion happened).
  void promote();
  // The largest piece a WalData carries; small pieces make many sync points.
  void set_piece_bytes(size_t bytes);
  // After this many more messages of streams and backups, all connections together, every connection breaks
  // once; new ones can be made.
  void break_after(uint64_t messages);
  // The largest position ever reported flushed through this slot; none if never.
  Lsn reported_flushed(const std::string& slot) const;
  // Forgets WAL before `start`, as a server that recycled it.
  void recycle_before(Lsn start);
  // Streams through it break.
  void lose_slot(const std::string& name);
  const ServerRecording& recording() const;

 private:
  struct State;
  friend class TwinConnection;
  std::unique_ptr<State> state_;
};

}  // namespace daruma::postgres
