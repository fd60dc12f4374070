// probe/postgres.h: whether a PostgreSQL answers a query.
//
// Errors:  as datastore/postgres/sql.h; kCancelled: no time is left.
// Threads: any.
#pragma once

#include "config/config.h"
#include "datastore/postgres/sql.h"

namespace daruma::probe {

postgres::ConnectionSettings settings_of(const ConnectionConfig& connection, const std::string& password);

// Connects and runs SELECT 1: how long both took.
Result<Duration> ask_postgres(const ConnectionConfig& connection, const std::string& password, Clock& clock,
                              Deadline deadline);

}  // namespace daruma::probe
