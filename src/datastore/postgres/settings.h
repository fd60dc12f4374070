// datastore/postgres/settings.h: what a recovery must know of the server's configuration.
//
// Threads: as the connections given.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "datastore/postgres/replication.h"
#include "datastore/postgres/sql.h"

namespace daruma::postgres {

Result<SegmentSize> read_segment_size(ReplicationConnection& connection);

// The settings a server in recovery needs at least as large as the one that wrote the WAL (PostgreSQL
// documentation, "Hot Standby", administrator's overview), and wal_level.
Result<std::map<std::string, std::string>> read_recovery_settings(ReplicationConnection& connection);

struct ConfigurationFile {
  std::string name;  // postgresql.conf, pg_hba.conf, pg_ident.conf
  std::string text;
};
// Configuration files that lie outside the data directory (Debian keeps them in /etc). Empty: they all lie
// inside, and are part of every snapshot anyway. kRefused: the rights are missing, with the GRANTs in the
// hint.
Result<std::vector<ConfigurationFile>> read_outside_configuration(SqlConnection& sql);

}  // namespace daruma::postgres
