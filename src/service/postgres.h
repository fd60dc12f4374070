// service/postgres.h: a pool of connections to PostgreSQL for a worker: libpq, asynchronous, with deadlines.
//
// Statements are prepared on a connection when they are first used there. A statement is one round trip and
// its own transaction. A connection that fails is closed and made anew, with back-off and jitter while the
// server is away (one connection tries then, the others wait for it); what was running on it fails with
// kUnavailable and may or may not have happened. A statement that surely never reached the server goes out on
// another connection instead. One whose deadline passes is cancelled by closing its connection: the server
// sees that within kNoticedAfter. Load is shed, not queued without end: at most `waiting_max` wait for a
// connection, others get kUnavailable at once, as all do while the server is known to be away.
// Needs PostgreSQL 14 or newer, and sessions of its own (no pooler in between).
// Errors:  kUnavailable: no connection, deadline passed, shed, serialization failure, deadlock, server
//          shutting down; kExists: unique or exclusion violation; kInvalid: other constraint or input
//          errors (SQLSTATE classes 22, 23); kFailed: the rest. `what` has SQLSTATE and message, never a
//          parameter's value (but what your own RAISE or constraint names say).
// Metrics: postgres_pool_connections{state}, postgres_statements_total{outcome},
//          postgres_statement_duration_seconds.
// Source:  PostgreSQL documentation, libpq asynchronous command processing.
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "os/clock.h"
#include "os/random.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/task.h"

namespace daruma::service {

struct PostgresSettings {
  std::string name = "PostgreSQL";            // in logs and metrics
  std::string host;                           // an address, a name, or the directory of a Unix socket
  std::string user, database, password = {};  // password: "" where none is needed
  int port = 5432;
  size_t connections = 8;
  size_t waiting_max = 256;
  Duration connect_time_max = 2s;
};

// A query with $1… parameters, known by its address: keep it alive for ever (a constant).
struct Statement {
  const char* name;
  const char* sql;
};

// One value in text form; nullopt is NULL.
using SqlValue = std::optional<std::string>;
using SqlValues = std::vector<SqlValue>;

// What a statement gave, in text form.
class Rows {
 public:
  size_t size() const;      // rows
  size_t affected() const;  // rows that an INSERT, UPDATE or DELETE touched
  // Row and column must exist: a bug otherwise. Views live as long as the Rows.
  bool is_null(size_t row, size_t column) const;
  std::string_view text(size_t row, size_t column) const;
  int64_t number(size_t row, size_t column) const;

 private:
  friend class PostgresConnection;
  struct Clear {
    void operator()(void* result) const;
  };
  std::unique_ptr<void, Clear> result_;  // PGresult
};

class PostgresPool {
 public:
  static constexpr Duration kNoticedAfter = 500ms;

  static std::unique_ptr<PostgresPool> create(boost::asio::io_context& io, PostgresSettings settings,
                                              const Clock& clock, Random& random, Log& log, Metrics& metrics);
  virtual ~PostgresPool() = default;

  virtual Task<Result<Rows>> run(const Statement& statement, SqlValues values, Deadline deadline) = 0;
  // All statements in order in one transaction and one round trip; the results of each. An error rolls all
  // back. It is the implicit transaction of a pipeline: no LOCK TABLE, no SAVEPOINT, no SET LOCAL in it.
  virtual Task<Result<std::vector<Rows>>> run_all(
      std::vector<std::pair<const Statement*, SqlValues>> statements, Deadline deadline) = 0;
  // Connections that are up, and how many of them are busy.
  virtual size_t open() const = 0;
  virtual size_t busy() const = 0;
  // Closes when what runs or waits has ended; new statements fail. Without it, end the pool after the event
  // loop.
  virtual Task<void> close() = 0;
};

}  // namespace daruma::service
