// How long to wait before coming back, and what is told of an outage, with a clock moved by hand.
#include "service/reconnect.h"

#include <gmock/gmock.h>

#include "support/service_world.h"

namespace daruma::service {
namespace {

using testing::HasSubstr;

TEST(Backoff, WaitsAnywhereBelowABoundThatDoublesUpToItsMost) {
  const auto random = seeded_random(1);
  Duration longest[10] = {};
  for (int round = 0; round < 200; ++round) {
    Backoff backoff(*random);
    for (Duration& each : longest) each = std::max(each, backoff.after_failure());
  }
  Duration bound = Backoff::kFirst;
  for (const Duration each : longest) {
    EXPECT_LE(each, bound);
    EXPECT_GT(each, bound * 9 / 10);  // of 200 draws, one comes near
    bound = std::min(Backoff::kMost, 2 * bound);
  }
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  const auto random = seeded_random(1);
  Backoff backoff(*random);
  for (int i = 0; i < 100; ++i) backoff.after_failure();
  backoff.succeeded();
  EXPECT_LE(backoff.after_failure(), Backoff::kFirst);
}

class OutageTest : public testing::Test {
 protected:
  ManualClock clock_;
  RememberingLog log_;
  Outage outage_{"Redis", clock_, log_};
};

TEST_F(OutageTest, ALossThatHealsAtTheFirstTryIsOneLineThatSaysSo) {
  outage_.lost("closed by the server");
  outage_.lost("another connection, the same story");
  clock_.advance(3ms);
  outage_.over();
  ASSERT_EQ(log_.lines.size(), 1u);
  EXPECT_EQ(log_.lines[0].message, "lost the connection to Redis: closed by the server");
  EXPECT_EQ(log_.lines[0].recovered, "by connecting anew after 3 ms, 1 try");
  EXPECT_EQ(log_.lines[0].dependency, "Redis");
}

TEST_F(OutageTest, OneThatLastsIsAnErrorAtOnceAndAgainNowAndThen) {
  outage_.lost("closed by the server");
  for (int second = 0; second <= 60; ++second) {
    outage_.try_failed("connection refused");
    clock_.advance(1s);
  }
  ASSERT_EQ(log_.lines.size(), 3u);
  EXPECT_EQ(log_.lines[0].message, "Redis is away: connection refused");
  EXPECT_THAT(log_.lines[2].message, HasSubstr("still away after"));
  EXPECT_THAT(log_.lines[2].message, HasSubstr("61 tries"));
  EXPECT_EQ(log_.unrecovered(), 3u);
}

TEST_F(OutageTest, AndHasItsLineWhenItEnds) {
  outage_.try_failed("connection refused");
  clock_.advance(2s);
  outage_.over();
  EXPECT_EQ(log_.unrecovered(), 1u);
  ASSERT_EQ(log_.recovered(), 1u);
  EXPECT_THAT(log_.lines[1].recovered, HasSubstr("2 tries"));
}

TEST_F(OutageTest, WithoutALossThereIsNothingToTell) {
  outage_.over();
  EXPECT_TRUE(log_.lines.empty());
}

}  // namespace
}  // namespace daruma::service
