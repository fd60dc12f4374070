// datastore/postgres/replication.h: a server's replication protocol, as an interface: libpq behind the real
// one, a scripted twin recorded from a real server behind tests (replication_twin.h).
//
// Source:  PostgreSQL documentation, "Streaming Replication Protocol" (13 to 17).
// Rights:  a role with REPLICATION (or superuser) and a pg_hba.conf line for database `replication`.
// Errors:  kUnavailable: the connection broke or cannot be made, try again with back-off. kRefused: rights,
//          with the GRANT or ALTER ROLE to run in the hint. kNotFound: slot, history file or WAL is gone.
// Threads: a connection is used by one thread at a time; interrupt() by any.
// Owns:    nothing from outside.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "datastore/postgres/lsn.h"
#include "os/clock.h"

namespace daruma::postgres {

// How to reach a server. Empty fields are libpq's defaults. The password is read from `password_env` at
// connect time and never printed.
struct ConnectionSettings {
  std::string host;
  uint16_t port = 5432;
  std::string user;
  std::string dbname = "postgres";  // for SQL; replication connections use none
  std::string sslmode;
  std::string password;  // the value; never logged
};

struct ServerIdentity {
  uint64_t system_identifier = 0;
  Timeline timeline = 0;
  Lsn flushed;
};

struct SlotInfo {
  std::string name;
  bool exists = false;
  Lsn restart;  // none: reserves nothing yet, or the server is older than 15
  Timeline restart_timeline = 0;
};

// What arrives on a WAL stream. Views are valid until the next receive().
struct WalData {
  Lsn start;
  Lsn server_end;
  BytesView bytes;
};
struct Keepalive {
  Lsn server_end;
  bool reply_requested = false;
};
struct EndOfTimeline {  // the server has no more WAL on the timeline asked for
  Timeline next_timeline = 0;
  Lsn next_start;  // where the next timeline leaves this one
};
struct NothingYet {};  // the deadline passed; the stream is fine
using StreamMessage = std::variant<WalData, Keepalive, EndOfTimeline, NothingYet>;

struct StreamRequest {
  std::string slot;  // empty: none
  Timeline timeline = 0;
  Lsn start;
};

// What arrives during a base backup, in order: kStart, then per archive kArchive and its kData, then kEnd.
struct TablespaceInfo {
  uint32_t oid = 0;         // 0: the data directory itself
  std::string location;     // on the server; empty for the data directory
  uint64_t size_bytes = 0;  // the server's estimate
};
struct BackupStart {
  Lsn start;
  Timeline timeline = 0;
  std::vector<TablespaceInfo> tablespaces;
};
struct BackupArchive {  // a tar archive begins
  uint32_t tablespace_oid = 0;
};
struct BackupData {
  BytesView bytes;
};
struct BackupEnd {
  Lsn end;
  Timeline timeline = 0;
};
using BackupEvent = std::variant<BackupStart, BackupArchive, BackupData, BackupEnd>;

class ReplicationConnection {
 public:
  virtual ~ReplicationConnection() = default;

  virtual Result<ServerIdentity> identify() = 0;
  virtual int server_version() const = 0;  // 150004
  // SHOW name: block_size, wal_segment_size, data_checksums, synchronous_commit… kNotFound: no such setting.
  virtual Result<std::string> show(const std::string& setting) = 0;

  // A physical slot that reserves WAL at once. kExists: the name is taken.
  virtual Status create_slot(const std::string& name, bool temporary) = 0;
  virtual Status drop_slot(const std::string& name) = 0;
  // Servers older than 15 cannot be asked: exists is then true with restart none, and start_streaming tells.
  virtual Result<SlotInfo> read_slot(const std::string& name) = 0;
  virtual Result<std::string> timeline_history(Timeline timeline) = 0;

  // kNotFound: the WAL at `start` or the slot is gone (what says which, and the position). A server finds
  // missing WAL only when it reads it: then the first receive() says so.
  virtual Status start_streaming(const StreamRequest& request) = 0;
  // Waits for the next message until the deadline. After EndOfTimeline the connection takes commands again.
  virtual Result<StreamMessage> receive(Deadline deadline) = 0;
  // True if a message can be had without waiting.
  virtual Result<bool> message_waiting() = 0;
  // Written is reported equal to `flushed`, applied never: see docs/decisions/0003.
  virtual Status report_flushed(Lsn flushed, Instant now, bool request_reply) = 0;

  // Starts BASE_BACKUP with the server not waiting for its archiver. `fast`: an immediate checkpoint.
  virtual Status start_backup(const std::string& label, bool fast) = 0;
  // Views are valid until the next call. kCancelled: nothing came before the deadline; the backup goes on.
  virtual Result<BackupEvent> next_backup_event(Deadline deadline) = 0;

  // Makes a wait in another thread return kCancelled soon, now and from now on.
  virtual void interrupt() = 0;
};

// How connections are made: real ones, or twins of one scripted server.
class ReplicationServer {
 public:
  virtual ~ReplicationServer() = default;
  virtual Result<std::unique_ptr<ReplicationConnection>> connect(Deadline deadline) = 0;
};

// `application_name` is how the server knows us in synchronous_standby_names.
std::unique_ptr<ReplicationServer> libpq_replication(ConnectionSettings settings,
                                                     std::string application_name, Clock& clock);

}  // namespace daruma::postgres
