#include <fmt/format.h>

#include <thread>

#include "run/steps/inputs.h"
#include "run/steps/postgres_database.h"
#include "run/steps/postgres_family.h"

namespace daruma::run {
namespace {

using May = PostgresSession::May;

// All renames are one transaction, so that a crash leaves either all of them or none. PostgreSQL renames a
// database only while nobody is connected to it, and lets nobody in from the moment the rename waits: so
// sessions are ended from a second connection while it waits.

constexpr Duration kBetweenEnds = 50ms;
constexpr int kTries = 5;

struct Rename {
  std::string from, to;
  bool open = true;  // takes connections afterwards
};

// Ends the sessions of databases until it is destroyed.
class SessionEnder {
 public:
  SessionEnder(PostgresSession session, Clock& clock, std::vector<std::string> databases)
      : thread_([session = std::move(session), &clock,
                 names = array_literal(databases)](std::stop_token stop) mutable {
          do {
            // What cannot be ended shows in the rename, which then fails.
            static_cast<void>(
                session.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                            "ANY($1::text[]) AND pid <> pg_backend_pid()",
                            {names}));
          } while (clock.pause(kBetweenEnds, stop));
        }) {}

 private:
  std::jthread thread_;
};

Status try_renames(PostgresSession& session, const std::vector<Rename>& renames) {
  DR_OK(session.run("BEGIN"));
  for (const Rename& each : renames) {
    DR_TRY(const std::string from, session.quoted(each.from));
    DR_TRY(const std::string to, session.quoted(each.to));
    DR_OK(session.run(fmt::format("ALTER DATABASE {} RENAME TO {}", from, to)));
    DR_OK(
        session.run(fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS {}", to, each.open ? "true" : "false")));
  }
  return session.run("COMMIT");
}

Status rename_all(StepContext& context, const std::string& maintenance, const std::vector<Rename>& renames) {
  std::vector<std::string> databases;
  for (const Rename& each : renames) databases.push_back(each.from);
  DR_TRY(auto session, PostgresSession::open(context, May::kWrite, maintenance));
  DR_TRY(auto second, PostgresSession::open(context, May::kRead, maintenance));
  const SessionEnder ender(std::move(second), context.clock, databases);
  Status last;
  for (int i = 0; i < kTries && !context.deadline.passed(context.clock.mono()); ++i) {
    last = try_renames(session, renames);
    if (last.ok()) return last;
    DR_OK(session.run("ROLLBACK"));
    context.say("somebody is still connected: " + last.error().what);
  }
  return last;
}

struct Recorded {
  DatabasePair names;
  std::string aside, production_oid, side_oid;
};

Result<Value> prepare(StepContext& context) {
  // An earlier attempt may have failed with the switch done: only its record knows which database was which.
  if (!context.recorded.is_null()) return context.recorded;
  DR_TRY(const DatabasePair names, database_pair(context));
  const std::string aside = aside_name(names.production, context.clock.now());
  if (aside.size() > kLongestName)
    return Error{Errc::kInvalid, fmt::format("'{}' would be longer than {} bytes", aside, kLongestName),
                 "rename the database by hand first, to a shorter name"};
  DR_TRY(auto session, PostgresSession::open(context, May::kRead, names.maintenance));
  DR_TRY(const auto side, find_database(session, names.side));
  if (!side)
    return Error{Errc::kNotFound, fmt::format("there is no database {} to switch to", names.side),
                 "restore it beside first (postgres.restore_beside)"};
  DR_TRY(const auto production, find_database(session, names.production));
  return Value(Value::Map{{"production", names.production},
                          {"side", names.side},
                          {"maintenance", names.maintenance},
                          {"aside", production ? aside : ""},
                          {"production_oid", production ? production->oid : ""},
                          {"side_oid", side->oid}});
}

Result<Recorded> recorded(StepContext& context) {
  DR_TRY(const Value value, prepare(context));
  return Recorded{{value.text_at("production"), value.text_at("side"), value.text_at("maintenance")},
                  value.text_at("aside"),
                  value.text_at("production_oid"),
                  value.text_at("side_oid")};
}

Value outputs_of(const Recorded& what) {
  return Value::Map{{"database", what.names.production}, {"aside", what.aside}};
}

// By number: a name may be another database's by now.
Result<bool> is_switched(StepContext& context, const Recorded& what) {
  DR_TRY(auto session, PostgresSession::open(context, May::kRead, what.names.maintenance));
  DR_OK(end_earlier_attempts(context, session));  // one may be about to commit
  DR_TRY(const auto production, find_database(session, what.names.production));
  return production && production->oid == what.side_oid;
}

Result<Value> act(StepContext& context) {
  DR_TRY(const Recorded what, recorded(context));
  DR_TRY(const bool done, is_switched(context, what));
  if (done) return outputs_of(what);
  std::vector<Rename> renames;
  if (!what.aside.empty()) renames.push_back({what.names.production, what.aside, false});
  renames.push_back({what.names.side, what.names.production, true});
  DR_OK(rename_all(context, what.names.maintenance, renames));
  fmt::print("{} is now what was {}; the old one is kept as {} and takes no connections\n",
             what.names.production, what.names.side,
             what.aside.empty() ? "nothing, it was gone" : what.aside);
  return outputs_of(what);
}

Result<Happened> reconcile(StepContext& context) {
  DR_TRY(const Recorded what, recorded(context));
  DR_TRY(const bool done, is_switched(context, what));
  if (done) context.outputs = outputs_of(what);
  return done ? Happened::kYes : Happened::kNo;
}

Status undo(StepContext& context) {
  if (context.recorded.is_null()) return {};  // it never began
  DR_TRY(const Recorded what, recorded(context));
  DR_TRY(const bool switched, is_switched(context, what));
  if (!switched) return {};
  std::vector<Rename> renames{{what.names.production, what.names.side, true}};
  if (!what.aside.empty()) renames.push_back({what.aside, what.names.production, true});
  DR_OK(rename_all(context, what.names.maintenance, renames));
  DR_TRY(const bool still, is_switched(context, what));
  if (still) return Error{Errc::kFailed, fmt::format("{} was not switched back", what.names.production)};
  fmt::print("{} is back; what was restored is {} again\n", what.names.production, what.names.side);
  return {};
}

std::vector<std::string> by_hand(const StepContext& context) {
  const DatabasePair names = database_pair_by_hand(context);
  const auto sql = [&](const std::string& text) { return psql_line(context, text, names.maintenance); };
  const auto name = [](const std::string& text) { return "\"" + text + "\""; };
  return {
      sql(fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS false", name(names.production))),
      sql(fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('{}', '{}')",
                      names.production, names.side)),
      sql("") + fmt::format(" --single-transaction -c 'ALTER DATABASE {0} RENAME TO \"{1}_before_'$(date -u "
                            "+%Y%m%d%H%M%S)'\"' -c 'ALTER DATABASE {2} RENAME TO {0}'",
                            name(names.production), names.production, name(names.side))};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const DatabasePair names, database_pair(context));
  DR_TRY(auto session, PostgresSession::open(context, May::kRead, names.maintenance));
  DR_TRY(const std::string connected,
         session.value("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", {names.production}));
  DR_TRY(const auto side, find_database(session, names.side));
  Preview preview{
      {fmt::format("end {} sessions of {}", connected, names.production),
       fmt::format("rename {} to {}", names.production, aside_name(names.production, context.clock.now())),
       fmt::format("rename {} to {}", names.side, names.production)},
      by_hand(context)};
  if (!side) preview.would.push_back(fmt::format("now it would fail: there is no database {}", names.side));
  return preview;
}

constexpr InputRow kInputs[] = {kPostgresDatastore, kProductionDatabase, kSideDatabase, kPostgresUser,
                                kPostgresPassword};
constexpr std::string_view kOutputs[] = {"database", "aside"};

}  // namespace

StepType postgres_switch_step() {
  return {
      .name = "postgres.switch",
      .summary = "puts the database beside in the place of the one in use, which is kept under another name",
      .effect = Effect::kChange,
      .after_crash = AfterCrash::kReconcile,
      .timeout = std::chrono::minutes(2),
      .inputs = kInputs,
      .outputs = kOutputs,
      .needs_source = true,
      .prepare = prepare,
      .act = act,
      .preview = preview,
      .reconcile = reconcile,
      .undo = undo,
      .by_hand = by_hand};
}

}  // namespace daruma::run
