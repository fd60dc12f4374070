// run/show.h: a plan's picture in a terminal: what comes before what, what each step does to the world, where
// people are asked, and the point of no return.
//
// Threads: a plain function.
#pragma once

#include <span>
#include <string>

#include "report/report.h"
#include "run/plan.h"
#include "run/step_type.h"

namespace daruma::run {

struct Canvas {
  size_t columns = 80;  // lines are cut to so many; at least 40
  bool colours = false;
  report::Language language = report::Language::kEn;
};

// A flat picture: nested plans are a step. To see inside, hand in the plan of a FrozenPlan.
std::string draw_plan(const Plan& plan, std::span<const StepType> types, const Canvas& canvas);

}  // namespace daruma::run
