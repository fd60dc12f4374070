#include <fmt/format.h>

#include <algorithm>

#include "base/shell_word.h"
#include "os/files.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_database.h"
#include "run/steps/postgres_directory.h"
#include "run/steps/postgres_family.h"
#include "run/steps/service_parts.h"

namespace daruma::run {
namespace {

// A rename is all there is, so a crash leaves one name or the other and never half of it.
struct Names {
  Path from, to;
};

// kRefused: a server runs in it, or its service is up and would start one.
Status check_stopped(StepContext& context, const Path& directory) {
  DR_OK(check_no_server(context, directory));
  DR_TRY(const DatastoreConfig* datastore, datastore_input(context, DatastoreKind::kPostgres));
  const ServiceConfig* service = context.config.service(datastore->service);
  if (service == nullptr) return {};
  DR_TRY(const auto status, context.runtime_of(*service)->status(context.deadline));
  if (status.state == runtime::State::kStopped || status.state == runtime::State::kFailed) return {};
  return Error{Errc::kRefused, fmt::format("service {} is not stopped: {}", service->name, describe(status)),
               "stop it first; nothing was touched"};
}

Result<Value> prepare(StepContext& context) {
  // An earlier attempt may have failed with the rename done: only its record knows the other name.
  if (!context.recorded.is_null()) return context.recorded;
  DR_TRY(const Path from, data_directory(context));
  const Path to = from.string() + ".damaged-" + digits_of(context.clock.now());
  DR_TRY(const bool taken, exists(context.fs, to));
  if (taken) return Error{Errc::kUnavailable, fmt::format("{} is there already", to.string()), "try again"};
  DR_TRY(const bool there, exists(context.fs, from));
  return Value(Value::Map{{"from", from.string()}, {"to", to.string()}, {"there", there}});
}

Value outputs_of(const Value& recorded, bool aside) {
  return Value::Map{{"directory", recorded.text_at("from")}, {"aside", aside ? recorded.text_at("to") : ""}};
}

// Their files lie elsewhere and stay where they are.
void tell_of_tablespaces(FileSystem& fs, const Path& directory) {
  const auto entries = fs.list_dir(directory / "pg_tblspc");
  if (!entries.ok()) return;
  for (const DirectoryEntry& entry : *entries)
    if (const auto target = fs.read_symlink(directory / "pg_tblspc" / entry.name); target.ok())
      fmt::print("note: tablespace {} stays in {}; a new cluster needs another place for it\n", entry.name,
                 target->string());
}

Result<Value> act(StepContext& context) {
  DR_TRY(const Value names, prepare(context));
  const Path from = names.text_at("from");
  const Path to = names.text_at("to");
  DR_TRY(const bool done, exists(context.fs, to));
  DR_TRY(const bool there, exists(context.fs, from));
  if (done) return outputs_of(names, true);
  if (!there) {
    fmt::print("there is no {}: nothing to set aside\n", from.string());
    return outputs_of(names, false);
  }
  DR_OK(check_stopped(context, from));
  tell_of_tablespaces(context.fs, from);
  DR_OK(rename_directory(context.fs, from, to));
  fmt::print("{} is now {}; nothing in it was touched\n", from.string(), to.string());
  return outputs_of(names, true);
}

Result<Happened> reconcile(StepContext& context) {
  if (context.recorded.is_null()) return Happened::kNo;
  const Value& names = context.recorded;
  DR_TRY(const bool done, exists(context.fs, names.text_at("to")));
  if (!done && names.boolean_at("there")) return Happened::kNo;
  DR_OK(context.fs.sync_dir(Path(names.text_at("from")).parent_path()));
  context.outputs = outputs_of(names, done);
  return Happened::kYes;
}

// What has taken its place since is kept as well.
Status undo(StepContext& context) {
  if (context.recorded.is_null()) return {};  // it never began
  const Value& names = context.recorded;
  const Path from = names.text_at("from");
  const Path to = names.text_at("to");
  DR_TRY(const bool aside, exists(context.fs, to));
  if (!aside) return {};  // it is back already, or never was
  DR_TRY(const bool taken, exists(context.fs, from));
  if (taken) {
    DR_OK(check_stopped(context, from));
    DR_OK(abandon_directory(context, from));
  }
  DR_OK(rename_directory(context.fs, to, from));
  DR_OK(context.fs.info(from));
  fmt::print("{} is back\n", from.string());
  return {};
}

std::vector<std::string> by_hand(const StepContext& context) {
  const std::string from = data_directory_word(context);
  return {fmt::format("! pg_ctl status -D {}    # must say: no server running", from),
          fmt::format("mv -T {0} {0}.damaged-$(date -u +%Y%m%d%H%M%S) && sync", from)};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const Value names, prepare(context));
  Preview preview{{}, by_hand(context)};
  const std::string from = names.text_at("from");
  preview.would.push_back(names.boolean_at("there")
                              ? fmt::format("rename {} to {}; nothing is deleted", from, names.text_at("to"))
                              : fmt::format("do nothing: there is no {}", from));
  if (const Status stopped = check_stopped(context, from); !stopped.ok())
    preview.would.push_back("now it would be refused: " + stopped.error().what);
  return preview;
}

constexpr InputRow kInputs[] = {kPostgresDatastore, kDataDirectory};
constexpr std::string_view kOutputs[] = {"directory", "aside"};

}  // namespace

StepType postgres_set_aside_step() {
  return {.name = "postgres.set_aside",
          .summary = "gives the data directory of a stopped server another name beside it; deletes nothing",
          .effect = Effect::kChange,
          .after_crash = AfterCrash::kReconcile,
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
