// service/reconnect.h: coming back after a connection was lost: how long to wait, and what to tell.
//
// Source:  "full jitter": a random wait between nothing and a bound that doubles with each failure, so that
//          many clients of a server that comes back do not come all at once.
// Threads: plain values.
#pragma once

#include <string>

#include "os/clock.h"
#include "os/random.h"
#include "service/log.h"

namespace daruma::service {

class Backoff {
 public:
  static constexpr Duration kFirst = 50ms;
  static constexpr Duration kMost = 2s;

  explicit Backoff(Random& random) : random_(random) {}
  // How long to wait after one more failure in a row.
  Duration after_failure();
  void succeeded() { failures_ = 0; }
  unsigned failures() const { return failures_; }

 private:
  Random& random_;
  unsigned failures_ = 0;
};

// The story of one time without connection, told once it is known how it goes: healed within the first try,
// in one line with "recovered"; else an error line, again every kTellAgain while it lasts, and a line with
// "recovered" at its end.
class Outage {
 public:
  static constexpr Duration kTellAgain = 30s;

  Outage(std::string dependency, const Clock& clock, Log& log)
      : dependency_(std::move(dependency)), clock_(clock), log_(log) {}

  // What was up is gone.
  void lost(const std::string& cause);
  // A try to connect failed.
  void try_failed(const std::string& cause);
  // It is up (again).
  void over();

 private:
  std::string dependency_;
  const Clock& clock_;
  Log& log_;
  bool lasting_ = false;
  unsigned tries_failed_ = 0;
  MonoInstant since_, told_;
  std::string cause_;
};

}  // namespace daruma::service
