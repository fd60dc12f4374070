// run/steps/families.h: the families of step types, a file each; table.cc puts them into one table.
//
// Threads: constant tables.
#pragma once

#include <span>

#include "run/step_type.h"

namespace daruma::run {

std::span<const StepType> service_steps();
std::span<const StepType> evidence_steps();
std::span<const StepType> http_steps();
std::span<const StepType> measure_steps();
std::span<const StepType> network_steps();
std::span<const StepType> redis_steps();
std::span<const StepType> redis_delete_steps();
std::span<const StepType> breaker_steps();
std::span<const StepType> logs_steps();
std::span<const StepType> wait_steps();
std::span<const StepType> exec_steps();
std::span<const StepType> notify_steps();
std::span<const StepType> flow_steps();
std::span<const StepType> report_steps();
std::span<const StepType> postgres_steps();

}  // namespace daruma::run
