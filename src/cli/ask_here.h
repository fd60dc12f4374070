// cli/ask_here.h: approvals, tasks and questions for the person who sits at this terminal, while the run goes
// on; one after the other where several wait.
//
// Threads: one. Owns: nothing but what waits for an answer.
#pragma once

#include <deque>
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

  enum class What : uint8_t {
    kMayItGoOn,    // an approval that this person may give: yes or no
    kIsItDone,     // a person's task: done, or no and why
    kDidItHappen,  // an act that vanished: yes or no
  };
  // A step waits for a person. Does nothing where nobody sits here.
  void ask(const std::string& step, What what = What::kMayItGoOn);
  // Takes back what was answered elsewhere, or has expired.
  void follow(const run::RunState& state);
  bool waits() const { return !asked_.empty(); }
  // Hands over what was typed meanwhile, if it is an answer. Never waits.
  void listen();

 private:
  struct Asked {
    std::string step;
    What what;
  };
  void prompt();
  // nullopt: the line answers nothing of the kind that is asked.
  static std::optional<run::Request> answer_in(const Asked& asked, const std::string& line);

  Output& out_;
  Keyboard keyboard_;
  std::function<void(const run::Request&)> put_;
  std::deque<Asked> asked_;  // the first is on the screen
};

}  // namespace daruma
