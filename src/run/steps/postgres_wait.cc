#include <fmt/format.h>

#include "base/shell_word.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

constexpr Duration kBetweenTries = 250ms;

struct Answer {
  std::string started;  // of the postmaster
  bool recovering = false;
};

Result<Answer> asked(StepContext& context) {
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kRead));
  DR_TRY(const auto table, session.ask("SELECT pg_postmaster_start_time()::text, pg_is_in_recovery()"));
  return Answer{table.rows.at(0).at(0).value_or(""), table.rows[0].at(1) == "t"};
}

// Answers twice, and is the same server both times: one that only initialises itself goes away again.
Result<Value> wait(StepContext& context) {
  DR_TRY(const auto patience, duration_input(context, "for"));
  const MonoInstant began = context.clock.mono();
  const Deadline deadline = std::min(context.deadline, context.clock.after(patience.value_or(60s)),
                                     [](Deadline a, Deadline b) { return a.at < b.at; });
  const bool writable = boolean_input(context, "writable", true);
  StepContext limited = context;
  limited.deadline = deadline;
  std::string before;
  std::string last = "nobody was asked";
  while (!deadline.passed(context.clock.mono()) && !context.stop.stop_requested()) {
    const auto answer = asked(limited);
    if (answer.is(Errc::kRefused) || answer.is(Errc::kInvalid))
      return answer.error();  // waiting cures nothing
    if (!answer.ok())
      last = answer.error().what;
    else if (writable && answer->recovering)
      last = "it answers and is still recovering";
    else if (answer->started == before)
      return Value(Value::Map{
          {"started_at", before},
          {"waited_ms",
           std::chrono::duration_cast<std::chrono::milliseconds>(context.clock.mono() - began).count()}});
    before = answer.ok() && !(writable && answer->recovering) ? answer->started : "";
    if (before.empty()) context.say("waits for PostgreSQL: " + last);
    context.clock.pause(kBetweenTries, context.stop);
  }
  return Error{Errc::kUnavailable,
               fmt::format("PostgreSQL was not ready within {}: {}",
                           human_duration(context.clock.mono() - began), last),
               "its own log says more"};
}

std::vector<std::string> by_hand(const StepContext& context) {
  const std::string loop =
      fmt::format("until {} >/dev/null; do sleep 1; done", psql_line(context, "SELECT 1"));
  return {shell_line({"timeout", "120", "sh", "-c", loop})};
}

Result<Preview> preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  return Preview{{fmt::format("wait until {} answers a query, {} at most", text_input(context, "datastore"),
                              text_input(context, "for"))},
                 by_hand(context)};
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "for", .kind = InputRow::Kind::kDuration, .standard = "60s", .help = "how long at most"},
    {.name = "writable",
     .kind = InputRow::Kind::kBoolean,
     .standard = "true",
     .help = "also until recovery is over and it takes writes"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"started_at", "waited_ms"};

}  // namespace

StepType postgres_wait_step() {
  return {.name = "postgres.wait",
          .summary = "waits until the server answers a query, twice and as the same server",
          .timeout = std::chrono::minutes(10),
          .inputs = kInputs,
          .outputs = kOutputs,
          .act = wait,
          .preview = preview,
          .by_hand = by_hand};
}

}  // namespace daruma::run
