// datastore/postgres/libpq_replication.h: replication.h over libpq: commands and the WAL stream. See there
// for the contract.
//
// Threads: one at a time; interrupt() from any.
#pragma once

#include <optional>

#include "datastore/postgres/libpq_base_backup.h"
#include "datastore/postgres/libpq_support.h"

namespace daruma::postgres {

class LibpqReplication final : public ReplicationConnection {
 public:
  explicit LibpqReplication(std::unique_ptr<Link> link);

  Result<ServerIdentity> identify() override;
  int server_version() const override { return link_->server_version(); }
  Result<std::string> show(const std::string& setting) override;
  Status create_slot(const std::string& name, bool temporary) override;
  Status drop_slot(const std::string& name) override;
  Result<SlotInfo> read_slot(const std::string& name) override;
  Result<std::string> timeline_history(Timeline timeline) override;
  Status start_streaming(const StreamRequest& request) override;
  Result<StreamMessage> receive(Deadline deadline) override;
  Result<bool> message_waiting() override;
  Status report_flushed(Lsn flushed, Instant now, bool request_reply) override;
  Status start_backup(const std::string& label, bool fast) override;
  Result<BackupEvent> next_backup_event(Deadline deadline) override;
  void interrupt() override { link_->interrupt(); }

 private:
  enum class Mode : uint8_t { kCommands, kStreaming, kBackup };

  // Runs a command that answers with one row of at least `columns`; its result.
  Result<ResultHandle> row(const std::string& command, const std::string& doing, int columns);
  Result<StreamMessage> parse_message() const;
  Result<StreamMessage> end_stream();
  Result<StreamMessage> end_of_timeline(const PGresult* result);

  std::unique_ptr<Link> link_;
  Mode mode_ = Mode::kCommands;
  LibpqBaseBackup backup_;
  std::string doing_;                          // what the stream is for, in messages
  CopyMessage message_;                        // what the last receive() gave a view of
  std::optional<CopyMessage> waiting_;         // found by message_waiting()
  std::optional<EndOfTimeline> nothing_left_;  // the timeline ended where streaming was to start
};

}  // namespace daruma::postgres
