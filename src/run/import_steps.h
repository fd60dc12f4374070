// run/import_steps.h: what a command of a manual is as a step.
//
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>

#include "run/plan.h"
#include "run/shell_script.h"

namespace daruma::run {

// A command as a step, or why it is none.
struct Typed {
  std::optional<Action> action = {};
  bool nothing = false;   // says or remembers something only, as echo and an assignment do
  Text why = {};          // no action: why not
  std::string gate = {};  // `read -p`: the question
};

// `scripts`: names of scripts that the manual itself holds, without ".sh": plans of their own.
Typed typed_command(const ShellCommand& command, const std::vector<std::string>& scripts);
// A statement of a block of SQL.
Typed typed_sql(const std::string& statement);

}  // namespace daruma::run
