#include "run/steps/postgres_session.h"

#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/table.h"
#include "probe/postgres.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

constexpr Duration kConnectPatience = 15s;
constexpr size_t kWidestCell = 200;

Result<std::string> password(const StepContext& context, const DatastoreConfig& datastore) {
  if (const Value* given = input(context, "password")) return maybe_secret(context, *given);
  // The datastore's password is its own role's.
  const std::string user = text_input(context, "user");
  if (!user.empty() && user != datastore.connection.user) return std::string();
  return password_of(context, datastore.connection);
}

}  // namespace

Result<postgres::ConnectionSettings> postgres_settings(const StepContext& context,
                                                       const std::string& database) {
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kPostgres));
  DR_TRY(const std::string secret, password(context, *datastore));
  auto settings = probe::settings_of(datastore->connection, secret);
  if (const std::string user = text_input(context, "user"); !user.empty()) settings.user = user;
  const std::string wanted = database.empty() ? text_input(context, "database") : database;
  if (!wanted.empty()) settings.dbname = wanted;
  return settings;
}

Result<PostgresSession> PostgresSession::open(const StepContext& context, May may,
                                              const std::string& database) {
  DR_TRY(const auto settings, postgres_settings(context, database));
  const MonoInstant now = context.clock.mono();
  const Duration left = context.deadline.left(now);
  if (left == Duration{0})
    return Error{Errc::kCancelled, "the step's time is over", "give it more by its `timeout`"};
  const Duration patience = std::min(left, Duration(kConnectPatience));
  const Duration limit = std::min(left, Duration(24h));
  DR_TRY(auto sql, postgres::connect_sql(settings, context.clock, context.clock.after(patience), limit));
  const int64_t limit_ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  DR_OK(
      sql->query("SELECT set_config('statement_timeout', $1, false), "
                 "set_config('default_transaction_read_only', $2, false), "
                 "set_config('application_name', $3, false)",
                 {std::to_string(limit_ms), may == May::kRead ? "on" : "off", session_name(context)}));
  return PostgresSession(std::move(sql));
}

Result<postgres::SqlTable> PostgresSession::ask(const std::string& sql,
                                                const std::vector<std::string>& parameters, size_t most) {
  return sql_->table(sql, parameters, most);
}

Result<std::string> PostgresSession::value(const std::string& sql,
                                           const std::vector<std::string>& parameters) {
  DR_TRY(const auto rows, sql_->query(sql, parameters));
  if (rows.empty() || rows[0].empty())
    return Error{Errc::kNotFound, fmt::format("no row came for \"{}\"", sql.substr(0, 80))};
  return rows[0][0].value_or("");
}

Status PostgresSession::run(const std::string& sql) {
  DR_OK(sql_->query(sql));
  return {};
}

std::string session_name(const StepContext& context) {
  constexpr size_t kLongest = 63;
  // Its end tells most: the run.
  std::string name = fmt::format("{} {}", context.step, context.run);
  if (name.size() > kLongest) name.erase(0, name.size() - kLongest);
  return name;
}

Status end_earlier_attempts(const StepContext& context, PostgresSession& session) {
  while (true) {
    DR_TRY(const auto left, session.ask("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
                                        "WHERE application_name = $1 AND pid <> pg_backend_pid()",
                                        {session_name(context)}));
    if (left.rows.empty()) return {};
    if (context.deadline.passed(context.clock.mono()) || context.stop.stop_requested())
      return Error{
          Errc::kCancelled, "a session that a killed attempt left in the server does not end",
          fmt::format(
              "see what it waits for: {}",
              psql_line(context, "SELECT pid, state, wait_event_type, wait_event FROM pg_stat_activity"))};
    context.clock.pause(50ms, context.stop);
  }
}

std::vector<std::string> first_column(const postgres::SqlTable& table) {
  std::vector<std::string> out;
  for (const postgres::SqlRow& row : table.rows)
    if (!row.empty() && row[0]) out.push_back(*row[0]);
  return out;
}

std::string array_literal(const std::vector<std::string>& texts) {
  std::string out = "{";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

void print_table(const postgres::SqlTable& table) {
  std::vector<Table::Column> columns;
  for (const std::string& name : table.columns) columns.push_back({name});
  Table text(std::move(columns));
  for (const postgres::SqlRow& row : table.rows) {
    std::vector<std::string> cells;
    for (const auto& cell : row) cells.push_back(fit_to_width(cell.value_or("-"), kWidestCell));
    text.row(std::move(cells));
  }
  fmt::print("{}", text.text());
}

Value::List rows_of(const postgres::SqlTable& table) {
  Value::List rows;
  for (const postgres::SqlRow& row : table.rows) {
    Value::Map cells;
    for (size_t i = 0; i < row.size(); ++i) cells[table.columns[i]] = row[i] ? Value(*row[i]) : Value();
    rows.emplace_back(std::move(cells));
  }
  return rows;
}

std::string connection_words(const StepContext& context) {
  const DatastoreConfig* datastore = context.config.datastore(text_input(context, "datastore"));
  const std::string user = text_input(context, "user");
  if (datastore == nullptr)
    return fmt::format("-h HOST -p PORT -U {}", user.empty() ? "USER" : shell_word(user));
  const ConnectionConfig& config = datastore->connection;
  std::string out;
  if (!config.host.empty()) out += "-h " + shell_word(config.host) + " ";
  out += fmt::format("-p {}", config.port == 0 ? 5432 : config.port);
  if (const std::string& role = user.empty() ? config.user : user; !role.empty())
    out += " -U " + shell_word(role);
  return out;
}

std::string psql_line(const StepContext& context, const std::string& sql, const std::string& database) {
  const DatastoreConfig* datastore = context.config.datastore(text_input(context, "datastore"));
  std::string wanted = database.empty() ? text_input(context, "database") : database;
  if (wanted.empty() && datastore != nullptr) wanted = datastore->connection.dbname;
  if (wanted.empty()) wanted = "postgres";
  std::string out =
      fmt::format("psql {} -d {} -X -v ON_ERROR_STOP=1", connection_words(context), shell_word(wanted));
  if (!sql.empty()) out += " -c " + shell_word(sql);
  return out;
}

}  // namespace daruma::run
