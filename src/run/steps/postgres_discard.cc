#include <fmt/format.h>

#include "base/shell_word.h"
#include "os/files.h"
#include "run/steps/inputs.h"
#include "run/steps/postgres_database.h"
#include "run/steps/postgres_directory.h"
#include "run/steps/postgres_family.h"

namespace daruma::run {
namespace {

using May = PostgresSession::May;

// Only what set_aside and switch have named, by the name they give.
Result<Path> aside_directory(const StepContext& context) {
  const Path directory = path_input(context, "directory");
  const std::string name = directory.filename().string();
  if (!is_aside_name(name, ".damaged-") && !is_aside_name(name, ".abandoned-"))
    return Error{Errc::kRefused,
                 fmt::format("{} was not set aside: its name does not say so", directory.string()),
                 "nothing was touched; only NAME.damaged-YYYYMMDDhhmmss and NAME.abandoned-… are removed"};
  const auto info = context.fs.info(directory);
  if (info.ok() && info->type != FileType::kDirectory)
    return Error{Errc::kRefused, fmt::format("{} is no directory", directory.string())};
  if (!info.ok() && !info.is(Errc::kNotFound)) return info.error();
  DR_OK(check_no_server(context, directory));
  return directory;
}

Result<std::string> aside_database(const StepContext& context) {
  const std::string name = text_input(context, "aside");
  if (is_aside_name(name, "_before_")) return name;
  return Error{Errc::kRefused, fmt::format("'{}' was not set aside: its name does not say so", name),
               "nothing was touched; only NAME_before_YYYYMMDDhhmmss is dropped"};
}

bool of_directory(const StepContext& context) { return input(context, "directory") != nullptr; }

// What takes its place answers: otherwise the old one may be all there is.
Status check_replaced(const StepContext& context) {
  DR_TRY(auto session, PostgresSession::open(context, May::kRead));
  DR_OK(session.value("SELECT 1"));
  if (of_directory(context)) return {};
  const std::string aside = text_input(context, "aside");
  const std::string production = aside.substr(0, aside.rfind("_before_"));
  DR_TRY(const auto there, find_database(session, production));
  if (there && there->open) return {};
  return Error{Errc::kRefused, fmt::format("there is no database {} in the place of {}", production, aside),
               "nothing was touched"};
}

Result<std::string> target(const StepContext& context) {
  const bool directory = of_directory(context);
  if (directory == (input(context, "aside") != nullptr))
    return Error{Errc::kInvalid, "give `directory` or `aside`, one of them"};
  if (!directory) return aside_database(context);
  DR_TRY(const Path path, aside_directory(context));
  return path.string();
}

Result<bool> is_there(const StepContext& context) {
  if (of_directory(context)) return exists(context.fs, path_input(context, "directory"));
  DR_TRY(auto session, PostgresSession::open(context, May::kRead));
  DR_TRY(const auto found, find_database(session, text_input(context, "aside")));
  return found.has_value();
}

Result<Value> prepare(StepContext& context) {
  DR_TRY(const std::string what, target(context));
  DR_TRY(const bool there, is_there(context));
  DR_OK(check_replaced(context));
  return Value(Value::Map{{"what", what}, {"there", there}});
}

Result<Value> act(StepContext& context) {
  DR_TRY(const std::string what, target(context));
  DR_OK(check_replaced(context));
  if (of_directory(context)) {
    DR_OK(remove_tree(context.fs, what));
    DR_OK(context.fs.sync_dir(Path(what).parent_path()));
  } else {
    DR_TRY(auto session, PostgresSession::open(context, May::kWrite));
    DR_TRY(const std::string name, session.quoted(what));
    DR_OK(session.run("DROP DATABASE IF EXISTS " + name));
  }
  fmt::print("{} is gone for good\n", what);
  return Value(Value::Map{{"discarded", what}});
}

Result<Happened> reconcile(StepContext& context) {
  DR_TRY(const std::string what, target(context));
  DR_TRY(const bool there, is_there(context));
  if (!there) context.outputs = Value::Map{{"discarded", what}};
  return there ? Happened::kNo : Happened::kYes;
}

std::vector<std::string> by_hand(const StepContext& context) {
  if (of_directory(context))
    return {"rm -r --one-file-system " + shell_word(text_input(context, "directory"))};
  return {psql_line(context, fmt::format("DROP DATABASE \"{}\"", text_input(context, "aside")))};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const std::string what, target(context));
  Preview preview{{fmt::format("remove {} for good, because: {}", what, text_input(context, "because"))},
                  by_hand(context)};
  if (const Status replaced = check_replaced(context); !replaced.ok())
    preview.would.push_back("now it would be refused: " + replaced.error().what);
  return preview;
}

constexpr InputRow kInputs[] = {
    kPostgresDatastore,
    {.name = "directory", .kind = InputRow::Kind::kPath, .help = "what postgres.set_aside put aside"},
    {.name = "aside", .help = "the database that postgres.switch put aside"},
    {.name = "because", .required = true, .help = "the proof that nobody needs it any more"},
    kPostgresUser,
    kPostgresPassword};
constexpr std::string_view kOutputs[] = {"discarded"};

}  // namespace

StepType postgres_discard_aside_step() {
  return {.name = "postgres.discard_aside",
          .summary = "removes what was set aside, once what took its place is proven",
          .effect = Effect::kDestroy,
          .after_crash = AfterCrash::kReconcile,
          .timeout = std::chrono::minutes(30),
          .inputs = kInputs,
          .outputs = kOutputs,
          .needs_source = true,
          .prepare = prepare,
          .act = act,
          .preview = preview,
          .reconcile = reconcile,
          .by_hand = by_hand};
}

}  // namespace daruma::run
