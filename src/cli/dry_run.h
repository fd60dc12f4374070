// cli/dry_run.h: what `recover --dry-run` says: for each step whether it would run at all, whether it could
// begin now, what it would do, what a person would type instead, and how long it usually takes. Only
// observes.
//
// A line of a step's preview that begins with "now " says what stands against it at this moment.
// Threads: the main thread.
#pragma once

#include <functional>

#include "cli/app.h"
#include "run/runner.h"

namespace daruma {

// Whether a precondition of the plan is met; it acts in a process of its own, in a folder that is gone after.
using MeetPrecondition = std::function<Status(const run::Action&, const Path& folder)>;

// kRefused: as things are, a precondition is unmet, or a step could not begin and nothing before it changes
// that.
int dry_run(App& app, const run::FrozenPlan& plan, run::Target target, const MeetPrecondition& meet);

}  // namespace daruma
