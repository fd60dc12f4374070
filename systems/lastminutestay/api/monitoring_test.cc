// Goal: the page of circuit breakers says in the manual's words what state they are in, since when, and what comes next.
#include "lastminutestay/api/monitoring.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using daruma::Breaker;
using daruma::MonoInstant;

class BreakersJson : public testing::Test {
 protected:
  static daruma::BreakerSettings settings() {
    daruma::BreakerSettings of;
    of.window_calls = 10;
    of.minimum_calls = 4;
    of.open_for = 5s;
    return of;
  }
  boost::json::value shown(MonoInstant mono) {
    const auto json =
        boost::json::parse(breakers_json({&breaker_}, daruma::Instant{1'718'841'600'000'000}, mono));
    return json.at("circuitBreakers").at(0);
  }
  void fail(int calls, MonoInstant now) {
    for (int i = 0; i < calls; ++i) {
      const auto permit = breaker_.admit(now);
      ASSERT_TRUE(permit);
      breaker_.record(*permit, Breaker::Outcome::kFailure, 1ms, now);
    }
  }

  std::vector<std::atomic<uint64_t>> cells_ =
      std::vector<std::atomic<uint64_t>>(Breaker::cells_needed(settings()));
  Breaker breaker_{"HotelDataAPI", settings(), cells_};
};

TEST_F(BreakersJson, AClosedOneWithoutCallsHasNoRatesAndNoTimes) {
  const auto shown_now = shown({1h});
  EXPECT_EQ(shown_now.at("name"), "HotelDataAPI");
  EXPECT_EQ(shown_now.at("state"), "CLOSED");
  EXPECT_TRUE(shown_now.at("since").is_null());
  EXPECT_TRUE(shown_now.at("tryAgainAt").is_null());
  EXPECT_TRUE(shown_now.at("failureRate").is_null());
}

TEST_F(BreakersJson, AnOpenOneSaysWhySinceWhenAndWhenItTriesAgain) {
  fail(4, {1h});
  EXPECT_FALSE(breaker_.admit({1h + 1s}));
  const auto open = shown({1h + 2s});
  EXPECT_EQ(open.at("state"), "OPEN");
  EXPECT_EQ(open.at("since"), "2024-06-19T23:59:58Z");
  EXPECT_EQ(open.at("tryAgainAt"), "2024-06-20T00:00:03Z");
  EXPECT_EQ(open.at("counts").at("failed"), 4);
  EXPECT_EQ(open.at("counts").at("notPermitted"), 1);
  EXPECT_EQ(open.at("failureRate").to_number<double>(), 1);
}

TEST_F(BreakersJson, AResetOneIsClosedAgain) {
  fail(4, {1h});
  breaker_.reset({1h + 1s});
  EXPECT_EQ(shown({1h + 2s}).at("state"), "CLOSED");
}

}  // namespace
}  // namespace lastminutestay
