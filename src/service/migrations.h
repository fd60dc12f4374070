// service/migrations.h: brings the schema of a database to its newest version, each migration once and in
// order.
//
// A migration is a file NNNN_name.sql; the numbers begin at 0001 and have no holes. Each runs in a
// transaction together with its row in `schema_migrations` (number, name, sha256, when), under an advisory
// lock, so that two who migrate at once do it once. A file that changed after it ran, or one that ran and
// is gone, is refused.
// Threads: one at a time.
#pragma once

#include <string>
#include <vector>

#include "os/file_system.h"
#include "service/postgres_session.h"

namespace daruma::service {

// Returns the names of the migrations that ran now; none when the schema was up to date.
// kInvalid: a name or number that does not fit. kRefused: history and files differ; nothing was touched.
Result<std::vector<std::string>> migrate(PostgresSession& session, FileSystem& fs, const Path& directory);

}  // namespace daruma::service
