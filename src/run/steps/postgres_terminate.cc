#include <fmt/format.h>

#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

constexpr Duration kBetweenLooks = 100ms;
constexpr const char* kLook =
    "SELECT backend_start::text, coalesce(usename, '-'), coalesce(state, '-'), "
    "coalesce(query_start::text, ''), regexp_replace(left(query, 200), '\\s+', ' ', 'g') "
    "FROM pg_stat_activity WHERE pid = $1::int AND backend_type = 'client backend'";

// One session, told by process id and start: a process id alone may be somebody else's by now. A query is
// told by its start as well.
struct Victim {
  std::string pid, backend_start, query_start, words;
};

Result<Victim> look(StepContext& context) {
  const std::string pid = text_input(context, "pid");
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const auto table, session.ask(kLook, {pid}));
  const std::string wanted = text_input(context, "backend_start");
  const auto cell = [&](size_t i) { return table.rows[0].at(i).value_or(""); };
  if (!wanted.empty() && (table.rows.empty() || wanted != cell(0)))
    return Victim{pid, wanted, "", fmt::format("{}, which began at {}", pid, wanted)};  // it is gone: good
  if (table.rows.empty())
    return Error{Errc::kNotFound, fmt::format("no session has process id {}", pid),
                 "it ended by itself; postgres.activity lists those there are"};
  return Victim{pid, cell(0), cell(3), fmt::format("{} ({}, {}): {}", pid, cell(1), cell(2), cell(4))};
}

Result<Value> prepare(StepContext& context) {
  // A second attempt means whom the first one meant.
  if (!context.recorded.is_null()) return context.recorded;
  DR_TRY(const Victim victim, look(context));
  return Value(Value::Map{{"pid", victim.pid},
                          {"backend_start", victim.backend_start},
                          {"query_start", victim.query_start},
                          {"words", victim.words}});
}

Result<Victim> recorded(StepContext& context) {
  DR_TRY(const Value value, prepare(context));
  return Victim{value.text_at("pid"), value.text_at("backend_start"), value.text_at("query_start"),
                value.text_at("words")};
}

enum class Act : uint8_t { kCancel, kTerminate };

Result<bool> is_there(PostgresSession& session, const Victim& victim, Act act) {
  const char* sql = act == Act::kTerminate
                        ? "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND backend_start = "
                          "$2::timestamptz AND $3::text IS NOT NULL"
                        : "SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int AND backend_start = "
                          "$2::timestamptz AND query_start::text = $3 AND state = 'active'";
  DR_TRY(const std::string count, session.value(sql, {victim.pid, victim.backend_start, victim.query_start}));
  return count != "0";
}

Result<Value> signal(StepContext& context, Act act) {
  DR_TRY(const Victim victim, recorded(context));
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  const std::string_view function = act == Act::kTerminate ? "pg_terminate_backend" : "pg_cancel_backend";
  // Chosen and signalled in one statement, so that nobody else can have the number in between.
  DR_TRY(const auto sent,
         session.ask(
             fmt::format("SELECT {}(pid) FROM pg_stat_activity WHERE pid = $1::int AND backend_start = "
                         "$2::timestamptz AND ($3::bool OR query_start::text = $4)",
                         function),
             {victim.pid, victim.backend_start, act == Act::kTerminate ? "t" : "f", victim.query_start}));
  const bool found = !sent.rows.empty();
  while (found && !context.stop.stop_requested()) {
    DR_TRY(const bool there, is_there(session, victim, act));
    if (!there) break;
    if (context.deadline.passed(context.clock.mono()))
      return Error{Errc::kCancelled, fmt::format("the server was told, but {} goes on", victim.words),
                   "one that is deep in the kernel ends with a restart of the server"};
    context.say(fmt::format("waits for {} to end", victim.pid));
    context.clock.pause(kBetweenLooks, context.stop);
  }
  fmt::print("{} {}\n", found ? "ended" : "had ended by itself:", victim.words);
  return Value(Value::Map{{"pid", victim.pid}, {"ended", found}, {"session", victim.words}});
}

Result<Happened> reconcile(StepContext& context, Act act) {
  DR_TRY(const Victim victim, recorded(context));
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const bool there, is_there(session, victim, act));
  if (!there) context.outputs = Value::Map{{"pid", victim.pid}, {"ended", true}, {"session", victim.words}};
  return there ? Happened::kNo : Happened::kYes;
}

std::vector<std::string> by_hand(const StepContext& context, std::string_view function) {
  const std::string pid = text_input(context, "pid");
  std::string condition = "pid = " + pid;
  if (const std::string start = text_input(context, "backend_start"); !start.empty())
    condition += fmt::format(" AND backend_start = '{}'", start);
  return {
      psql_line(context, fmt::format("SELECT {}(pid) FROM pg_stat_activity WHERE {}", function, condition))};
}

Result<Preview> preview(StepContext& context, std::string_view would, std::string_view function) {
  DR_TRY(const Victim victim, look(context));
  return Preview{{fmt::format("{} {}", would, victim.words)}, by_hand(context, function)};
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "pid", .kind = InputRow::Kind::kInteger, .required = true, .help = "of the session"},
    {.name = "backend_start",
     .help =
         "when it began, as postgres.activity and postgres.locks put it out: another session with the same "
         "number is then never hit"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"pid", "ended", "session"};

}  // namespace

StepType postgres_cancel_step() {
  return {.name = "postgres.cancel",
          .summary = "cancels what a session is doing now; the session stays",
          .effect = Effect::kDestroy,
          .after_crash = AfterCrash::kReconcile,
          .inputs = kInputs,
          .outputs = kOutputs,
          .prepare = prepare,
          .act = [](StepContext& context) { return signal(context, Act::kCancel); },
          .preview = [](StepContext& context) { return preview(context, "cancel", "pg_cancel_backend"); },
          .reconcile = [](StepContext& context) { return reconcile(context, Act::kCancel); },
          .by_hand = [](const StepContext& context) { return by_hand(context, "pg_cancel_backend"); }};
}

StepType postgres_terminate_step() {
  return {.name = "postgres.terminate",
          .summary = "ends a session; its transaction is rolled back",
          .effect = Effect::kDestroy,
          .after_crash = AfterCrash::kReconcile,
          .inputs = kInputs,
          .outputs = kOutputs,
          .prepare = prepare,
          .act = [](StepContext& context) { return signal(context, Act::kTerminate); },
          .preview = [](StepContext& context) { return preview(context, "end", "pg_terminate_backend"); },
          .reconcile = [](StepContext& context) { return reconcile(context, Act::kTerminate); },
          .by_hand = [](const StepContext& context) { return by_hand(context, "pg_terminate_backend"); }};
}

}  // namespace daruma::run
