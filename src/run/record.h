// run/record.h: what a run's journal says, as the facts of an incident report.
//
// Source:  requirement A16. Nothing is made up: what the journal does not say is unknown, with the reason.
// Threads: pure functions.
#pragma once

#include <vector>

#include "report/report.h"
#include "run/run_state.h"

namespace daruma::run {

report::IncidentFacts facts_of(const RunState& state, const std::vector<JournalEvent>& events, Instant now,
                               const JournalHead& head);

}  // namespace daruma::run
