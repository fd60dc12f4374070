#include <fmt/format.h>

#include <algorithm>

#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

using postgres::SqlTable;

constexpr size_t kBytesMost = 256 * 1024;

// A read-only transaction does not keep these from acting. They have step types of their own, with approval.
constexpr std::string_view kActing[] = {
    "pg_terminate_backend", "pg_cancel_backend",   "pg_promote",          "pg_drop_replication_slot",
    "pg_switch_wal",        "pg_wal_replay_pause", "pg_wal_replay_resume"};

Status only_reads(const std::string& sql) {
  std::string small = sql;
  std::ranges::transform(small, small.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const std::string_view name : kActing)
    if (small.find(name) != std::string::npos)
      return Error{Errc::kRefused, fmt::format("{} is not for a step that only observes", name),
                   "postgres.cancel, postgres.terminate and postgres.promote do it, approved and recorded"};
  return {};
}

// The answer to inputs `sql` and `parameters`.
Result<SqlTable> answer(StepContext& context, size_t most) {
  const std::string sql = text_input(context, "sql");
  DR_OK(only_reads(sql));
  DR_TRY(const auto parameters, texts_input(context, "parameters"));
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  return session.ask(sql, parameters, most);
}

// Leaves so many rows as a journal should hold.
void bound(SqlTable& table) {
  size_t bytes = 0;
  size_t rows = 0;
  for (; rows < table.rows.size() && bytes < kBytesMost; ++rows)
    for (const auto& cell : table.rows[rows]) bytes += cell ? cell->size() : 0;
  if (rows == table.rows.size()) return;
  table.rows.resize(rows);
  table.more = true;
}

Value first_value(const SqlTable& table) {
  return table.rows.empty() || table.rows[0].empty() || !table.rows[0][0] ? Value()
                                                                          : Value(*table.rows[0][0]);
}

Result<Value> query(StepContext& context) {
  DR_TRY(SqlTable table, answer(context, static_cast<size_t>(integer_input(context, "rows", 100))));
  bound(table);
  print_table(table);
  if (table.more) fmt::print("… and more: only the first {} are kept\n", table.rows.size());
  return Value(Value::Map{{"rows", rows_of(table)},
                          {"count", table.rows.size()},
                          {"more", table.more},
                          {"value", first_value(table)}});
}

std::vector<std::string> query_by_hand(const StepContext& context) {
  return {psql_line(context, text_input(context, "sql"))};
}

Result<Preview> query_preview(StepContext& context) {
  DR_OK(only_reads(text_input(context, "sql")));
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{{fmt::format("ask {}: {}", text_input(context, "datastore"), text_input(context, "sql"))},
                 query_by_hand(context)};
}

// nullopt: it holds. Else what was expected.
std::optional<std::string> broken_expectation(const StepContext& context, const std::string& got) {
  if (const Value* equals = input(context, "equals"); equals && to_text(*equals) != got)
    return fmt::format("'{}'", to_text(*equals));
  const auto number = [](const std::string& text) { return std::strtod(text.c_str(), nullptr); };
  if (const Value* least = input(context, "at_least"); least && !(number(got) >= number(to_text(*least))))
    return fmt::format("at least {}", to_text(*least));
  if (const Value* most = input(context, "at_most"); most && !(number(got) <= number(to_text(*most))))
    return fmt::format("at most {}", to_text(*most));
  return std::nullopt;
}

Status has_expectation(const StepContext& context) {
  for (const std::string_view name : {"equals", "at_least", "at_most"})
    if (input(context, name)) return {};
  return Error{Errc::kInvalid, "postgres.expect expects nothing", "give equals, at_least or at_most"};
}

Result<Value> expect(StepContext& context) {
  DR_OK(has_expectation(context));
  DR_TRY(const SqlTable table, answer(context, 1));
  const Value got = first_value(table);
  const std::string text = got.is_null() ? "null" : to_text(got);
  fmt::print("{}\n", text);
  if (const auto wanted = broken_expectation(context, text))
    return Error{Errc::kFailed,
                 fmt::format("\"{}\" gave '{}', expected was {}", text_input(context, "sql"), text, *wanted)};
  return Value(Value::Map{{"value", got}});
}

