#include "cli/ask_here.h"

#include <fmt/format.h>

#include "os/terminal.h"

namespace daruma {

Keyboard real_keyboard() { return {.is_there = at_terminal, .forget = forget_typed, .typed = typed_line}; }

void AskHere::ask(const std::string& step) {
  if (!keyboard_.is_there()) return;
  step_ = step;
  keyboard_.forget();  // what was typed before the question is no answer to it
  out_.write(fmt::format("\r\x1b[K     or type here whether {} may go on: yes or no\n", step));
  out_.flush();
}

void AskHere::follow(const run::RunState& state) {
  if (!step_.empty() && state.at(step_).phase != run::StepPhase::kAsking) step_.clear();
}

void AskHere::listen() {
  if (step_.empty()) return;
  const auto line = keyboard_.typed();
  if (!line || line->empty()) return;
  if (*line != "yes" && *line != "no") {
    out_.write(fmt::format("     '{}' is neither yes nor no\n", *line));
    out_.flush();
    return;
  }
  put_({.step = std::exchange(step_, ""), .yes = *line == "yes", .reason = "typed at the terminal"});
}

}  // namespace daruma
