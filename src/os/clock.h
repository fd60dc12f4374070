// os/clock.h: the only source of time and the only way to wait.
//
// Threads: every clock may be used from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>

#include "base/guarded.h"
#include "base/time.h"

namespace daruma {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;       // civil time; may jump
  virtual MonoInstant mono() const = 0;  // never goes back
  // Returns after `duration`, or at once when `stop` is requested; false in that case.
  // For back-off between tries only: to wait for a condition, wait for the condition.
  virtual bool pause(Duration duration, std::stop_token stop = {}) = 0;

  // So far from now; for ever stays for ever.
  Deadline after(Duration duration) const {
    const MonoInstant start = mono();
    return duration > Duration::max() - start.since_start ? Deadline::never() : Deadline{start + duration};
  }
};

// The machine's clock.
std::unique_ptr<Clock> real_clock();

// A clock that stands still until a test moves it; pause() moves it forward and returns at once.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant start = {1'700'000'000'000'000}) : start_(start) {}
  Instant now() const override { return start_ + Duration(elapsed_.load()); }
  MonoInstant mono() const override { return {Duration(elapsed_.load())}; }
  bool pause(Duration duration, std::stop_token stop = {}) override {
    advance(duration);
    return !stop.stop_requested();
  }
  void advance(Duration duration) { elapsed_ += duration.count(); }

 private:
  Instant start_;
  std::atomic<int64_t> elapsed_{0};
};

}  // namespace daruma
