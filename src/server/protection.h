// server/protection.h: protects datastores for as long as it runs: captures their logs, takes snapshots when
// they are due, remembers what was acknowledged, and publishes what it does.
//
// Source:  requirement A11: backups automated, with catch-up; nothing needs cron.
// Threads: run() blocks; it has two threads per datastore. on_message is called from any of them, one at a
// time. Owns:    its threads and connections; everything given is borrowed.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "datastore/postgres/backup.h"
#include "datastore/postgres/capture.h"
#include "server/state.h"

namespace daruma {

struct ProtectedDatastore {
  std::string name;
  postgres::ConnectionSettings connection;
  std::optional<std::string> slot;         // nullopt: no capture
  std::optional<Duration> snapshot_every;  // nullopt: only when the log has a gap
};

// A line for a person: what happened, and whether it is bad.
struct ProtectionMessage {
  bool alarm = false;
  std::string datastore;
  std::string text;
};

struct ProtectionOptions {
  std::vector<ProtectedDatastore> datastores;
  unsigned workers = 2;
  std::function<void(const ProtectionMessage&)> on_message = [](const ProtectionMessage&) {};
};

// The newest snapshot of a datastore for which the repository has a reader, to store only what changed since.
Result<std::unique_ptr<SnapshotReader>> newest_snapshot(const Repository& repository,
                                                        const std::string& datastore,
                                                        std::optional<uint64_t>& system_identifier);

// Takes one snapshot, with everything around it: lock, parent, memory.
Result<postgres::BackupResult> snapshot_now(
    Repository& repository, StateDirectory& state, Clock& clock, const ProtectedDatastore& datastore,
    bool full, unsigned workers, const std::function<void(const postgres::BackupProgress&)>& progress,
    std::stop_token stop);

// The slot, also the application_name and so the name in synchronous_standby_names.
// Returns when stopped. kRefused: a lock is held by another process.
Status protect(Repository& repository, StateDirectory& state, Clock& clock, const ProtectionOptions& options,
               std::stop_token stop);

}  // namespace daruma
