// run/forecast.h: how long the steps of a plan took before, and so how long they will take.
//
// It counts no waiting for people, and promises nothing: where a step was never measured there is no
// forecast.
// Source:  design, section "Runs" (the predicted duration); requirement A24.
// Threads: plain functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "run/run_state.h"

namespace daruma::run {

using StepTimes = std::map<std::string, Duration>;  // by the step's id

// The middle of what each step took in the last ten runs of this plan that succeeded. A step that they
// skipped takes nothing. Empty: there was no such run.
Result<StepTimes> usual_times(Journal& journal, const std::string& plan, const FindType& find_type);

// All steps, along the longest way through them. nullopt: one was never measured.
std::optional<Duration> forecast(const std::vector<Step>& steps, const StepTimes& usual);
// What is left of a run's own steps.
std::optional<Duration> forecast_left(const RunState& state, const StepTimes& usual, Instant now);

}  // namespace daruma::run
