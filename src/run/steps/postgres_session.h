// run/steps/postgres_session.h: how the steps of the family postgres.* speak to a server: one connection,
// bounded by the step's deadline on both sides, reading only unless the step changes something.
//
// Errors:  as datastore/postgres/sql.h.
// Threads: one at a time.
#pragma once

#include <string>
#include <vector>

#include "datastore/postgres/sql.h"
#include "run/step_type.h"

namespace daruma::run {

// What every step of the family may be given.
inline constexpr InputRow kPostgresDatastore{.name = "datastore",
                                             .kind = InputRow::Kind::kDatastore,
                                             .required = true,
                                             .help = "a datastore of kind postgres"};
inline constexpr InputRow kPostgresDatabase{.name = "database",
                                            .help = "to connect to; else the datastore's own"};
inline constexpr InputRow kPostgresUser{.name = "user",
                                        .help = "role to connect as; else the datastore's own"};
inline constexpr InputRow kPostgresPassword{
    .name = "password", .kind = InputRow::Kind::kAny, .help = "of `user`: {env: NAME} or {file: PATH}"};

// Where the step's inputs say, with the password. `database` goes before them.
Result<postgres::ConnectionSettings> postgres_settings(const StepContext& context,
                                                       const std::string& database = {});

class PostgresSession {
 public:
  enum class May : uint8_t { kRead, kWrite };

  static Result<PostgresSession> open(const StepContext& context, May may, const std::string& database = {});

  // At most `most` rows; where there were more, the session is used up.
  Result<postgres::SqlTable> ask(const std::string& sql, const std::vector<std::string>& parameters = {},
                                 size_t most = 100'000);
  // The first column of the first row; "" for NULL. kNotFound: no row.
  Result<std::string> value(const std::string& sql, const std::vector<std::string>& parameters = {});
  Status run(const std::string& sql);
  Result<std::string> quoted(const std::string& name) { return sql_->quoted(name); }

 private:
  explicit PostgresSession(std::unique_ptr<postgres::SqlConnection> sql) : sql_(std::move(sql)) {}
  std::unique_ptr<postgres::SqlConnection> sql_;
};

// How the step's sessions call themselves in the server, psql's among them.
std::string session_name(const StepContext& context);
// A server notices late that a client was killed, and may still work for it: ends the sessions that earlier
// attempts of this step left, and waits until they are gone.
Status end_earlier_attempts(const StepContext& context, PostgresSession& session);

// Rows of one column as a list of texts, NULL left out.
std::vector<std::string> first_column(const postgres::SqlTable& table);
// A row as an array literal of PostgreSQL's: {"a","b"}.
std::string array_literal(const std::vector<std::string>& texts);
// Head and rows, one below the other, for whoever watches the step.
void print_table(const postgres::SqlTable& table);
// Each row a map by its columns.
Value::List rows_of(const postgres::SqlTable& table);

// "psql -h HOST -p PORT -U USER -d DATABASE -X -v ON_ERROR_STOP=1", and a command when `sql` has one. Where
// the datastore is not known yet (a runbook's parameter), its words are in capitals.
std::string psql_line(const StepContext& context, const std::string& sql, const std::string& database = {});
// "-h HOST -p PORT -U USER" for another of PostgreSQL's tools.
std::string connection_words(const StepContext& context);

}  // namespace daruma::run
