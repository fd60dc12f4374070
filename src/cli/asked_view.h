// cli/asked_view.h: what a run asks of people, as one who is to answer reads it.
//
// Threads: one.
#pragma once

#include <string>

#include "cli/app.h"
#include "run/asked.h"
#include "run/run_place.h"

namespace daruma {

// Each question, who may answer, and what to type; "" when nothing is asked. `asked` is asked_of(). `whole`:
// with the run it belongs to, and what would be done with which inputs.
std::string describe_asked(const Value& asked, bool whole);
// From whoever carries the run out; where nobody does, from the journal. kRefused: nothing is asked of us, or
// the journal is another user's.
Result<Value> asked_here(App& app, const std::string& run);
// The runs, for what only they can answer of a run that nobody carries out. kRefused: they are another
// user's.
Result<run::RunPlace> open_runs_of(App& app, const std::string& run);

}  // namespace daruma
