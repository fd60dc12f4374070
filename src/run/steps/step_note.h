// run/steps/step_note.h: what a step that may be killed at any byte leaves for its next attempt: one value,
// in the run's directory, durable when written.
//
// prepare() tells what was before the first attempt; a note tells how far an attempt came.
// Threads: plain functions; one attempt of a step acts at a time.
#pragma once

#include "run/step_type.h"

namespace daruma::run {

// Null: no attempt of this step has left one.
Result<Value> read_note(const StepContext& context);
Status write_note(const StepContext& context, const Value& note);

}  // namespace daruma::run
