// cli/ask_here.h: approvals asked of the person who sits at this terminal, while the run goes on.
//
// Threads: one. Owns: nothing but what waits for an answer.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/output.h"
#include "run/control.h"
#include "run/run_state.h"

namespace daruma {

// os/terminal.h, or a test's fingers.
struct Keyboard {
  std::function<bool()> is_there;
  std::function<void()> forget;
  std::function<std::optional<std::string>()> typed;
};
Keyboard real_keyboard();

class AskHere {
 public:
  // `put` hands the engine a request of the person at the terminal.
  AskHere(Output& out, Keyboard keyboard, std::function<void(const run::Request&)> put)
      : out_(out), keyboard_(std::move(keyboard)), put_(std::move(put)) {}

  // A step waits for an approval that this person may give. Does nothing where nobody sits here.
  void ask(const std::string& step);
  // Takes back what was answered elsewhere, or has expired.
  void follow(const run::RunState& state);
  bool waits() const { return !step_.empty(); }
  // Hands over what was typed meanwhile: yes, no, and nothing else. Never waits.
  void listen();

 private:
  Output& out_;
  Keyboard keyboard_;
  std::function<void(const run::Request&)> put_;
  std::string step_;  // the one asked; empty: none
};

}  // namespace daruma
