#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/size.h"
#include "datastore/postgres/restore.h"
#include "datastore/postgres/wal_get.h"
#include "os/environment.h"
#include "os/files.h"
#include "os/owner.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_directory.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_repository.h"
#include "run/steps/postgres_session.h"
#include "run/steps/step_note.h"

namespace daruma::run {
namespace {

using postgres::RecoveryPoint;
using postgres::RestoreOptions;

// A half-restored directory has no global/pg_control and cannot start. The note says that it is ours to
// begin anew.

constexpr unsigned kWorkers = 2;

// Whose the data was: of the directory itself, of the newest one set aside, of the folder they lie in.
Result<Owner> owner_for(const StepContext& context, const Path& directory) {
  if (context.fs.info(directory).ok()) return owner_of(directory);
  DR_TRY(const auto entries, context.fs.list_dir(directory.parent_path()));
  const std::string prefix = directory.filename().string() + ".damaged-";
  Path newest = directory.parent_path();
  for (const DirectoryEntry& entry : entries)
    if (entry.name.starts_with(prefix)) newest = directory.parent_path() / entry.name;
  return owner_of(newest);
}

struct Source {
  Holdings holdings;
  RecoveryPoint point;
  RestoreOptions options;
  uint64_t bytes = 0;
};

Status resolve_source(const StepContext& context, Source& source) {
  DR_TRY(source.holdings, holdings_of(context));
  DR_TRY(const postgres::Wish wish, postgres::parse_wish(text_input(context, "at")));
  const auto timeline = static_cast<postgres::Timeline>(integer_input(context, "timeline"));
  DR_TRY(source.point, resolve(source.holdings.catalog, wish, timeline, context.clock.now()));
  DR_TRY(source.options.target, data_directory(context));
  source.options.workers = kWorkers;
  const std::string then = text_input(context, "then");
  if (then != "promote" && then != "pause" && then != "shutdown")
    return Error{Errc::kInvalid, fmt::format("then: '{}' is neither promote, pause nor shutdown", then)};
  source.options.then = then == "pause"      ? postgres::Then::kPause
                        : then == "shutdown" ? postgres::Then::kShutdown
                                             : postgres::Then::kPromote;
  DR_TRY(const auto snapshot,
         SnapshotReader::open(*source.holdings.opened.repository, source.point.snapshot->stored));
  DR_TRY(source.bytes, postgres::restored_bytes(*snapshot));
  return {};
}

// All of the log on the way is put into pg_wal. Another user may not read the key, and finds there what it
// needs.
std::string restore_command(const StepContext& context, const Source& source, Owner owner) {
  if (!run_as(owner).empty()) return "false";
  return postgres::wal_get_command(this_program(), context.config, source.holdings.catalog.datastore,
                                   source.point);
}

Result<Value> prepare(StepContext& context) {
  Source source;
  DR_OK(resolve_source(context, source));
  DR_TRY(const Value note, read_note(context));
  const std::string directory = source.options.target.string();
  // A half of ours says nothing of whose the data was.
  if (note.text_at("directory") == directory) return *note.find("place");
  DR_OK(check_target(context.fs, source.options, source.point.snapshot->meta,
                     source.bytes + source.point.wal_bytes));
  DR_TRY(const Owner owner, owner_for(context, directory));
  return Value(Value::Map{{"directory", directory}, {"user", owner.user}, {"group", owner.group}});
}

Path tablespaces_of(const Path& directory) { return directory.string() + ".tablespaces"; }

Status give(StepContext& context, const Path& directory, Owner owner) {
  DR_OK(give_tree(context.fs, directory, owner));
  DR_TRY(const bool tablespaces, exists(context.fs, tablespaces_of(directory)));
  return tablespaces ? give_tree(context.fs, tablespaces_of(directory), owner) : Status();
}

Status remove_half(StepContext& context, const Path& directory) {
  DR_OK(check_no_server(context, directory));
  DR_OK(remove_tree(context.fs, directory));
  return remove_tree(context.fs, tablespaces_of(directory));
}

Result<Value> finish(StepContext& context, Value note, Owner owner) {
  const Path directory = note.text_at("directory");
  DR_OK(give(context, directory, owner));
  note.set("done", true);
  DR_OK(write_note(context, note));
  return *note.find("outputs");
}

Result<Value> act(StepContext& context) {
  if (context.recorded.is_null()) {
    DR_TRY(context.recorded, prepare(context));
  }
  const Path directory = context.recorded.text_at("directory");
  const Owner owner{static_cast<uint32_t>(context.recorded.integer_at("user")),
                    static_cast<uint32_t>(context.recorded.integer_at("group"))};
  DR_TRY(const Value before, read_note(context));
  const bool ours = before.text_at("directory") == directory.string();
  DR_TRY(const bool whole, exists(context.fs, directory / "global/pg_control"));
  if (ours && whole) return finish(context, before, owner);
  Source source;
  DR_OK(resolve_source(context, source));
  if (ours) DR_OK(remove_half(context, directory));
  DR_OK(check_target(context.fs, source.options, source.point.snapshot->meta,
                     source.bytes + source.point.wal_bytes));
  const Value outputs = Value::Map{{"directory", directory.string()},
                                   {"taken_at", to_rfc3339(moment_of(source.point))},
                                   {"timeline", source.point.timeline},
                                   {"bytes", source.bytes},
                                   {"wal_bytes", source.point.wal_bytes}};
  const Value note = Value::Map{
      {"directory", directory.string()}, {"place", context.recorded}, {"done", false}, {"outputs", outputs}};
  DR_OK(write_note(context, note));
  source.options.restore_command = restore_command(context, source, owner);
  source.options.progress = [&](const postgres::RestoreProgress& at) {
    context.say(fmt::format("{} of {}", human_bytes(at.bytes_done), human_bytes(at.bytes_total)));
  };
  DR_TRY(const auto result, restore(context.fs, context.clock, *source.holdings.opened.repository,
                                    source.holdings.catalog, source.point, source.options, context.stop));
  for (const std::string& text : result.notes) fmt::print("note: {}\n", text);
  fmt::print("{} is ready: {} files, {} and {} of log, every page verified\n", directory.string(),
             result.files, human_bytes(result.bytes), human_bytes(result.wal_bytes));
  return finish(context, note, owner);
}

Result<Happened> reconcile(StepContext& context) {
  DR_TRY(const Value note, read_note(context));
  if (!note.boolean_at("done")) return Happened::kNo;
  context.outputs = *note.find("outputs");
  return Happened::kYes;
}

// A whole one may have been used since: it is kept under another name.
Status undo(StepContext& context) {
  DR_TRY(const Value note, read_note(context));
  const Path directory = note.text_at("directory");
  if (directory.empty()) return {};
  DR_TRY(const bool whole, exists(context.fs, directory / "global/pg_control"));
  DR_OK(whole ? abandon_directory(context, directory) : remove_half(context, directory));
  return write_note(context, Value::Map{});
}

std::vector<std::string> by_hand(const StepContext& context) {
  const std::string to = data_directory_word(context);
  const std::string restore =
      fmt::format("daruma restore {} --to {} --at {}", shell_word(text_input(context, "datastore")), to,
                  shell_word(text_input(context, "at")));
  return {restore + " --plan", restore,
          fmt::format("chown -R --reference=\"$(dirname {0})\" {0}    # PostgreSQL's user", to)};
}

Result<Preview> preview(StepContext& context) {
  Source source;
  DR_OK(resolve_source(context, source));
  Preview preview{{fmt::format("restore snapshot {} ({}) and {} of log into {}; keeps commits up to {}",
                               source.point.snapshot->stored.commit.snapshot.hex().substr(0, 8),
                               human_bytes(source.bytes), human_bytes(source.point.wal_bytes),
                               source.options.target.string(), to_rfc3339(moment_of(source.point)))},
                  by_hand(context)};
  const Status free = check_target(context.fs, source.options, source.point.snapshot->meta,
                                   source.bytes + source.point.wal_bytes);
  if (!free.ok()) preview.would.push_back("now it would be refused: " + free.error().what);
  return preview;
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "at",
     .standard = "latest",
     .help = "latest, TIME, before:TIME, lsn:…, xid:…, before:xid:…, name:… or immediate"},
    kDataDirectory,
    {.name = "then", .standard = "promote", .help = "promote, pause or shutdown, when the point is reached"},
    {.name = "timeline", .kind = InputRow::Kind::kInteger, .help = "else the one live at that moment"}};
constexpr std::string_view kOutputs[] = {"directory", "taken_at", "timeline", "bytes", "wal_bytes"};

}  // namespace

StepType postgres_restore_point_step() {
  return {.name = "postgres.restore_point",
          .summary = "restores a recovery point into an empty data directory, ready to start",
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
