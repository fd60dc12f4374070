// cli/run_view.h: a run, as a person sees it: its steps as they happen, and as they stand.
//
// Threads: one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "run/forecast.h"
#include "run/run_place.h"
#include "run/run_state.h"

namespace daruma {

// Prints what happens, event by event: lines for people, or with --json one object for each event. On a
// terminal the last line tells what runs now, for how long, and what is left.
class RunView {
 public:
  RunView(App& app, const run::RunPlace& place, run::StepTimes usual)
      : app_(app), place_(place), usual_(std::move(usual)) {}
  ~RunView() { clear(); }
  RunView(const RunView&) = delete;
  RunView& operator=(const RunView&) = delete;

  void show(const run::RunState& state, const JournalEvent& event);
  // Time goes on: often, from the thread that calls show().
  void tick();

 private:
  struct Running {
    std::string title;
    Instant since;
    std::optional<Duration> usual;
  };
  void show_step(const run::RunState& state, const run::StepEnded& ended);
  void line(Instant at, Colour colour, std::string_view mark, const std::string& text,
            const std::string& right);
  void say(const std::string& text);
  void note_running(const run::RunState& state);
  void draw_running();
  std::string running_text(Instant now) const;
  void clear();

  App& app_;
  const run::RunPlace& place_;
  const run::StepTimes usual_;
  std::vector<Running> running_;
  std::string progress_;          // as "5 of 17 steps"
  std::optional<Duration> left_;  // at left_at_
  Instant left_at_;
  std::optional<MonoInstant> drawn_;  // the last line tells what runs, and will be replaced; since then
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
