// service/postgres_session.h: one connection to PostgreSQL that waits for its answers: for a service's
// commands (migrate, seed), never for a worker.
//
// Errors:  as service/postgres.h: kUnavailable: cannot connect or the connection broke; kExists: unique or
//          exclusion violation; kInvalid: other constraint or input errors; kFailed: the rest. `what` has
//          SQLSTATE and message.
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>

#include "service/postgres.h"

namespace daruma::service {

class PostgresSession {
 public:
  // Of the settings, what says where and as whom.
  static Result<PostgresSession> connect(const PostgresSettings& settings);

  // One statement; parameters are $1, $2, … in text form.
  Result<std::vector<std::vector<SqlValue>>> run(const std::string& sql, const SqlValues& values = {});
  // A script of statements without parameters: all or nothing, unless it has transactions of its own.
  Status run_script(const std::string& script);
  // "hotels (id, name)": loads `text`, rows as COPY's text format has them.
  Status copy_in(const std::string& table, std::string_view text);
  // For a name that comes from a setting: "authdb" with the quotes SQL wants.
  Result<std::string> identifier(const std::string& name);
  Result<std::string> literal(const std::string& text);
  // Gives a role a password; the server and its logs see only the hash.
  Status set_password(const std::string& role, const std::string& password);

 private:
  struct Finish {
    void operator()(void* connection) const;
  };
  explicit PostgresSession(void* connection) : connection_(connection) {}
  std::unique_ptr<void, Finish> connection_;  // PGconn
};

}  // namespace daruma::service
