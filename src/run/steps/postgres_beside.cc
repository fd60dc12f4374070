#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/size.h"
#include "datastore/postgres/dump_restore.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_database.h"
#include "run/steps/postgres_family.h"
#include "run/steps/step_note.h"

namespace daruma::run {
namespace {

using May = PostgresSession::May;
using postgres::DumpFile;

Result<DumpFile> chosen_dump(const StepContext& context) {
  return postgres::dump_file(context.fs, path_input(context, "file"));
}

// kRefused: a database of that name is there, and this step did not make it.
Status check_free(StepContext& context, const DatabasePair& names, bool ours) {
  DR_TRY(auto session, PostgresSession::open(context, May::kRead, names.maintenance));
  DR_TRY(const auto taken, find_database(session, names.side));
  if (!taken || ours) return {};
  return Error{Errc::kRefused, fmt::format("there is a database {} already", names.side),
               "nothing was touched; name another with `side`, or drop it when nobody needs it"};
}

Result<Value> prepare(StepContext& context) {
  DR_OK(chosen_dump(context));
  DR_TRY(const DatabasePair names, database_pair(context));
  DR_TRY(const Value note, read_note(context));
  DR_OK(check_free(context, names, note.text_at("database") == names.side));
  return Value(Value::Map{{"database", names.production}, {"side", names.side}});
}

Status fill(StepContext& context, const DatabasePair& names, const DumpFile& dump, Value& outputs) {
  postgres::PlayOptions options;
  DR_TRY(options.into, postgres_settings(context, names.side));
  DR_TRY(options.allowed, texts_input(context, "allow"));
  options.log = context.directory / (dump.form == DumpFile::Form::kSql ? "psql.log" : "pg_restore.log");
  options.deadline = context.deadline;
  options.application_name = session_name(context);
  options.progress = [&context, told = context.clock.mono()](uint64_t done, uint64_t total) mutable {
    if (context.clock.mono() - told < 1s) return;
    told = context.clock.mono();
    context.say(fmt::format("{} of {}", human_bytes(done), human_bytes(total)));
  };
  DR_TRY(const postgres::Played played, play_dump(context.fs, context.processes, dump, options));
  if (played.facts.cluster || !played.facts.databases.empty())
    return Error{Errc::kInvalid, fmt::format("{} is a dump of a whole server", dump.path.string()),
                 "restore it into an empty server (postgres.restore), or take a dump of one database"};
  Value::Map counts;
  for (const auto& [table, rows] : played.facts.rows) counts[names.side + "." + table] = rows;
  outputs = Value::Map{{"database", names.side},
                       {"production", names.production},
                       {"file", dump.path.string()},
                       {"counts", counts}};
  // Otherwise the first queries after a switch are planned blindly.
  DR_TRY(auto session, PostgresSession::open(context, May::kWrite, names.side));
  DR_OK(session.run("ANALYZE"));
  DR_OK(session.run("CHECKPOINT"));
  return {};
}

// A dump of a whole server connects to its databases: it must never be played here.
Status check_one_database(StepContext& context, const DumpFile& dump) {
  if (dump.form == DumpFile::Form::kArchive) return {};
  context.say("reads " + dump.path.filename().string());
  DR_TRY(const auto facts, prove_dump(context.fs, context.processes, dump, context.deadline));
  if (!facts.cluster && facts.databases.empty()) return {};
  return Error{Errc::kInvalid, fmt::format("{} is a dump of a whole server", dump.path.string()),
               "nothing was touched; restore it into an empty server (postgres.restore)"};
}

Result<Value> act(StepContext& context) {
  DR_TRY(const DumpFile dump, chosen_dump(context));
  DR_TRY(const DatabasePair names, database_pair(context));
  DR_TRY(const Value note, read_note(context));
  const bool ours = note.text_at("database") == names.side;
  if (ours && note.boolean_at("done")) return *note.find("outputs");
  DR_OK(check_free(context, names, ours));
  DR_OK(check_one_database(context, dump));
  DR_OK(write_note(context, Value::Map{{"database", names.side}, {"done", false}}));
  DR_TRY(auto session, PostgresSession::open(context, May::kWrite, names.maintenance));
  DR_OK(end_earlier_attempts(context, session));
  DR_TRY(const std::string side, session.quoted(names.side));
  DR_OK(session.run(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", side)));
  DR_OK(create_alike(session, names));
  Value outputs;
  DR_OK(fill(context, names, dump, outputs));
  fmt::print("{} is in database {}; {} was not touched\n", dump.path.string(), names.side, names.production);
  DR_OK(write_note(context, Value::Map{{"database", names.side}, {"done", true}, {"outputs", outputs}}));
  return outputs;
}

// "No" also stands for half of it: act() drops what it had begun and begins anew.
Result<Happened> reconcile(StepContext& context) {
  DR_TRY(const Value note, read_note(context));
  if (!note.boolean_at("done")) return Happened::kNo;
  context.outputs = *note.find("outputs");
  return Happened::kYes;
}

Status undo(StepContext& context) {
  DR_TRY(const DatabasePair names, database_pair(context));
  DR_TRY(const Value note, read_note(context));
  if (note.text_at("database") != names.side) return {};
  DR_TRY(auto session, PostgresSession::open(context, May::kWrite, names.maintenance));
  DR_TRY(const std::string side, session.quoted(names.side));
  DR_OK(session.run(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", side)));
  DR_TRY(const auto left, find_database(session, names.side));
  if (left) return Error{Errc::kFailed, fmt::format("database {} is still there", names.side)};
  return write_note(context, Value::Map{});
}

std::vector<std::string> by_hand(const StepContext& context) {
  const DatabasePair names = database_pair_by_hand(context);
  const std::string file = text_input(context, "file");
  std::vector<std::string> lines{
      fmt::format("createdb {} -T template0 {}", connection_words(context), shell_word(names.side))};
  if (file.ends_with(".sql") || file.ends_with(".sql.gz"))
    lines.push_back(fmt::format("{} {} | {} -f -", file.ends_with(".gz") ? "gzip -dc" : "cat",
                                shell_word(file), psql_line(context, "", names.side)));
  else
    lines.push_back(fmt::format("pg_restore {} -d {} --exit-on-error {}", connection_words(context),
                                shell_word(names.side), shell_word(file)));
  lines.push_back(psql_line(context, "ANALYZE", names.side));
  return lines;
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const DumpFile dump, chosen_dump(context));
  DR_TRY(const DatabasePair names, database_pair(context));
  Preview preview{{fmt::format("create database {} like {}", names.side, names.production),
                   fmt::format("restore {} ({}) into it; {} is not touched", dump.path.string(),
                               human_bytes(dump.bytes), names.production)},
                  by_hand(context)};
  if (const Status free = check_free(context, names, false); !free.ok())
    preview.would.push_back("now it would be refused: " + free.error().what);
  return preview;
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    kProductionDatabase,
    kSideDatabase,
    {.name = "file",
     .kind = InputRow::Kind::kPath,
     .required = true,
     .help = "a dump of one database: of pg_dump -Fc, .sql or .sql.gz"},
    {.name = "allow",
     .kind = InputRow::Kind::kList,
     .help = "of SQL dumps: errors to go on after, each \"SQLSTATE\" or \"SQLSTATE: message\" with * and ?"},
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"database", "production", "file", "counts"};

}  // namespace

StepType postgres_restore_beside_step() {
  return {.name = "postgres.restore_beside",
          .summary = "restores a dump into a new database beside the one in use, made like it",
          .effect = Effect::kChange,
          .after_crash = AfterCrash::kReconcile,
          .timeout = std::chrono::hours(4),
          .inputs = kInputs,
          .outputs = kOutputs,
          .proves_source = true,
          .prepare = prepare,
          .act = act,
          .preview = preview,
          .reconcile = reconcile,
          .undo = undo,
          .by_hand = by_hand};
}

}  // namespace daruma::run
