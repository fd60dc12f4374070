// runtime/restart_budget.h: whether, and after which pause, a service that ended by itself is started again.
//
// Pure. The pause doubles with every restart still counted; a restart counts for `within`.
// Threads: a plain value.
#pragma once

#include <deque>
#include <optional>

#include "config/config.h"

namespace daruma::runtime {

class RestartBudget {
 public:
  explicit RestartBudget(const RestartConfig& config) : config_(config) {}

  // It ended by itself at `now`; `failed`: not with exit code 0. Returns the pause before it is started
  // again, and counts that; nullopt: it is not.
  std::optional<Duration> next(MonoInstant now, bool failed);
  // Why next() last said no: the policy, or the limit.
  bool exhausted() const { return exhausted_; }
  // Somebody started it on purpose: nothing counts any more.
  void forget() {
    restarts_.clear();
    exhausted_ = false;
  }

 private:
  RestartConfig config_;
  std::deque<MonoInstant> restarts_;
  bool exhausted_ = false;
};

}  // namespace daruma::runtime
