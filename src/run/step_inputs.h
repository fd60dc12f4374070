// run/step_inputs.h: the inputs of a step as its type's table wants them: kinds, defaults, nothing unknown.
//
// Threads: plain functions.
#pragma once

#include "run/step_type.h"

namespace daruma::run {

// `value` as an input of this row's kind: "100" is the integer 100. kInvalid: it is none.
Result<Value> input_value(const InputRow& row, const Value& value);

// All inputs of a step: `filled` (no references left), each of its kind, and defaults for what is absent or
// null. A step that nests a plan keeps that plan's arguments as they are. kInvalid: one is unknown, missing
// or of another kind.
Result<Value::Map> step_inputs(const StepType& type, const Value::Map& filled);

}  // namespace daruma::run
