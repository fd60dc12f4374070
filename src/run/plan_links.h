// run/plan_links.h: what the parts of a plan's file say about each other: needs, references, nesting.
//
// Threads: plain functions.
#pragma once

#include "config/settings.h"
#include "run/plan.h"

namespace daruma::run {

// The type of a step that nests another plan.
constexpr std::string_view kNest = "plan";

// Whether a parameter may have this name: a letter first, and no word that means something else.
bool is_free_name(std::string_view name);

// "steps.ID.NAME" taken apart; nullopt: `name` is not of this form.
struct StepReference {
  std::string_view step;
  std::string_view name;
};
std::optional<StepReference> step_reference(std::string_view name);

// Reports needs and references that name nothing, cycles, and nesting that cannot be. Steps that `when` and
// `with` refer to join `needs`. `node` is the file, `plan` what was read of it.
void link_plan(settings::Reader& reader, const YAML::Node& node, Plan& plan);

}  // namespace daruma::run
