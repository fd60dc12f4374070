// tests/support/caretaker.h: clears up for a test program that was killed, or ended itself, before its
// fixtures could: what they started to live on without them would live for ever.
//
// A process of its own waits until this one is gone. Then it ends what keeps services that lie in
// `directory` (our shims, pm2's daemon), waits for everything else whose command line names that directory,
// and removes it.
// Owns:    that process, which ends with the object and then touches nothing: fixtures clear up themselves.
// Threads: one.
#pragma once

#include "os/process.h"

namespace daruma {

class Caretaker {
 public:
  explicit Caretaker(const Path& directory);

 private:
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  std::unique_ptr<Process> process_;
};

}  // namespace daruma
