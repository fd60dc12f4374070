// cli/help.h: the texts made from the tables of commands and settings.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "cli/commands.h"

namespace daruma {

// What `daruma` alone says.
std::string overview(const Output& output);
// What `daruma help COMMAND` says.
std::string command_help(const CommandRow& command, const Output& output);
// docs/commands.md
std::string commands_markdown();
// docs/configuration.md
std::string settings_markdown();
// docs/daruma.schema.json: a JSON Schema of daruma.yaml, for editors.
std::string settings_schema();

}  // namespace daruma
