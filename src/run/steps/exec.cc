// exec: the user's own tools, as argument lists.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/shell_word.h"
#include "os/environment.h"
#include "run/steps/families.h"
#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

using Kind = InputRow::Kind;

constexpr size_t kCapturedMost = 64 * 1024;

constexpr InputRow kCommand{"command", Kind::kList, true, {}, "program and arguments; no shell reads them"};
constexpr InputRow kDirectory{
    "directory", Kind::kPath, false, {}, "where it runs; nothing: the folder of daruma.yaml"};
constexpr InputRow kEnvironment{
    "environment", Kind::kMap, false, {}, "added to ours; a value may be a secret"};
constexpr InputRow kExit{"exit", Kind::kAny, false, "0", "the exit code that is success, or a list of them"};
constexpr InputRow kCapture{"capture", Kind::kBoolean, false, "false",
                            "gives what it prints, at most 64 KiB, as output `output`"};

constexpr InputRow kObserving[] = {kCommand, kDirectory, kEnvironment, kExit, kCapture};
constexpr InputRow kActing[] = {
    kCommand,
    kDirectory,
    kEnvironment,
    kExit,
    kCapture,
    {"after_crash", Kind::kText, false, "ask", "ask a person whether it ran; or again: twice is as once"},
    {"happened", Kind::kList, false, {}, "a command that only looks: exit 0 says it ran, 1 that it did not"},
};
constexpr std::string_view kOutputs[] = {"exit", "output"};

Result<Command> command_of(StepContext& context, std::string_view name) {
  Command command;
  DR_TRY(command.argv, texts_input(context, name));
  if (command.argv.empty() || command.argv[0].empty())
    return Error{Errc::kInvalid, fmt::format("input '{}': names no program", name)};
  DR_TRY(command.environment, maybe_secrets(context, "environment"));
  const Path directory = path_input(context, "directory");
  command.working_directory = directory.empty() ? context.config.file.parent_path() : directory;
  return command;
}

// Past the deadline, or at a stop, the program is ended.
Result<ProcessExit> run_command(StepContext& context, const Command& command) {
  auto ended = context.processes.run(command, context.deadline);
  if (ended.ok() || !ended.is(Errc::kCancelled)) return ended;
  return std::move(ended).error().in(command.argv[0]);
}

Result<Value> act(StepContext& context) {
  DR_TRY(Command command, command_of(context, "command"));
  DR_TRY(const auto expected, texts_input(context, "exit"));
  const bool capture = boolean_input(context, "capture");
  fmt::print("$ {}\n", shell_line(command.argv));
  static_cast<void>(std::fflush(stdout));  // before what the program prints
  // Straight into our own output: what a program printed before it was ended is not lost.
  if (!capture) command.output = "/dev/stdout";
  DR_TRY(const ProcessExit exit, run_command(context, command));
  std::string output = exit.output;
  if (capture) fmt::print("{}", output);
  if (output.size() > kCapturedMost) output.erase(0, output.size() - kCapturedMost);
  const std::string code = fmt::format("{}", exit.code);
  const bool good =
      expected.empty() ? exit.code == 0 : std::find(expected.begin(), expected.end(), code) != expected.end();
  if (!good && exit.signal != 0)  // as at its deadline: how far it came, it could not say
    return Error{Errc::kCancelled, fmt::format("{} was ended by signal {}", command.argv[0], exit.signal)};
  if (!good)
    return Error{Errc::kFailed,
                 fmt::format("{} ended with exit code {} instead of {}", command.argv[0], code,
                             expected.empty() ? "0" : fmt::format("{}", fmt::join(expected, " or ")))};
  while (output.ends_with('\n')) output.pop_back();
  return Value(Value::Map{{"exit", exit.code}, {"output", output}});
}

Result<Happened> happened(StepContext& context) {
  if (text_input(context, "after_crash") == "again") return Happened::kNo;
  if (!input(context, "happened")) return Happened::kUnknown;
  DR_TRY(const Command command, command_of(context, "happened"));
  DR_TRY(const ProcessExit exit, run_command(context, command));
  return exit.code == 0 ? Happened::kYes : exit.code == 1 ? Happened::kNo : Happened::kUnknown;
}

std::vector<std::string> by_hand(const StepContext& context) {
  const auto argv = texts_input(context, "command");
  if (!argv.ok()) return {"# " + argv.error().what};
  std::string line;
  if (const Path directory = path_input(context, "directory"); !directory.empty())
    line = fmt::format("cd {} && ", shell_word(directory.native()));
  if (const Value* environment = input(context, "environment"); environment && environment->map())
    for (const auto& [name, value] : *environment->map())
      line += fmt::format("{}={} ", name, shown_secret(value));
  return {line + shell_line(*argv)};
}

Result<Preview> preview(StepContext& context) {
  DR_TRY(const auto argv, texts_input(context, "command"));
  if (argv.empty()) return Error{Errc::kInvalid, "input 'command': names no program"};
  Preview preview{.would = {"run " + shell_line(argv)}, .by_hand = by_hand(context)};
  const bool by_relative_path = argv[0].find('/') != std::string::npos && !argv[0].starts_with('/');
  if (!by_relative_path && !program_exists(context.fs, argv[0]))
    preview.would.push_back(
        fmt::format("now there is no program '{}'; install it, or name it by its path", argv[0]));
  return preview;
}

constexpr Duration kTimeout = std::chrono::minutes(5);

constexpr StepType kTypes[] = {
    {.name = "exec",
     .summary = "runs a program that changes something",
     .effect = Effect::kChange,
     .after_crash = AfterCrash::kReconcile,
     .timeout = kTimeout,
     .inputs = kActing,
     .outputs = kOutputs,
     .act = act,
     .preview = preview,
     .reconcile = happened,
     .by_hand = by_hand},
    {.name = "exec.observe",
     .summary = "runs a program that only looks",
     .timeout = kTimeout,
     .inputs = kObserving,
     .outputs = kOutputs,
     .act = act,
     .preview = preview,
     .by_hand = by_hand},
    {.name = "exec.destroy",
     .summary = "runs a program whose effect cannot be taken back",
     .effect = Effect::kDestroy,
     .after_crash = AfterCrash::kReconcile,
     .timeout = kTimeout,
     .inputs = kActing,
     .outputs = kOutputs,
     .act = act,
     .preview = preview,
     .reconcile = happened,
     .by_hand = by_hand},
};

}  // namespace

std::span<const StepType> exec_steps() { return kTypes; }

}  // namespace daruma::run
