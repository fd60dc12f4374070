#include <algorithm>
#include <chrono>

#include "os/clock.h"

namespace daruma {
namespace {

class RealClock final : public Clock {
 public:
  Instant now() const override {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count()};
  }

  MonoInstant mono() const override { return {std::chrono::steady_clock::now().time_since_epoch()}; }

  bool pause(Duration duration, std::stop_token stop) override {
    // Nobody pauses for a year; "for ever" must not overflow when it is added to the time now.
    const auto until = std::chrono::steady_clock::now() + std::min<Duration>(duration, 24h * 365);
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never_notified;
    never_notified.wait_until(lock, stop, until, [] { return false; });
    return !stop.stop_requested();
  }
};

}  // namespace

std::unique_ptr<Clock> real_clock() { return std::make_unique<RealClock>(); }

}  // namespace daruma
