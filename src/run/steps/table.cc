#include <algorithm>
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
  add(redis_delete_steps());
  add(breaker_steps());
  add(logs_steps());
  add(wait_steps());
  add(exec_steps());
  add(notify_steps());
  add(flow_steps());
  add(report_steps());
  add(postgres_steps());
  return types;
}

}  // namespace

std::span<const StepType> step_types() {
  static const std::vector<StepType> types = collect();
  return types;
}

const StepType* find_step_type(std::string_view name) {
  const std::span<const StepType> types = step_types();
  const auto found =
      std::find_if(types.begin(), types.end(), [&](const StepType& type) { return type.name == name; });
  return found == types.end() ? nullptr : &*found;
}

}  // namespace daruma::run
