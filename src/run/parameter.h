// run/parameter.h: the types of a plan's parameters, and the values they take.
//
// Threads: plain functions.
#pragma once

#include <string_view>

#include "run/plan.h"

namespace daruma::run {

struct ParameterTypeRow {
  std::string_view word;
  ParameterType type;
  std::string_view values;  // what they look like, for people
};
std::span<const ParameterTypeRow> parameter_types();
std::string_view to_string(ParameterType type);

// `given` as a value of the parameter; text as typed on a command line is understood. kInvalid: it is none.
Result<Value> parameter_value(const Parameter& parameter, const Value& given);

}  // namespace daruma::run
