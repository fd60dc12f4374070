// runtime/instance.h: one of the processes that a shim keeps running: its main process and all that stems
// from it, from start to end and to the next start.
//
// Threads: one.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/offspring.h"
#include "runtime/restart_budget.h"

namespace daruma::runtime {

class Instance {
 public:
  enum class Phase : uint8_t {
    kRunning,
    kEnding,   // the main process has ended or was told to; the rest is being ended
    kWaiting,  // for its next start
    kEnded,    // not started again
  };

  explicit Instance(const RestartConfig& restart) : budget_(restart) {}

  Phase phase() const { return phase_; }
  const ProcessId& main() const { return main_; }
  const std::string& last_end() const { return last_end_; }
  bool gave_up() const { return budget_.exhausted(); }
  // When something is to be done without anybody's word; nullopt: never.
  std::optional<MonoInstant> due() const;

  // Starts the main process; on failure it has ended.
  Status start(const ChildPlan& plan);
  // Somebody wants it running now: nothing that went wrong before counts any more.
  void forget_failures() { budget_.forget(); }
  // A child was reaped; it may be the main process.
  void child_ended(const ChildEnd& end, MonoInstant now);
  // Somebody wants it gone: it is told to end, killed at `kill_at`, and not started again.
  void end(MonoInstant kill_at);
  // Of kEnded: something of it still runs, and is ended.
  void end_rest(MonoInstant kill_at);
  // A start on its own account failed: counts as an end with failure.
  void start_failed(const Error& error, MonoInstant now);
  // Of kEnding: ends what still runs of it, which is `rest`. With nothing left it goes on to kWaiting or
  // kEnded.
  void clear(const std::vector<ProcessInfo>& rest, MonoInstant now);

 private:
  void decide(MonoInstant now);

  RestartBudget budget_;
  Phase phase_ = Phase::kEnded;
  ProcessId main_;
  std::string last_end_;
  bool failed_ = false;
  bool unreaped_ = false;
  bool for_good_ = false;
  std::set<ProcessId> told_;  // got SIGTERM
  MonoInstant kill_at_{};
  MonoInstant next_start_{};
};

// "exited with code 1", "was killed by SIGKILL".
std::string words_of(const ChildEnd& end);

}  // namespace daruma::runtime
