#include "service/postgres_session.h"

#include <fmt/format.h>
#include <libpq-fe.h>

namespace daruma::service {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, Clear>;

struct FreeMemory {
  void operator()(char* memory) const { PQfreemem(memory); }
};
using Quoted = std::unique_ptr<char, FreeMemory>;

template <class Pointer>
PGconn* pg(const Pointer& connection) {
  return static_cast<PGconn*>(connection.get());
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Errc code_of(std::string_view state) {
  if (state == "23505" || state == "23P01") return Errc::kExists;
  if (state.starts_with("22") || state.starts_with("23")) return Errc::kInvalid;
  if (state.empty() || state.starts_with("08") || state.starts_with("57P")) return Errc::kUnavailable;
  return Errc::kFailed;
}

Error error_of(PGconn* connection, const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr || message == nullptr)
    return {Errc::kUnavailable, without_line_end(PQerrorMessage(connection))};
  return {code_of(state), fmt::format("{} ({})", message, state)};
}

bool succeeded(const PGresult* result) {
  const auto status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

}  // namespace

void PostgresSession::Finish::operator()(void* connection) const {
  PQfinish(static_cast<PGconn*>(connection));
}

Result<PostgresSession> PostgresSession::connect(const PostgresSettings& settings) {
  const std::string port = std::to_string(settings.port);
  const auto seconds =
      std::max<int64_t>(2, std::chrono::ceil<std::chrono::seconds>(settings.connect_time_max).count());
  const std::string patience = std::to_string(seconds);
  const char* names[] = {
      "host", "port", "user", "dbname", "password", "connect_timeout", "client_encoding", "options", nullptr};
  const char* values[] = {settings.host.c_str(),
                          port.c_str(),
                          settings.user.c_str(),
                          settings.database.c_str(),
                          settings.password.c_str(),
                          patience.c_str(),
                          "UTF8",
                          "-c client_min_messages=warning",
                          nullptr};
  PostgresSession session(PQconnectdbParams(names, values, 0));
  PGconn* connection = pg(session.connection_);
  if (PQstatus(connection) != CONNECTION_OK)
    return Error{Errc::kUnavailable,
                 fmt::format("PostgreSQL at {}:{}, database '{}': {}", settings.host, settings.port,
                             settings.database, without_line_end(PQerrorMessage(connection))),
                 "is it running, and may this user connect?"};
  return session;
}

Result<std::vector<std::vector<SqlValue>>> PostgresSession::run(const std::string& sql,
                                                                const SqlValues& values) {
  PGconn* connection = pg(connection_);
  std::vector<const char*> texts;
  for (const SqlValue& value : values) texts.push_back(value ? value->c_str() : nullptr);
  const Answer answer(PQexecParams(connection, sql.c_str(), static_cast<int>(texts.size()), nullptr,
                                   texts.data(), nullptr, nullptr, 0));
  if (!succeeded(answer.get())) return error_of(connection, answer.get());
  std::vector<std::vector<SqlValue>> rows(static_cast<size_t>(PQntuples(answer.get())));
  for (size_t row = 0; row < rows.size(); ++row)
    for (int column = 0; column < PQnfields(answer.get()); ++column) {
      const int at = static_cast<int>(row);
      if (PQgetisnull(answer.get(), at, column))
        rows[row].emplace_back(std::nullopt);
      else
        rows[row].emplace_back(PQgetvalue(answer.get(), at, column));
    }
  return rows;
}

Status PostgresSession::run_script(const std::string& script) {
  PGconn* connection = pg(connection_);
  const Answer answer(PQexec(connection, script.c_str()));
  if (!succeeded(answer.get())) return error_of(connection, answer.get());
  return {};
}

Status PostgresSession::copy_in(const std::string& table, std::string_view text) {
  constexpr size_t kPiece = 1 << 20;
  PGconn* connection = pg(connection_);
  const Answer begun(PQexec(connection, ("COPY " + table + " FROM STDIN").c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return error_of(connection, begun.get());
  bool sent = true;
  for (size_t at = 0; sent && at < text.size(); at += kPiece) {
    const std::string_view piece = text.substr(at, kPiece);
    sent = PQputCopyData(connection, piece.data(), static_cast<int>(piece.size())) == 1;
  }
  sent = PQputCopyEnd(connection, sent ? nullptr : "broken off") == 1 && sent;
  Status outcome;
  while (const Answer answer{PQgetResult(connection)})
    if (!succeeded(answer.get()) && outcome.ok()) outcome = error_of(connection, answer.get());
  if (outcome.ok() && !sent) return error_of(connection, nullptr);
  return outcome;
}

Result<std::string> PostgresSession::identifier(const std::string& name) {
  PGconn* connection = pg(connection_);
  const Quoted quoted(PQescapeIdentifier(connection, name.data(), name.size()));
  if (!quoted) return Error{Errc::kInvalid, "'" + name + "' is not a name PostgreSQL can have"};
  return std::string(quoted.get());
}

Result<std::string> PostgresSession::literal(const std::string& text) {
  PGconn* connection = pg(connection_);
  const Quoted quoted(PQescapeLiteral(connection, text.data(), text.size()));
  if (!quoted) return Error{Errc::kInvalid, "a text that is not UTF-8 cannot be sent to PostgreSQL"};
  return std::string(quoted.get());
}

Status PostgresSession::set_password(const std::string& role, const std::string& password) {
  PGconn* connection = pg(connection_);
  const Quoted hash(PQencryptPasswordConn(connection, password.c_str(), role.c_str(), "scram-sha-256"));
  if (!hash) return error_of(connection, nullptr);
  DR_TRY(const std::string name, identifier(role));
  DR_TRY(const std::string text, literal(hash.get()));
  DR_OK(run("ALTER ROLE " + name + " PASSWORD " + text));
  return {};
}

}  // namespace daruma::service
