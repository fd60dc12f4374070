// How clocks pause: at once when asked to stop, and never longer than asked in a test's time.
#include "os/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace daruma {
namespace {

TEST(RealClock, PauseReturnsAtOnceWhenStopWasRequestedBefore) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(real_clock()->pause(Duration::max(), stop.get_token()));
}

TEST(RealClock, AStopRequestedDuringAPauseEndsIt) {
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(real_clock()->pause(Duration::max(), stop.get_token()));
}

TEST(RealClock, APauseThatNobodyStopsEndsByItself) {
  const auto clock = real_clock();
  const MonoInstant before = clock->mono();
  EXPECT_TRUE(clock->pause(1ms));
  EXPECT_GE(clock->mono() - before, 1ms);
}

TEST(RealClock, ANegativePauseIsNone) { EXPECT_TRUE(real_clock()->pause(-1h)); }

TEST(RealClock, NowIsTheCivilTimeOfThisCentury) {
  EXPECT_GT(real_clock()->now(), *parse_rfc3339("2024-01-01T00:00:00Z"));
  EXPECT_LT(real_clock()->now(), *parse_rfc3339("2100-01-01T00:00:00Z"));
}

TEST(RealClock, ForEverFromNowIsNever) {
  EXPECT_EQ(real_clock()->after(Duration::max()).at, Deadline::never().at);
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock;
  const Instant now = clock.now();
  const MonoInstant mono = clock.mono();
  EXPECT_EQ(clock.now(), now);
  clock.advance(3s);
  EXPECT_EQ(clock.now() - now, Duration(3s));
  EXPECT_EQ(clock.mono() - mono, Duration(3s));
}

TEST(ManualClock, PauseMovesItAndReturnsAtOnce) {
  ManualClock clock;
  const Deadline deadline = clock.after(1h);
  EXPECT_FALSE(deadline.passed(clock.mono()));
  EXPECT_TRUE(clock.pause(1h));
  EXPECT_TRUE(deadline.passed(clock.mono()));
}

}  // namespace
}  // namespace daruma
