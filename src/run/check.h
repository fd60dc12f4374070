// run/check.h: what would go wrong with a plan on the day it is needed, found before.
//
// Looks at the plan, at the table of step types, and at what the world tells it; runs nothing. Findings of
// nested plans are told where they come from the nesting; each plan is to be checked by itself as well.
// Source:  requirements A4 (approval before anything stops, source proven before destruction), A24, A27.
// Threads: plain functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "run/plan.h"
#include "run/step_type.h"

namespace daruma::run {

enum class Severity : uint8_t {
  kError,    // the plan will not do what it says, or may harm
  kWarning,  // it will, but somebody will miss something
};
std::string_view to_string(Severity severity);

struct Finding {
  Severity severity = Severity::kError;
  int line = 0;       // in the plan's file; 0: of the whole
  std::string place;  // "steps.restart.with.service"
  std::string what;   // names the value, the cause and the next step

  bool operator==(const Finding&) const = default;
};

// What is known of the place where the plan will run; what is absent is not checked.
struct CheckWorld {
  std::span<const StepType> types;
  const Config* config = nullptr;  // for services, datastores, channels
  FindPlan find_plan = {};         // for nesting and `raise`
  // Whether a program can be started: a name to be found in PATH, or a path.
  std::function<bool(const std::string& program)> has_program = {};
  std::function<bool(const std::string& group)> has_group = {};  // of this host
  std::optional<Instant> now = {};                               // for the date of the next review
};

// Errors first, then in the file's order.
std::vector<Finding> check_plan(const Plan& plan, const CheckWorld& world);

// That the services and datastores which the outermost plan's parameters name are there. kInvalid names the
// parameter.
Status check_arguments(const FrozenPlan& plan, const Config& config);

// "FILE:LINE: error: PLACE: WHAT"
std::string to_line(const Finding& finding, const Path& file);

}  // namespace daruma::run
