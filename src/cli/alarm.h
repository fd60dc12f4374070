// cli/alarm.h: that somebody broke the glass is told at once, by whoever wrote it into the journal.
//
// Told are the channels of the plan's `finish.notify`; without them those among its `contacts`; without
// them all of daruma.yaml. That nobody could be told stops nothing, and is said.
// Threads: the caller's; takes at most a few seconds.
#pragma once

#include "cli/app.h"
#include "run/run_state.h"

namespace daruma {

// Does nothing for any other event.
void tell_of_broken_glass(App& app, const Config& config, const run::RunState& state,
                          const JournalEvent& event);

}  // namespace daruma
