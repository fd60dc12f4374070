// cli/run_line.h: from the words of a command line to a command's exit code.
//
// Threads: main's only.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace daruma {

// Parses `arguments` (without the program's name), reads the configuration where the command wants it, and
// runs it. Returns the exit code.
int run_line(App& app, const std::vector<std::string>& arguments);

// The configuration that this call means: the file's, with --repository in the place of all its copies and
// --key in the place of its key. With --repository and without -c no file is looked for, so that a broken
// daruma.yaml cannot stand in the way of a recovery.
// kInvalid: --repository without a key or with no URL of a copy; else as load_config.
Result<Config> config_for(App& app, const Invocation& invocation);

}  // namespace daruma
