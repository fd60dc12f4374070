#include "runtime/restart_budget.h"

#include <algorithm>

namespace daruma::runtime {

std::optional<Duration> RestartBudget::next(MonoInstant now, bool failed) {
  const bool wanted =
      config_.policy == RestartPolicy::kAlways || (config_.policy == RestartPolicy::kOnFailure && failed);
  if (!wanted) return std::nullopt;
  while (!restarts_.empty() && now - restarts_.front() >= config_.within) restarts_.pop_front();
  exhausted_ = restarts_.size() >= config_.limit;
  if (exhausted_) return std::nullopt;
  Duration pause = std::min(config_.backoff, config_.backoff_most);
  for (size_t i = 0; i < restarts_.size() && pause < config_.backoff_most; ++i)
    pause = pause > config_.backoff_most / 2 ? config_.backoff_most : pause * 2;
  restarts_.push_back(now);
  return pause;
}

}  // namespace daruma::runtime
