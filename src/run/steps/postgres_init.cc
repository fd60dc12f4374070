#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "base/size.h"
#include "datastore/postgres/control_file.h"
#include "datastore/postgres/recovery_config.h"
#include "os/files.h"
#include "os/owner.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_directory.h"
#include "run/steps/postgres_family.h"
#include "run/steps/postgres_session.h"
#include "run/steps/step_note.h"

namespace daruma::run {
namespace {

// Everything is made beside, as DIRECTORY.making, and gets its name by one rename: a crash leaves the old
// state or the new one, and what is beside belongs to nobody.

constexpr std::string_view kConfiguration[] = {"postgresql.conf", "postgresql.auto.conf", "pg_hba.conf",
                                               "pg_ident.conf"};

Result<bool> is_free(FileSystem& fs, const Path& directory) {
  const auto entries = fs.list_dir(directory);
  if (entries.is(Errc::kNotFound)) return true;
  DR_OK(entries);
  return entries->empty();
}

Status check_free(const StepContext& context, const Path& directory) {
  DR_TRY(const bool free, is_free(context.fs, directory));
  if (free) return {};
  return Error{Errc::kRefused, fmt::format("{} is not empty", directory.string()),
               "nothing was touched; set it aside first (postgres.set_aside)"};
}

// What a cluster is made like: page checksums and segment size of the one set aside, where it still tells
// them.
struct Shape {
  bool checksums = true;
  uint64_t segment_mib = 16;
};

Shape shape_of(FileSystem& fs, const Path& like) {
  Shape shape;
  if (like.empty()) return shape;
  const auto bytes = read_file(fs, like / "global/pg_control", 64 * kKiB);
  const auto control = bytes.ok() ? postgres::parse_control_file(*bytes) : Error{Errc::kNotFound, ""};
  if (!control.ok()) {
    fmt::print("note: {} does not tell how it was made: page checksums and segments of 16 MiB are taken\n",
               like.string());
    return shape;
  }
  shape.checksums = control->data_checksum_version != 0;
  shape.segment_mib = control->wal_segment_size.bytes / kMiB;
  return shape;
}

// Of the version that the old cluster had, where Debian keeps it; else the newest there; else what is in
// PATH.
std::string initdb_program(FileSystem& fs, const Path& like) {
  const Path versions = "/usr/lib/postgresql";
  const auto wanted = like.empty() ? Result<Bytes>(Bytes()) : read_file(fs, like / "PG_VERSION", 64);
  const int old = wanted.ok() ? std::atoi(std::string(as_text(*wanted)).c_str()) : 0;
  int chosen = 0;
  if (const auto entries = fs.list_dir(versions); entries.ok())
    for (const DirectoryEntry& entry : *entries)
      if (const int version = std::atoi(entry.name.c_str()); chosen != old || old == 0)
        chosen = version == old ? old : std::max(chosen, version);
  return chosen == 0 ? "initdb" : versions / std::to_string(chosen) / "bin/initdb";
}

Status run_as_owner(StepContext& context, Owner owner, const std::vector<std::string>& argv,
                    const std::string& input) {
  Command command{run_as(owner)};
  command.argv.insert(command.argv.end(), argv.begin(), argv.end());
  command.environment = {{"LC_ALL", "C.UTF-8"}};
  command.working_directory = "/";
  command.input = input;
  DR_TRY(const ProcessExit ended, context.processes.run(command, context.deadline));
  if (ended.code == 0) return {};
  return Error{Errc::kFailed, fmt::format("{} ended with {}: {}", argv.front(), ended.code, ended.output)};
}

std::string sql_text(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

// In single-user mode, on standard input: neither a list of processes nor a file ever holds it.
Status set_password(StepContext& context, Owner owner, const Path& programs, const Path& directory,
                    const std::string& role, const std::string& password) {
  if (password.empty()) return {};
  std::string name;
  for (const char c : role) name += c == '"' ? "\"\"" : std::string(1, c);
  const std::string sql = fmt::format("ALTER ROLE \"{}\" PASSWORD {};\n", name, sql_text(password));
  return run_as_owner(context, owner,
                      {(programs / "postgres").string(), "--single", "-c", "log_statement=none", "-c",
                       "log_min_error_statement=panic", "-D", directory.string(), "template1"},
                      sql);
}

Status carry_over(FileSystem& fs, const Path& from, const Path& to) {
  for (const std::string_view name : kConfiguration) {
    const auto text = read_file(fs, from / name, 16 * kMiB);
    if (text.is(Errc::kNotFound)) continue;
    DR_OK(text);
    const bool settings = name.starts_with("postgresql");
    const std::string kept =
        settings ? postgres::without_recovery_settings(as_text(*text)) : std::string(as_text(*text));
    DR_OK(replace_file(fs, to / name, as_bytes(kept)));
    fmt::print("{} is carried over\n", name);
  }
  return {};
}

Result<Owner> owner_for(const Path& directory, const Path& like) {
  if (!like.empty()) return owner_of(like);
  const auto own = owner_of(directory);
  return own.ok() ? own : owner_of(directory.parent_path());
}

Value outputs_of(const Path& directory) { return Value::Map{{"directory", directory.string()}}; }

Result<Value> prepare(StepContext& context) {
  DR_TRY(const Path directory, data_directory(context));
  DR_OK(check_free(context, directory));
  return Value(Value::Map{{"directory", directory.string()}});
}

Status make(StepContext& context, const Path& making, Owner owner) {
  const Path like = path_input(context, "like");
  const Shape shape = shape_of(context.fs, like);
  const std::string role = text_input(context, "superuser");
  const std::string program = initdb_program(context.fs, like);
  std::string password;
  if (const Value* given = input(context, "superuser_password")) {
    DR_TRY(password, maybe_secret(context, *given));
  }
  std::vector<std::string> initdb = {program,
                                     "--pgdata=" + making.string(),
                                     "--username=" + role,
                                     "--encoding=" + text_input(context, "encoding"),
                                     "--locale=" + text_input(context, "locale"),
                                     "--auth-local=trust",
                                     "--auth-host=scram-sha-256",
                                     fmt::format("--wal-segsize={}", shape.segment_mib)};
  if (shape.checksums) initdb.emplace_back("--data-checksums");
  context.say("makes a new cluster");
  DR_OK(run_as_owner(context, owner, initdb, ""));
  DR_OK(set_password(context, owner, Path(program).parent_path(), making, role, password));
  if (!like.empty()) DR_OK(carry_over(context.fs, like, making));
  DR_OK(give_tree(context.fs, making, owner));
  DR_TRY(const auto volume, context.fs.open_volume(making));
  return volume->sync();
}

Result<Value> act(StepContext& context) {
  DR_TRY(const Path directory, data_directory(context));
  DR_OK(check_free(context, directory));
  DR_TRY(const Owner owner, owner_for(directory, path_input(context, "like")));
  const Path making = directory.string() + ".making";
  DR_OK(remove_tree(context.fs, making));  // a killed attempt's
  DR_OK(context.fs.create_dir(making));
  DR_OK(give_tree(context.fs, making, owner));
  DR_OK(make(context, making, owner));
  DR_OK(write_note(context, outputs_of(directory)));
  DR_OK(remove_tree(context.fs, directory));  // it is empty
  DR_OK(context.fs.rename(making, directory));
  DR_OK(context.fs.sync_dir(directory.parent_path()));
  fmt::print("{} is a new and empty cluster\n", directory.string());
  return outputs_of(directory);
}

// Whether the cluster that stands there is the one that this step has made.
Result<bool> is_made(StepContext& context, Path& directory) {
  DR_TRY(const Value note, read_note(context));
  directory = note.text_at("directory");
  if (directory.empty()) return false;
  DR_TRY(const bool making, exists(context.fs, directory.string() + ".making"));
  if (making) return false;
  return exists(context.fs, directory / "PG_VERSION");
}

Result<Happened> reconcile(StepContext& context) {
  Path directory;
  DR_TRY(const bool made, is_made(context, directory));
  if (made) context.outputs = outputs_of(directory);
  return made ? Happened::kYes : Happened::kNo;
}

// It may hold something by now: it is kept under another name.
Status undo(StepContext& context) {
  Path directory;
  DR_TRY(const bool made, is_made(context, directory));
  if (!made) return {};
  DR_OK(abandon_directory(context, directory));
  return write_note(context, Value::Map{});
}

std::vector<std::string> by_hand(const StepContext& context) {
  const std::string to = data_directory_word(context);
  std::vector<std::string> lines{fmt::format(
      "sudo -u postgres initdb --pgdata={} --username={} --encoding={} --locale={} --data-checksums "
      "--auth-local=trust --auth-host=scram-sha-256 --pwprompt",
      to, shell_word(text_input(context, "superuser")), shell_word(text_input(context, "encoding")),
      shell_word(text_input(context, "locale")))};
  if (const std::string like = text_input(context, "like"); !like.empty())
    lines.push_back(
        fmt::format("sudo -u postgres cp -p {0}/postgresql.conf {0}/pg_hba.conf {0}/pg_ident.conf {1}/",
                    shell_word(like), to));
  return lines;
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const Path directory, data_directory(context));
  Preview preview{{fmt::format("make a new, empty cluster in {}", directory.string())}, by_hand(context)};
  if (const std::string like = text_input(context, "like"); !like.empty())
    preview.would.push_back("carry the configuration over from " + like);
  if (const Status free = check_free(context, directory); !free.ok())
    preview.would.push_back("now it would be refused: " + free.error().what);
  return preview;
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    kDataDirectory,
    {.name = "like",
     .kind = InputRow::Kind::kPath,
     .help = "the directory set aside: its configuration, owner, checksums and segment size are taken over"},
    {.name = "superuser", .standard = "postgres", .help = "the first role"},
    {.name = "superuser_password",
     .kind = InputRow::Kind::kAny,
     .help = "{env: NAME} or {file: PATH}; without it, it cannot log in over the network"},
    {.name = "encoding", .standard = "UTF8", .help = "of the databases"},
    {.name = "locale", .standard = "C.UTF-8", .help = "of the databases"}};
constexpr std::string_view kOutputs[] = {"directory"};

}  // namespace

StepType postgres_init_step() {
  return {.name = "postgres.init",
          .summary =
              "makes a new, empty cluster in an empty data directory, with the configuration of the old one",
          .effect = Effect::kChange,
          .after_crash = AfterCrash::kReconcile,
          .timeout = std::chrono::minutes(5),
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
