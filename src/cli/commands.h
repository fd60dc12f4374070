// cli/commands.h: the one table of commands, from which the parser, the help and docs/commands.md are made.
//
// Threads: constant.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cli/app.h"
#include "cli/invocation.h"

namespace daruma {

struct OptionRow {
  enum class Form : uint8_t { kFlag, kText, kNumber, kChoice, kPair };
  std::string_view name;  // "--to", "-c"
  Form form = Form::kText;
  std::string_view value;  // what stands for the value in help: "DIR"; of kChoice: the choices, as in "a|b|c"
  std::string_view help;
  bool required = false;
  bool repeats = false;
  bool hidden = false;
};

struct ArgumentRow {
  std::string_view name;
  std::string_view help;
  bool required = true;
  bool repeats = false;
};

// kHidden: daruma calls it itself; help says nothing of it.
enum class Group : uint8_t { kSetUp, kEveryDay, kWhenItBurns, kPlumbing, kHidden };

// Whether the configuration is read before the command runs.
enum class ConfigUse : uint8_t { kNone, kRead };

struct CommandRow {
  std::string_view name;
  Group group;
  std::string_view summary;       // one line
  std::string_view details = {};  // what `daruma help NAME` adds, in lines of at most 88 columns
  std::span<const ArgumentRow> arguments = {};
  std::span<const OptionRow> options = {};
  std::span<const std::string_view> examples = {};
  ConfigUse config = ConfigUse::kRead;
  int (*run)(App&, const Invocation&) = nullptr;  // returns the exit code
  // The exit code of a wrong command line or configuration; 0: as every command.
  int exit_when_unusable = 0;
  std::string_view exits = {};  // what its exit codes mean; empty: as every command
};

// In the order in which help shows them.
std::span<const CommandRow> all_commands();
// nullptr: there is no such command.
const CommandRow* find_command(std::string_view name);
// Those every command takes.
std::span<const OptionRow> common_options();

// One function for each command, each in its own file.
int run_demo(App& app, const Invocation& invocation);
int run_init(App& app, const Invocation& invocation);
int run_backup(App& app, const Invocation& invocation);
int run_points(App& app, const Invocation& invocation);
int run_restore(App& app, const Invocation& invocation);
int run_verify(App& app, const Invocation& invocation);
int run_wal_get(App& app, const Invocation& invocation);
int run_serve(App& app, const Invocation& invocation);
int run_status(App& app, const Invocation& invocation);
int run_service(App& app, const Invocation& invocation);
int run_shim(App& app, const Invocation& invocation);
int run_recover(App& app, const Invocation& invocation);
int run_resume(App& app, const Invocation& invocation);
int run_runs(App& app, const Invocation& invocation);
int run_approve(App& app, const Invocation& invocation);
int run_abort(App& app, const Invocation& invocation);
int run_halt(App& app, const Invocation& invocation);
int run_look(App& app, const Invocation& invocation);
int run_plan(App& app, const Invocation& invocation);
int run_step(App& app, const Invocation& invocation);
int run_act(App& app, const Invocation& invocation);
int run_help(App& app, const Invocation& invocation);
int run_version(App& app, const Invocation& invocation);

}  // namespace daruma
