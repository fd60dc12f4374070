#include <fmt/format.h>

#include "base/shell_word.h"
#include "base/size.h"
#include "datastore/postgres/dump_restore.h"
#include "os/files.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"

namespace daruma::run {
namespace {

constexpr uint64_t kShownMost = 256 * kKiB;

// The script is psql's: it may hold \set and \echo. Whatever it does, the server lets it only read.
Command psql_of(const StepContext& context, const postgres::ConnectionSettings& settings, const Path& script,
                const Path& output) {
  Command psql{{"psql", "--no-psqlrc", "--no-password", "--set=ON_ERROR_STOP=1"}};
  if (boolean_input(context, "rows_are_failures"))
    psql.argv.insert(psql.argv.end(), {"--quiet", "--no-align", "--tuples-only"});
  psql.argv.push_back("--file=" + script.string());
  psql.environment = postgres::libpq_environment(settings);
  const int64_t left =
      std::chrono::ceil<std::chrono::milliseconds>(context.deadline.left(context.clock.mono())).count();
  psql.environment.emplace_back("PGOPTIONS",
                                fmt::format("-c default_transaction_read_only=on -c statement_timeout={}",
                                            std::min<int64_t>(left, std::chrono::milliseconds(24h).count())));
  psql.output = output;
  return psql;
}

std::string_view last_lines(std::string_view text, size_t most) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text.substr(text.size() - std::min(text.size(), most));
}

Result<Value> act(StepContext& context) {
  const Path script = path_input(context, "script");
  DR_OK(context.fs.info(script));
  DR_TRY(const auto settings, postgres_settings(context));
  const Path output = context.directory / "integrity.txt";
  DR_TRY(const ProcessExit ended,
         context.processes.run(psql_of(context, settings, script, output), context.deadline));
  DR_TRY(const Bytes bytes, read_file(context.fs, output, 64 * kMiB));
  const std::string_view said = as_text(bytes);
  fmt::print("{}", said.substr(0, kShownMost));
  if (ended.code != 0)
    return Error{Errc::kFailed,
                 fmt::format("{} on {} ended with {}: {}", script.filename().string(), settings.dbname,
                             ended.code, last_lines(said, 600)),
                 "all it said is in " + output.string()};
  const bool rows = said.find_first_not_of(" \n") != std::string_view::npos;
  if (boolean_input(context, "rows_are_failures") && rows)
    return Error{
        Errc::kFailed,
        fmt::format("{} found on {}: {}", script.filename().string(), settings.dbname, said.substr(0, 600)),
        "all it found is in " + output.string()};
  return Value(Value::Map{{"database", settings.dbname}, {"script", script.string()}});
}

std::vector<std::string> by_hand(const StepContext& context) {
  return {fmt::format("PGOPTIONS='-c default_transaction_read_only=on' {} -f {}", psql_line(context, ""),
                      shell_word(text_input(context, "script")))};
}

Result<Preview> preview(StepContext& context) {
  DR_OK(datastore_input(context, DatastoreKind::kPostgres));
  DR_OK(context.fs.info(path_input(context, "script")));
  return Preview{{fmt::format("run {} on database {}, reading only", text_input(context, "script"),
                              text_input(context, "database"))},
                 by_hand(context)};
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "script", .kind = InputRow::Kind::kPath, .required = true, .help = "SQL for psql"},
    {.name = "rows_are_failures",
     .kind = InputRow::Kind::kBoolean,
     .standard = "false",
     .help = "the script prints what is wrong, and nothing when all is well"},
    kPostgresDatabase,
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"database", "script"};

}  // namespace

StepType postgres_integrity_step() {
  return {.name = "postgres.integrity",
          .summary =
              "runs a SQL script that proves the data, in read-only transactions; an error it raises fails",
          .timeout = std::chrono::minutes(30),
          .inputs = kInputs,
          .outputs = kOutputs,
          .act = act,
          .preview = preview,
          .by_hand = by_hand};
}

}  // namespace daruma::run
