// datastore/postgres/sql.h: ordinary SQL, always with parameters.
//
// Errors:  kUnavailable: cannot connect or the connection broke. kRefused: rights, with the GRANT in the
//          hint. kFailed: the server's message, with its SQLSTATE.
// Threads: a connection is used by one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datastore/postgres/replication.h"

namespace daruma::postgres {

using SqlRow = std::vector<std::optional<std::string>>;  // text form; nullopt is NULL

// An answer with the names of its columns.
struct SqlTable {
  std::vector<std::string> columns;
  std::vector<SqlRow> rows;
  bool more = false;  // there were further rows
};

class SqlConnection {
 public:
  virtual ~SqlConnection() = default;
  // One statement; parameters are $1, $2, … in text form.
  virtual Result<std::vector<SqlRow>> query(const std::string& sql,
                                            const std::vector<std::string>& parameters = {}) = 0;
  // The same, at most `most` rows: never more in memory, however many there are. Where there were more, the
  // connection is used up: later queries are kUnavailable.
  virtual Result<SqlTable> table(const std::string& sql, const std::vector<std::string>& parameters,
                                 size_t most) = 0;
  // A name as SQL wants it, in quotes. kInvalid: no name can be so.
  virtual Result<std::string> quoted(const std::string& name) = 0;
  // The last WARNING the last query brought; empty if none. A COMMIT is acknowledged only when it brought
  // none: a wait for synchronous replication that somebody cancels ends in success with a warning.
  virtual const std::string& last_warning() const = 0;
};

// Waits at most until the deadline for the connection, and as long for each query after that as
// `query_timeout` says; a query that takes longer is kUnavailable and ends the connection.
Result<std::unique_ptr<SqlConnection>> connect_sql(const ConnectionSettings& settings, Clock& clock,
                                                   Deadline deadline,
                                                   Duration query_timeout = std::chrono::minutes(5));

}  // namespace daruma::postgres
