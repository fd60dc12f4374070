#include <fmt/format.h>

#include <algorithm>

#include "base/table.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

using postgres::SqlTable;

constexpr const char* kConnections =
    "SELECT coalesce(usename, '-') AS \"user\", coalesce(datname, '-') AS database, "
    "coalesce(state, '-') AS state, count(*) AS connections, "
    "to_char(max(clock_timestamp() - state_change), 'HH24:MI:SS') AS longest "
    "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
    "GROUP BY 1, 2, 3 ORDER BY connections DESC, 1, 2, 3";

constexpr const char* kLimits =
    "SELECT current_setting('max_connections'), current_setting('superuser_reserved_connections'), "
    "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> "
    "pg_backend_pid())";

Result<Value> connections(StepContext& context) {
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const SqlTable limits, session.ask(kLimits));
  DR_TRY(const SqlTable table, session.ask(kConnections));
  const auto number = [&](size_t column) { return std::stoll(limits.rows.at(0).at(column).value_or("0")); };
  const int64_t most = number(0);
  const int64_t used = number(2);
  const int64_t percent = most == 0 ? 0 : used * 100 / most;
  print_table(table);
  fmt::print("{} of {} connections ({} %), {} of them kept for superusers\n", used, most, percent, number(1));
  const int64_t limit = integer_input(context, "limit", 100);
  if (percent > limit)
    return Error{
        Errc::kFailed,
        fmt::format("{} of {} connections are in use: {} %, the limit is {} %", used, most, percent, limit),
        "the table shows whose they are; postgres.terminate ends one"};
  return Value(
      Value::Map{{"used", used}, {"max", most}, {"percent", percent}, {"by_user_and_state", rows_of(table)}});
}

std::vector<std::string> connections_by_hand(const StepContext& context) {
  return {
      psql_line(context,
                "SELECT usename, state, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                "GROUP BY 1, 2 ORDER BY 3 DESC"),
      psql_line(context, "SHOW max_connections")};
}

Result<Preview> connections_preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{
      {fmt::format("count the connections of {} by user and state", text_input(context, "datastore"))},
      connections_by_hand(context)};
}

// Idle sessions are left out, but for those that hold a transaction open: they block others as well.
constexpr const char* kActivity =
    "SELECT pid::text AS pid, "
    "extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start))::numeric(12,1)::text AS "
    "seconds, "
    "coalesce(usename, '-') AS \"user\", coalesce(datname, '-') AS database, state, "
    "coalesce(wait_event_type || '.' || wait_event, '') AS waits_for, "
    "regexp_replace(left(query, 300), '\\s+', ' ', 'g') AS query, backend_start::text AS backend_start "
    "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
    "AND state <> 'idle' "
    "AND clock_timestamp() - coalesce(xact_start, query_start) >= $1::interval "
    "ORDER BY coalesce(xact_start, query_start)";

Result<Value> activity(StepContext& context) {
  DR_TRY(const auto longer_than, duration_input(context, "longer_than"));
  const int64_t micros =
      std::chrono::duration_cast<std::chrono::microseconds>(longer_than.value_or(Duration{0})).count();
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  const auto most = static_cast<size_t>(integer_input(context, "rows", 50));
  DR_TRY(const SqlTable table, session.ask(kActivity, {fmt::format("{} microseconds", micros)}, most));
  print_table(table);
  if (table.rows.empty())
    fmt::print("no query runs longer than {}\n", human_duration(longer_than.value_or(0s)));
  Value::Map out{{"count", table.rows.size()},
                 {"queries", rows_of(table)},
                 {"oldest_pid", Value()},
                 {"oldest_backend_start", Value()}};
  if (!table.rows.empty()) {
    out["oldest_pid"] = std::stoll(table.rows[0].at(0).value_or("0"));
    out["oldest_backend_start"] = table.rows[0].back().value_or("");
  }
  return Value(std::move(out));
}

std::vector<std::string> activity_by_hand(const StepContext& context) {
  return {psql_line(
      context,
      "SELECT pid, backend_start, clock_timestamp() - coalesce(xact_start, query_start) AS age, usename, "
      "state, left(query, 100) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid() "
      "ORDER BY age DESC")};
}

Result<Preview> activity_preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{
      {fmt::format("list the running queries of {}, oldest first", text_input(context, "datastore"))},
      activity_by_hand(context)};
}

constexpr InputRow kConnectionsInputs[] = {
    kPostgresDatastore,
    {.name = "limit",
     .kind = InputRow::Kind::kInteger,
     .standard = "100",
     .help = "percent of max_connections; more of them in use is a failure"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kConnectionsOutputs[] = {"used", "max", "percent", "by_user_and_state"};

constexpr InputRow kActivityInputs[] = {
    kPostgresDatastore,
    {.name = "longer_than",
     .kind = InputRow::Kind::kDuration,
     .standard = "0s",
     .help = "only what is older"},
    {.name = "rows", .kind = InputRow::Kind::kInteger, .standard = "50", .help = "at most so many"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kActivityOutputs[] = {"count", "queries", "oldest_pid", "oldest_backend_start"};

}  // namespace

StepType postgres_connections_step() {
  return {.name = "postgres.connections",
          .summary = "counts connections by user and state against max_connections",
          .inputs = kConnectionsInputs,
          .outputs = kConnectionsOutputs,
          .act = connections,
          .preview = connections_preview,
          .by_hand = connections_by_hand};
}

StepType postgres_activity_step() {
  return {.name = "postgres.activity",
          .summary = "lists running queries and open transactions, oldest first",
          .inputs = kActivityInputs,
          .outputs = kActivityOutputs,
          .act = activity,
          .preview = activity_preview,
          .by_hand = activity_by_hand};
}

}  // namespace daruma::run
