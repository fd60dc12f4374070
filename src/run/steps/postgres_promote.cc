#include <fmt/format.h>

#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

struct State {
  bool recovering = false;
  std::string timeline, replayed;
};

Result<State> look(StepContext& context) {
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const auto table,
         session.ask("SELECT pg_is_in_recovery(), timeline_id::text, "
                     "coalesce(pg_last_wal_replay_lsn()::text, '') FROM pg_control_checkpoint()"));
  return State{table.rows.at(0).at(0) == "t", table.rows[0].at(1).value_or(""),
               table.rows[0].at(2).value_or("")};
}

Result<Value> prepare(StepContext& context) {
  DR_TRY(const State state, look(context));
  return Value(Value::Map{
      {"recovering", state.recovering}, {"timeline", state.timeline}, {"replayed", state.replayed}});
}

Result<Value> act(StepContext& context) {
  DR_TRY(const State before, look(context));
  if (!before.recovering) {
    fmt::print("it takes writes already\n");
    return Value(Value::Map{{"promoted", false}});
  }
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  const int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(context.deadline.left(context.clock.mono())).count();
  DR_TRY(const std::string done, session.value("SELECT pg_promote(true, greatest(1, least($1::int, 3600)))",
                                               {std::to_string(std::min<int64_t>(seconds, 3600))}));
  if (done != "t")
    return Error{Errc::kFailed, "the server was told to promote and still recovers", "see its log"};
  fmt::print("it takes writes now; it had replayed up to {}\n", before.replayed);
  return Value(Value::Map{{"promoted", true}});
}

Result<Happened> reconcile(StepContext& context) {
  DR_TRY(const State state, look(context));
  if (state.recovering) return Happened::kNo;
  context.outputs = Value::Map{{"promoted", context.recorded.boolean_at("recovering")}};
  return Happened::kYes;
}

std::vector<std::string> by_hand(const StepContext& context) {
  return {psql_line(context, "SELECT pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()"),
          psql_line(context, "SELECT pg_promote(true, 60)")};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const State state, look(context));
  return Preview{{state.recovering ? fmt::format("promote it; it has replayed up to {}", state.replayed)
                                   : "do nothing: it takes writes already"},
                 by_hand(context)};
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "primary",
     .kind = InputRow::Kind::kDatastore,
     .help = "the datastore it followed: its service must be stopped"},
    {.name = "fenced_by",
     .help = "where no service of ours runs the one it followed: who made sure that it takes no writes, "
             "$steps.ID.by of a `manual` step"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"promoted"};

}  // namespace

StepType postgres_promote_step() {
  return {.name = "postgres.promote",
          .summary = "ends a server's recovery, so that it takes writes on a timeline of its own",
          .effect = Effect::kDestroy,
          .after_crash = AfterCrash::kReconcile,
          .timeout = std::chrono::minutes(5),
          .inputs = kInputs,
          .outputs = kOutputs,
          .writers = Writers::kPromotes,
          .prepare = prepare,
          .act = act,
          .preview = preview,
          .reconcile = reconcile,
          .by_hand = by_hand};
}

}  // namespace daruma::run
