#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/size.h"
#include "datastore/postgres/dump_restore.h"
#include "datastore/postgres/running_server.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_refill.h"

namespace daruma::run {
namespace {

using postgres::DumpFile;

Status refuse_full(const StepContext& context, const ClusterContent& content) {
  std::string there;
  for (const std::string& name : content.databases) there += (there.empty() ? "databases " : ", ") + name;
  if (there.empty()) there = "tables in database postgres";
  return Error{
      Errc::kRefused,
      fmt::format("the server of '{}' is not empty: {}", text_input(context, "datastore"), there),
      "nothing was touched; set its data directory aside first, or restore beside (postgres.restore_beside)"};
}

// Whether the server is this step's to fill: empty, or what this very step filled.
Result<ClusterContent> check_ours(StepContext& context, const std::optional<RefillMark>& mark) {
  DR_TRY(ClusterContent content, cluster_content(context));
  const bool began_here = mark && mark->system_identifier == content.system_identifier;
  if (!began_here && !content.empty()) DR_OK(refuse_full(context, content));
  return content;
}

Result<DumpFile> chosen_dump(const StepContext& context) {
  return postgres::dump_file(context.fs, path_input(context, "file"));
}

Result<postgres::PlayOptions> play_options(StepContext& context, const RefillMark& mark) {
  postgres::PlayOptions options;
  DR_TRY(options.into, postgres_settings(context, "postgres"));
  DR_TRY(options.allowed, texts_input(context, "allow"));
  for (const std::string& each : postgres::allowed_for(options.into.user)) options.allowed.push_back(each);
  // What initialised the server may have made roles already, as for Daruma itself.
  for (const std::string& role : mark.roles_before)
    options.allowed.push_back(fmt::format("42710: role \"{}\" already exists", role));
  options.log = context.directory / "psql.log";
  options.deadline = context.deadline;
  options.application_name = session_name(context);
  options.progress = [&context, told = context.clock.mono()](uint64_t done, uint64_t total) mutable {
    if (context.clock.mono() - told < 1s) return;
    told = context.clock.mono();
    context.say(fmt::format("{} of {}", human_bytes(done), human_bytes(total)));
  };
  return options;
}

Value outputs_of(const DumpFile& dump, const postgres::Played& played) {
  Value::Map counts;
  for (const auto& [table, rows] : played.facts.rows) counts[table] = rows;
  Value::List complaints;
  for (const auto& complaint : played.complaints) complaints.emplace_back(to_text(complaint));
  return Value::Map{{"file", dump.path.string()},
                    {"counts", counts},
                    {"databases", Value::List(played.facts.databases.begin(), played.facts.databases.end())},
                    {"allowed_errors", complaints}};
}

Result<Value> prepare(StepContext& context) {
  DR_OK(chosen_dump(context));
  DR_TRY(const auto mark, read_mark(context));
  DR_TRY(const ClusterContent content, check_ours(context, mark));
  return Value(Value::Map{{"system_identifier", content.system_identifier}});
}

Result<Value> act(StepContext& context) {
  DR_TRY(const DumpFile dump, chosen_dump(context));
  DR_TRY(auto mark, read_mark(context));
  DR_TRY(const ClusterContent content, check_ours(context, mark));
  const bool began_here = mark && mark->system_identifier == content.system_identifier;
  if (began_here && mark->done && mark->file == dump.path.string()) return mark->outputs;
  if (began_here) {
    DR_OK(empty_again(context, *mark));
  } else {
    mark = RefillMark{content.system_identifier, dump.path.string(), content.roles, false, {}};
  }
  mark->file = dump.path.string();
  mark->done = false;
  DR_OK(write_mark(context, *mark));
  DR_TRY(const auto options, play_options(context, *mark));
  DR_TRY(const postgres::Played played, play_dump(context.fs, context.processes, dump, options));
  DR_TRY(auto session, PostgresSession::open(context, PostgresSession::May::kWrite, "postgres"));
  DR_OK(session.run("CHECKPOINT"));  // psql did not wait for its commits
  for (const auto& complaint : played.complaints) fmt::print("allowed: {}\n", to_text(complaint));
  fmt::print("{} of SQL from {} are in the server, {} tables counted\n", human_bytes(played.facts.bytes),
             dump.path.string(), played.facts.rows.size());
  mark->done = true;
  mark->outputs = outputs_of(dump, played);
  DR_OK(write_mark(context, *mark));
  return mark->outputs;
}

// "No" also stands for half of it: act() finds its mark and begins anew.
Result<Happened> reconcile(StepContext& context) {
  DR_TRY(const auto mark, read_mark(context));
  if (!mark || !mark->done) return Happened::kNo;
  DR_TRY(const ClusterContent content, cluster_content(context));
  if (content.system_identifier != mark->system_identifier) return Happened::kNo;
  context.outputs = mark->outputs;
  return Happened::kYes;
}

// Where no server runs any more, the directory it filled is given back by the step that set the old one
// aside.
Status undo(StepContext& context) {
  DR_TRY(const auto mark, read_mark(context));
  if (!mark) return {};
  const Status emptied = empty_again(context, *mark);
  if (!emptied.is(Errc::kUnavailable)) return emptied;
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kPostgres));
  const auto& directory = datastore->data_directory;
  if (!directory || postgres::running_server(context.fs, *directory)) return emptied;
  fmt::print("no server runs in {}: what was restored of the dump stays there\n", directory->string());
  return {};
}

