// cli/run_view.h: a run, as a person sees it: its steps as they happen, and as they stand.
//
// Threads: one.
#pragma once

#include <string>

#include "cli/app.h"
#include "run/run_place.h"
#include "run/run_state.h"

namespace daruma {

// Prints what happens, event by event: lines for people, or with --json one object for each event.
class RunView {
 public:
  RunView(App& app, const run::RunPlace& place) : app_(app), place_(place) {}
  ~RunView() { clear(); }
  RunView(const RunView&) = delete;
  RunView& operator=(const RunView&) = delete;

  void show(const run::RunState& state, const JournalEvent& event);

 private:
  void show_step(const run::RunState& state, const run::StepEnded& ended);
  void line(Instant at, Colour colour, std::string_view mark, const std::string& text,
            const std::string& right);
  void say(const std::string& text);
  void running(const run::RunState& state);
  void clear();

  App& app_;
  const run::RunPlace& place_;
  bool open_ = false;  // the last line tells what runs, and will be replaced
};

// The language of the terminal: Japanese where LC_ALL, LC_MESSAGES or LANG say so.
bool japanese_terminal();
// A text in that language, or in the other where it is missing.
std::string in_our_language(const run::Text& text, const std::string& otherwise);

// All steps of a run, with times and ends.
std::string describe(const App& app, const run::RunState& state);
// What a run waits for a person to do, and what to type; "" when nothing.
std::string waits_for(const run::RunState& state);

// The exit code that goes with a state.
int exit_of(const run::RunState& state);

}  // namespace daruma
