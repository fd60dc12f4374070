#include <vector>

#include "run/steps/families.h"

namespace daruma::run {
namespace {

std::vector<StepType> collect() {
  std::vector<StepType> types;
  const auto add = [&](std::span<const StepType> family) {
    types.insert(types.end(), family.begin(), family.end());
  };
  add(service_steps());
  add(evidence_steps());
  add(http_steps());
  add(measure_steps());
  add(network_steps());
  add(redis_steps());
  add(breaker_steps());
  add(logs_steps());
  add(wait_steps());
  add(exec_steps());
  add(flow_steps());
  return types;
}

}  // namespace

std::span<const StepType> step_types() {
  static const std::vector<StepType> types = collect();
  return types;
}

}  // namespace daruma::run
