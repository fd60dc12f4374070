// datastore/postgres/libpq_support.h: one libpq connection that never waits longer than its deadline and can
// be woken from another thread. Shared by the replication and the SQL connection; nothing else includes
// libpq.
//
// Errors:  as server_error.h maps them. kUnavailable also: broken, or given up after an unanswered command.
//          kCancelled: the deadline passed (the exchange may go on), or interrupt() was called.
// Threads: one at a time; interrupt() from any.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "datastore/postgres/replication.h"
#include "datastore/postgres/server_error.h"

namespace daruma::postgres {

struct FreeConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
struct FreeMemory {
  void operator()(char* memory) const { PQfreemem(memory); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;

// A message of a COPY, in libpq's own memory.
struct CopyMessage {
  enum class Kind : uint8_t { kNone, kData, kEnd };  // kNone: nothing there yet
  Kind kind = Kind::kNone;
  std::unique_ptr<char, FreeMemory> memory;
  BytesView bytes;
};

class Link {
 public:
  struct Options {
    ConnectionSettings settings;
    std::string application_name;
    bool replication = false;
  };

  // kInvalid: an sslmode libpq does not know. Looking up the host's name is not bounded by the deadline.
  static Result<std::unique_ptr<Link>> connect(const Options& options, Clock& clock, Deadline deadline);
  explicit Link(Clock& clock);  // not connected: use connect()
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Sends one command; its results come from next_result. Parameters are for SQL: $1, $2, …
  Status send(const std::string& command, const std::vector<std::string>& parameters = {});
  // The next result; null when the command is over. A failed command is an Error.
  Result<ResultHandle> next_result(Deadline deadline, const std::string& doing);
  // Sends, and reads to the command's end; returns its first result. An unanswered command gives the
  // connection up.
  Result<ResultHandle> run(const std::string& command, const std::string& doing, Duration timeout,
                           const std::vector<std::string>& parameters = {});
  // After send(): each row comes as a result of its own, so that a large answer needs no memory.
  Status one_row_at_a_time(const std::string& doing);
  // Leaves a command half read: from now on every command is kUnavailable, because of `why`.
  void abandon(std::string why) { given_up_ = std::move(why); }
  // Reads away what is left of a command, for at most `timeout`.
  Status drain(const std::string& doing, Duration timeout);

  // The next COPY message; kNone at the deadline.
  Result<CopyMessage> copy_message(Deadline deadline, const std::string& doing);
  // The same without waiting.
  Result<CopyMessage> copy_message_now(const std::string& doing);
  Status put_copy(BytesView bytes, const std::string& doing);
  Status end_copy(const std::string& doing);

  // PQescapeIdentifier. kInvalid: not text.
  Result<std::string> quoted(const std::string& identifier);
  int server_version() const { return PQserverVersion(connection_.get()); }
  const Peer& peer() const { return peer_; }
  Clock& clock() { return clock_; }
  // The last WARNING the server sent with the current command; empty if none.
  const std::string& warning() const { return warning_; }

  void interrupt();
  Status check_interrupted() const;

 private:
  Status make_wake();
  Status establish(const Options& options, Deadline deadline);
  // True when the socket is ready for `events` (of poll(2)); false at the deadline.
  Result<bool> wait(short events, Deadline deadline);
  Status flush(const std::string& doing);
  Error broken(const std::string& doing) const;
  Error given_up(const std::string& doing, Duration timeout);
  Error connection_error(const Options& options) const;
  Error fault(const PGresult* result, const std::string& doing) const;
  static void keep_warning(void* link, const PGresult* notice);

  Clock& clock_;
  int wake_ = -1;  // an eventfd that stays readable once interrupted
  std::unique_ptr<PGconn, FreeConnection> connection_;
  Peer peer_;
  std::string warning_;
  std::string given_up_;  // why; empty while the connection is good
  std::atomic<bool> interrupted_{false};
};

}  // namespace daruma::postgres
