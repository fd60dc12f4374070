// datastore/postgres/libpq_base_backup.h: BASE_BACKUP over a link: one COPY with typed messages (15 and
// later), or one COPY per archive (13 and 14), told as the same events.
//
// Source:  PostgreSQL documentation, "Streaming Replication Protocol", BASE_BACKUP.
// Threads: one at a time.
// Owns:    the message it gave last. The link is borrowed and outlives it.
#pragma once

#include <string>

#include "datastore/postgres/libpq_support.h"

namespace daruma::postgres {

class LibpqBaseBackup {
 public:
  explicit LibpqBaseBackup(Link& link) : link_(link) {}

  // Sends the command. kInvalid: a label with control characters or over 1024 bytes.
  Status start(const std::string& label, bool fast);
  // kCancelled: nothing came before the deadline; the backup goes on. Views are valid until the next call.
  Result<BackupEvent> next(Deadline deadline);
  // True after BackupEnd and after an error: the link takes commands again, unless it broke.
  bool over() const { return stage_ == Stage::kOver; }

 private:
  enum class Stage : uint8_t { kPosition, kTablespaces, kArchives, kCopy, kOver };

  Result<BackupEvent> step(Deadline deadline, bool& complete);
  Status read_position(const PGresult* result);
  Status read_tablespaces(const PGresult* result);
  Result<BackupEvent> next_archive(Deadline deadline, bool& complete);
  Result<BackupEvent> next_message(Deadline deadline, bool& complete);
  Result<BackupEvent> typed_message(bool& complete);
  Result<BackupEvent> finish(const PGresult* result);
  bool typed() const { return link_.server_version() >= 150000; }

  Link& link_;
  Stage stage_ = Stage::kOver;
  std::string doing_;
  BackupStart start_;
  size_t archives_begun_ = 0;
  CopyMessage message_;
};

}  // namespace daruma::postgres
