// run/plan_yaml.h: a plan as a file of the plan language.
//
// Threads: a plain function.
#pragma once

#include <functional>
#include <string>

#include "run/plan.h"

namespace daruma::run {

// What parse_plan reads back as the same plan, but for lines. `remark` gives a comment to stand above a step;
// "" for none.
std::string to_yaml(const Plan& plan, const std::function<std::string(const Step&)>& remark = {});

}  // namespace daruma::run
