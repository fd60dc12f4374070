// run/render.h: a plan as papers for the day the tool is down: a runbook that a person follows, and a guarded
// shell script.
//
// Both are made of the flat plan of a FrozenPlan, in the order of the plan's picture, and carry the same
// commands. Both languages carry the same numbers, names and commands.
// Source:  requirements A24, A25, A27, A30; the words are the glossary's.
// Threads: plain functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "report/report.h"
#include "run/forecast.h"
#include "run/plan.h"
#include "run/step_type.h"

namespace daruma::run {

struct Paper {
  std::span<const StepType> types;
  report::Language language = report::Language::kEn;
  // What a person types for the action of a step, one command a line; lines with '#' are to be read only.
  std::function<std::vector<std::string>(const Step& step, const Action& action)> by_hand;
  StepTimes expected = {};                     // how long each step takes, as measured
  std::optional<Duration> rpo = {}, rto = {};  // what is promised
};

// Markdown.
std::string render_runbook(const Plan& plan, const Paper& paper);

// For /bin/sh. It asks every question before the first step and does nothing without a terminal (or --yes);
// it ends at the first command that fails and says at which step, unless the plan goes on there.
std::string render_script(const Plan& plan, const Paper& paper);

// For Paper::by_hand: the type's own words, with the plan's values filled in; what only a run will tell
// stands there as <STEP.OUTPUT>. `base` lends its world; `plan` and `base` outlive the result.
std::function<std::vector<std::string>(const Step&, const Action&)> commands_of(
    const FrozenPlan& plan, std::span<const StepType> types, const StepContext& base);

}  // namespace daruma::run