Result<Preview> expect_preview(StepContext& context) {
  DR_OK(has_expectation(context));
  return query_preview(context);
}

Result<Value> databases(StepContext& context) {
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const SqlTable table,
         session.ask("SELECT datname AS database, pg_get_userbyid(datdba) AS owner, "
                     "pg_encoding_to_char(encoding) AS encoding, datcollate AS collation, "
                     "CASE WHEN has_database_privilege(oid, 'CONNECT') THEN "
                     "pg_size_pretty(pg_database_size(oid)) END AS size, datallowconn AS open "
                     "FROM pg_database WHERE NOT datistemplate ORDER BY datname"));
  print_table(table);
  const std::vector<std::string> names = first_column(table);
  DR_TRY(const auto wanted, texts_input(context, "expected"));
  std::string missing;
  for (const std::string& name : wanted)
    if (std::ranges::find(names, name) == names.end()) missing += (missing.empty() ? "" : ", ") + name;
  if (!missing.empty()) return Error{Errc::kFailed, "databases are missing: " + missing};
  return Value(Value::Map{{"databases", Value::List(names.begin(), names.end())}, {"count", names.size()}});
}

std::vector<std::string> databases_by_hand(const StepContext& context) { return {psql_line(context, "\\l")}; }

Result<Preview> databases_preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{{"list the databases of " + text_input(context, "datastore")}, databases_by_hand(context)};
}

constexpr InputRow kSql{
    .name = "sql", .required = true, .help = "one statement; it runs in a read-only transaction"};
constexpr InputRow kParameters{.name = "parameters", .kind = InputRow::Kind::kList, .help = "for $1, $2, …"};

constexpr InputRow kQueryInputs[] = {kPostgresDatastore,
                                     kSql,
                                     kParameters,
                                     {.name = "rows",
                                      .kind = InputRow::Kind::kInteger,
                                      .standard = "100",
                                      .help = "at most so many rows are kept"},
                                     kPostgresDatabase,
                                     kPostgresUser,
                                     kPostgresPassword};
constexpr std::string_view kQueryOutputs[] = {"rows", "count", "more", "value"};

constexpr InputRow kExpectInputs[] = {
    kPostgresDatastore,
    kSql,
    kParameters,
    {.name = "equals", .kind = InputRow::Kind::kAny, .help = "the first value of the first row"},
    {.name = "at_least", .kind = InputRow::Kind::kAny, .help = "the same, as a number"},
    {.name = "at_most", .kind = InputRow::Kind::kAny, .help = "the same, as a number"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kExpectOutputs[] = {"value"};

constexpr InputRow kDatabasesInputs[] = {
    kPostgresDatastore,
    {.name = "expected", .kind = InputRow::Kind::kList, .help = "databases that must be there"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kDatabasesOutputs[] = {"databases", "count"};

}  // namespace

StepType postgres_query_step() {
  return {.name = "postgres.query",
          .summary = "asks a database and keeps the rows, a bounded number of them",
          .inputs = kQueryInputs,
          .outputs = kQueryOutputs,
          .act = query,
          .preview = query_preview,
          .by_hand = query_by_hand};
}

StepType postgres_expect_step() {
  return {.name = "postgres.expect",
          .summary = "asks a database for one value and fails unless it is as expected",
          .inputs = kExpectInputs,
          .outputs = kExpectOutputs,
          .act = expect,
          .preview = expect_preview,
          .by_hand = query_by_hand};
}

StepType postgres_databases_step() {
  return {.name = "postgres.databases",
          .summary = "lists the databases with owner, encoding and size",
          .inputs = kDatabasesInputs,
          .outputs = kDatabasesOutputs,
          .act = databases,
          .preview = databases_preview,
          .by_hand = databases_by_hand};
}

}  // namespace daruma::run
