// datastore/postgres/wal_get.h: PostgreSQL's restore_command.
//
// Exit:    0 the file is there; 1 it does not exist anywhere (PostgreSQL goes on without it and may promote);
// 200 everything
//          else, after retries: PostgreSQL takes 1 to 125 for "no more WAL", and stops at 126 and above.
// Method:  `restore` has put the WAL it knew into pg_wal: such a file is hard-linked, without opening the
// repository. What
//          is missing comes from the repository; the unfinished segment is zero-padded to its full size.
// Threads: one call.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/config.h"
#include "datastore/postgres/lsn.h"
#include "datastore/postgres/points.h"
#include "os/clock.h"
#include "os/file_system.h"
#include "repository/repository.h"

namespace daruma::postgres {

enum class WalGetExit : int { kDone = 0, kAbsent = 1, kStop = 200 };

struct WalGetRequest {
  std::string datastore;
  std::string file;  // %f
  Path destination;  // %p: relative to the data directory, our working directory
  Path data_directory = ".";
  std::optional<Lsn> until;  // nothing of the log from here on exists for this recovery
  unsigned tries = 4;        // for a repository that cannot be reached
};

// Opens the repository when it is needed, once.
using OpenRepository = std::function<Result<std::unique_ptr<Repository>>()>;

// `explain` hears why, for the server's log.
WalGetExit wal_get(FileSystem& fs, Clock& clock, const WalGetRequest& request,
                   const OpenRepository& open_repository, const std::function<void(const Error&)>& explain);

// The restore_command that runs `program` for a datastore: every path absolute and quoted, because
// PostgreSQL runs it through a shell in the data directory. The configuration is named only where a
// passphrase opens the repository: a daruma.yaml that somebody breaks later must not stop a recovery.
// Without a position to stop at, the end that was resolved is named: a log may grow while it is recovered.
std::string wal_get_command(const Path& program, const Config& config, const std::string& datastore,
                            const RecoveryPoint& point);

}  // namespace daruma::postgres
