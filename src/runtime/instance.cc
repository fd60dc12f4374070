#include "runtime/instance.h"

#include <signal.h>
#include <string.h>

#include <fmt/format.h>

namespace daruma::runtime {
namespace {

constexpr Duration kLeftoverGrace = 5s;  // for what a main process that ended by itself left running

}  // namespace

std::optional<MonoInstant> Instance::due() const {
  if (phase_ == Phase::kWaiting) return next_start_;
  return std::nullopt;
}

Status Instance::start(const ChildPlan& plan) {
  auto started = start_child(plan);
  if (!started.ok()) {
    phase_ = Phase::kEnded;
    last_end_ = "could not be started";
    return std::move(started).error();
  }
  main_ = *started;
  phase_ = Phase::kRunning;
  unreaped_ = true;
  for_good_ = false;
  told_.clear();
  return {};
}

void Instance::child_ended(const ChildEnd& end, MonoInstant now) {
  if (!unreaped_ || end.pid != main_.pid) return;
  last_end_ = words_of(end);
  failed_ = end.code != 0;
  unreaped_ = false;
  if (phase_ == Phase::kEnding) return;
  phase_ = Phase::kEnding;
  kill_at_ = now + kLeftoverGrace;
}

void Instance::end(MonoInstant kill_at) {
  for_good_ = true;
  if (phase_ == Phase::kRunning) {
    phase_ = Phase::kEnding;
    kill_at_ = kill_at;
  } else if (phase_ == Phase::kEnding) {
    kill_at_ = std::min(kill_at_, kill_at);
  } else {
    phase_ = Phase::kEnded;
  }
}

void Instance::end_rest(MonoInstant kill_at) {
  for_good_ = true;
  phase_ = Phase::kEnding;
  kill_at_ = kill_at;
}

void Instance::start_failed(const Error& error, MonoInstant now) {
  last_end_ = error.what;
  failed_ = true;
  decide(now);
}

void Instance::clear(const std::vector<ProcessInfo>& rest, MonoInstant now) {
  if (rest.empty() && !unreaped_) return decide(now);
  const bool kill = now >= kill_at_;
  // What is begun while the main process ends in good order serves that end, and is left alone until then.
  if (!kill && unreaped_ && !told_.empty()) return;
  for (const ProcessInfo& process : rest)
    if (kill || told_.insert(process.id).second) send_signal(process.id, kill ? SIGKILL : SIGTERM);
}

void Instance::decide(MonoInstant now) {
  const auto pause = for_good_ ? std::nullopt : budget_.next(now, failed_);
  phase_ = pause ? Phase::kWaiting : Phase::kEnded;
  if (pause) next_start_ = now + *pause;
}

std::string words_of(const ChildEnd& end) {
  if (end.signal == 0) return fmt::format("exited with code {}", end.code);
  const char* name = ::sigabbrev_np(end.signal);
  return fmt::format("was killed by SIG{}", name ? name : std::to_string(end.signal));
}

}  // namespace daruma::runtime
