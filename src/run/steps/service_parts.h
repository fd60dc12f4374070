// run/steps/service_parts.h: what the steps that deal with services share.
//
// Threads: plain functions.
#pragma once

#include <string>

#include "run/step_type.h"

namespace daruma::run {

std::string_view runtime_word(Runtime runtime);
// "running since 2026-11-22T12:00:00Z, pid 4711"
std::string describe(const runtime::ServiceStatus& status);
// {"service","state","running","pids","since","restarts","detail","health"}
Value to_value(const ServiceConfig& service, const runtime::ServiceStatus& status);

}  // namespace daruma::run