std::vector<std::string> by_hand(const StepContext& context) {
  const std::string file = text_input(context, "file");
  const std::string psql = psql_line(context, "", "postgres");
  // Without ON_ERROR_STOP: "role already exists" is certain. So the errors are read afterwards.
  const std::string going_on = psql.substr(0, psql.find(" -v ON_ERROR_STOP=1")) + " -q -v VERBOSITY=verbose";
  return {
      fmt::format("{} -c \"SELECT datname FROM pg_database WHERE NOT datistemplate\"    # only: postgres",
                  psql),
      fmt::format("{} {} | {} > restore.log 2>&1", file.ends_with(".gz") ? "gzip -dc" : "cat",
                  shell_word(file), going_on),
      "! grep -E ': ERROR: |: FATAL: |error:' restore.log | grep -vE 'role \"[^\"]*\" already exists'    # "
      "must "
      "print nothing"};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const DumpFile dump, chosen_dump(context));
  Preview preview{
      {fmt::format("play {} ({}) into the server of '{}', which must be empty", dump.path.string(),
                   human_bytes(dump.bytes), text_input(context, "datastore"))},
      by_hand(context)};
  const auto content = cluster_content(context);
  if (!content.ok())
    preview.would.push_back("now nobody can look into the server: " + content.error().what);
  else if (!content->empty())
    preview.would.push_back(fmt::format("now it would be refused: there are {} databases and {} relations",
                                        content->databases.size(), content->relations));
  return preview;
}

constexpr InputRow kInputs[] = {kPostgresDatastore,
                                {.name = "file",
                                 .kind = InputRow::Kind::kPath,
                                 .required = true,
                                 .help = "a dump of pg_dumpall, .sql or .sql.gz"},
                                {.name = "allow",
                                 .kind = InputRow::Kind::kList,
                                 .help = "errors to go on after, each \"SQLSTATE\" or \"SQLSTATE: message\" "
                                         "with * and ?; \"role already exists\" "
                                         "is allowed for roles that were there before"},
                                kPostgresUser,
                                kPostgresPassword};
constexpr std::string_view kOutputs[] = {"file", "counts", "databases", "allowed_errors"};

}  // namespace

StepType postgres_restore_step() {
  return {.name = "postgres.restore",
          .summary = "plays a dump of pg_dumpall into an empty server and judges every SQL error",
          .effect = Effect::kChange,
          .after_crash = AfterCrash::kReconcile,
          .timeout = std::chrono::hours(4),
          .inputs = kInputs,
          .outputs = kOutputs,
          .prepare = prepare,
          .act = act,
          .preview = preview,
          .reconcile = reconcile,
          .undo = undo,
          .by_hand = by_hand};
}

}  // namespace daruma::run
