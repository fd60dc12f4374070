#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

using postgres::SqlTable;

// Everybody who waits for a lock or makes somebody wait.
constexpr const char* kLocks =
    "WITH waiting AS (SELECT pid, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity "
    "WHERE cardinality(pg_blocking_pids(pid)) > 0) "
    "SELECT a.pid::text, coalesce(array_to_string(w.blockers, ' '), ''), coalesce(a.usename, '-'), "
    "coalesce(a.datname, '-'), coalesce(a.state, '-'), "
    "extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start))::numeric(12,1)::text, "
    "coalesce((SELECT l.mode || ' on ' || l.locktype || coalesce(' ' || l.relation::regclass::text, '') "
    "FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted LIMIT 1), ''), "
    "regexp_replace(left(a.query, 200), '\\s+', ' ', 'g'), a.backend_start::text "
    "FROM pg_stat_activity a LEFT JOIN waiting w USING (pid) "
    "WHERE w.pid IS NOT NULL OR a.pid IN (SELECT unnest(blockers) FROM waiting) ORDER BY a.pid";

struct Session {
  std::string pid, user, database, state, seconds, wants, query, backend_start;
  std::vector<std::string> blockers;
};
using Sessions = std::map<std::string, Session>;

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

Sessions sessions_in(const SqlTable& table) {
  Sessions sessions;
  for (const postgres::SqlRow& row : table.rows) {
    const auto cell = [&](size_t i) { return row.at(i).value_or(""); };
    sessions[cell(0)] = {cell(0), cell(2), cell(3), cell(4),          cell(5),
                         cell(6), cell(7), cell(8), words_of(cell(1))};
  }
  return sessions;
}

// Those it makes wait, directly and through others.
std::set<std::string> victims_of(const Sessions& sessions, const std::string& pid) {
  std::set<std::string> found;
  std::vector<std::string> next{pid};
  while (!next.empty()) {
    const std::string blocker = next.back();
    next.pop_back();
    for (const auto& [victim, session] : sessions)
      if (std::ranges::find(session.blockers, blocker) != session.blockers.end() &&
          found.insert(victim).second)
        next.push_back(victim);
  }
  return found;
}

std::string line_of(const Session& session) {
  std::string out = fmt::format("{} {}@{}, {} for {} s", session.pid, session.user, session.database,
                                session.state, session.seconds);
  if (!session.wants.empty()) out += ", wants " + session.wants;
  return out + ": " + session.query;
}

void print_tree(const Sessions& sessions, const std::string& pid, size_t depth,
                std::set<std::string>& shown) {
  const auto session = sessions.find(pid);
  const std::string indent(depth * 2, ' ');
  if (session == sessions.end()) {
    fmt::print("{}{} is gone, or a prepared transaction\n", indent, pid);
    return;
  }
  if (!shown.insert(pid).second) {
    fmt::print("{}{}, see above\n", indent, pid);
    return;
  }
  fmt::print("{}{}\n", indent, line_of(session->second));
  for (const auto& [other, waiting] : sessions)
    if (std::ranges::find(waiting.blockers, pid) != waiting.blockers.end())
      print_tree(sessions, other, depth + 1, shown);
}

Value to_value(const Session& session, size_t victims) {
  return Value::Map{{"pid", std::stoll(session.pid)}, {"backend_start", session.backend_start},
                    {"user", session.user},           {"state", session.state},
                    {"query", session.query},         {"victims", victims}};
}

Result<Value> locks(StepContext& context) {
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const SqlTable table, session.ask(kLocks, {}, 1000));
  const Sessions sessions = sessions_in(table);
  // Those who wait for nobody: ending one frees its victims. The worst comes first.
  std::vector<std::pair<size_t, const Session*>> roots;
  size_t waiting = 0;
  for (const auto& [pid, each] : sessions) {
    if (each.blockers.empty())
      roots.emplace_back(victims_of(sessions, pid).size(), &each);
    else
      ++waiting;
  }
  std::ranges::stable_sort(roots, std::ranges::greater(), [](const auto& root) { return root.first; });
  std::set<std::string> shown;
  Value::List blockers;
  for (const auto& [victims, root] : roots) {
    print_tree(sessions, root->pid, 0, shown);
    blockers.push_back(to_value(*root, victims));
  }
  for (const auto& [pid, each] : sessions)  // whose blocker is none of them
    if (!shown.contains(pid)) print_tree(sessions, pid, 0, shown);
  fmt::print("{} sessions wait for a lock\n", waiting);
  Value::Map out{{"waiting", waiting},
                 {"blockers", blockers},
                 {"blocker_pid", Value()},
                 {"blocker_backend_start", Value()}};
  if (!roots.empty()) {
    out["blocker_pid"] = std::stoll(roots[0].second->pid);
    out["blocker_backend_start"] = roots[0].second->backend_start;
  }
  return Value(std::move(out));
}

std::vector<std::string> by_hand(const StepContext& context) {
  return {psql_line(context,
                    "SELECT pid, pg_blocking_pids(pid) AS blocked_by, usename, state, left(query, 100) FROM "
                    "pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"),
          psql_line(context, "SELECT * FROM pg_locks WHERE NOT granted")};
}

Result<Preview> preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{{"show who waits for whose lock in " + text_input(context, "datastore")}, by_hand(context)};
}

constexpr InputRow kInputs[] = {kPostgresDatastore, kPostgresDatabase, kPostgresUser, kPostgresPassword};
constexpr std::string_view kOutputs[] = {"waiting", "blockers", "blocker_pid", "blocker_backend_start"};

}  // namespace

StepType postgres_locks_step() {
  return {.name = "postgres.locks",
          .summary = "shows locks that are waited for, with the chain of who blocks whom",
          .inputs = kInputs,
          .outputs = kOutputs,
          .act = locks,
          .preview = preview,
          .by_hand = by_hand};
}

}  // namespace daruma::run
