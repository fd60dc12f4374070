#include "cli/ask_here.h"

#include <fmt/format.h>

#include "os/terminal.h"

namespace daruma {

Keyboard real_keyboard() { return {.is_there = at_terminal, .forget = forget_typed, .typed = typed_line}; }

void AskHere::ask(const std::string& step, What what) {
  if (!keyboard_.is_there()) return;
  asked_.push_back({step, what});
  if (asked_.size() == 1) prompt();
}

void AskHere::prompt() {
  keyboard_.forget();  // what was typed before the question is no answer to it
  const auto& [step, what] = asked_.front();
  const std::string words = what == What::kMayItGoOn ? fmt::format("whether {} may go on: yes or no", step)
                            : what == What::kIsItDone
                                ? fmt::format("when {} is done: done; or, if it cannot be: no and why", step)
                                : fmt::format("whether {} happened: yes or no", step);
  out_.write(fmt::format("\r\x1b[K     or type here {}\n", words));
  out_.flush();
}

void AskHere::follow(const run::RunState& state) {
  if (asked_.empty()) return;
  const std::string first = asked_.front().step;
  std::erase_if(asked_, [&](const Asked& each) {
    const bool approval = each.what == What::kMayItGoOn;
    return state.at(each.step).phase != (approval ? run::StepPhase::kAsking : run::StepPhase::kPerson);
  });
  if (!asked_.empty() && asked_.front().step != first) prompt();
}

std::optional<run::Request> AskHere::answer_in(const Asked& asked, const std::string& line) {
  const size_t space = line.find(' ');
  const std::string word = line.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : line.substr(line.find_first_not_of(' ', space));
  const bool task = asked.what == What::kIsItDone;
  const bool yes = word == (task ? "done" : "yes");
  if (!yes && word != "no") return std::nullopt;
  if (asked.what == What::kMayItGoOn)
    return rest.empty() ? std::optional(
                              run::Request{.step = asked.step, .yes = yes, .reason = "typed at the terminal"})
                        : std::nullopt;
  if (task && !yes && rest.empty()) return std::nullopt;  // somebody has to know why
  return run::Request{.kind = run::Request::Kind::kAnswer, .step = asked.step, .yes = yes, .reason = rest};
}

void AskHere::listen() {
  if (asked_.empty()) return;
  const auto line = keyboard_.typed();
  if (!line || line->find_first_not_of(' ') == std::string::npos) return;
  const auto answer = answer_in(asked_.front(), line->substr(0, line->find_last_not_of(' ') + 1));
  if (!answer) {
    const bool task = asked_.front().what == What::kIsItDone;
    out_.write(fmt::format("     '{}' is neither {}\n", *line, task ? "done, nor no and why" : "yes nor no"));
    out_.flush();
    return;
  }
  asked_.pop_front();
  put_(*answer);
  if (!asked_.empty()) prompt();
}

}  // namespace daruma
