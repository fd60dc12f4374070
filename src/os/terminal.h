// os/terminal.h: what a person types, where one sits before us.
//
// Threads: one.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "os/clock.h"

namespace daruma {

// Standard input and output are a terminal, and we are in its foreground: to read there from the background
// would stop us.
bool at_terminal();
// What was typed before a question was asked is no answer to it.
void forget_typed();
// A line typed by now, without its end; nullopt: none yet, or its end was reached. Never waits.
std::optional<std::string> typed_line();
// Waits for a line. nullopt: a stop was asked for, or we are at a terminal no more.
std::optional<std::string> wait_for_line(Clock& clock, const std::stop_token& stop);

}  // namespace daruma
