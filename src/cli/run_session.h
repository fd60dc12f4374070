// cli/run_session.h: what commands about plans and runs share: the plans there are, the place of runs, and
// the hands.
//
// Threads: the main thread.
#pragma once

#include <memory>

#include "cli/app.h"
#include "run/control.h"
#include "run/forecast.h"
#include "run/library.h"
#include "run/run_place.h"
#include "run/runner.h"

namespace daruma {

// The plans that daruma.yaml names.
Result<run::Library> open_library(const App& app);
// A plan by its name, or by the path of its file (a word with '/' or ending in .yaml).
Result<run::Plan> find_plan(const App& app, const run::Library& library, const std::string& word);
Result<run::RunPlace> open_runs(const App& app);
// How long the steps of a plan usually take; empty: it never ran here, or its runs cannot be read.
run::StepTimes usual_times_here(const App& app, const std::string& plan);
// Us, for processes of our own.
run::RunnerWorld runner_world(const App& app);
// The file of the configuration, for the processes in which steps act; empty: none.
Path config_file(const App& app);
// Its text, which a run keeps; "" where there is none.
Result<std::string> config_text(const App& app);
// production unless --target says otherwise. kRefused: daruma.yaml has no such target.
Result<run::Target> target_of(const App& app, const std::optional<std::string>& word);

// Carries a run out in this process, showing what happens, until it ended or `daruma` is to stop.
// `confirms`: whoever started us agrees to what they may agree to themselves.
Result<run::RunState> carry_out_here(App& app, run::RunPlace& place, const std::string& id, bool confirms,
                                     bool wait);

}  // namespace daruma
