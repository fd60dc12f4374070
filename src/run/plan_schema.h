// run/plan_schema.h: the reference and the JSON Schema of the plan language, from the tables that read it.
//
// Threads: plain functions.
#pragma once

#include <span>
#include <string>

#include "run/step_type.h"

namespace daruma::run {

// The second part of docs/plan-language.md: every setting, every type of parameter, every
// danger that import finds.
std::string plan_reference();

// docs/plan.schema.json: for editors; with `types`, what each step type takes.
std::string plan_schema(std::span<const StepType> types);

}  // namespace daruma::run
