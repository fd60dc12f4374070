// How often somebody may try.
#include "service/rate_limit.h"

#include <gtest/gtest.h>

#include "os/clock.h"

namespace daruma::service {
namespace {

class RateLimitTest : public testing::Test {
 protected:
  bool passes(std::string_view key) { return !limit_.take(key, clock_.mono()); }
  int how_many_pass(std::string_view key) {
    int count = 0;
    while (passes(key)) ++count;
    return count;
  }

  ManualClock clock_;
  RateLimit limit_{5, 10s, 100};
};

TEST_F(RateLimitTest, SoManyPassAtOnceAndNoMore) {
  EXPECT_EQ(how_many_pass("alice"), 5);
  EXPECT_FALSE(passes("alice"));
}

TEST_F(RateLimitTest, EveryKeyHasItsOwn) {
  how_many_pass("alice");
  EXPECT_EQ(how_many_pass("bob"), 5);
}

TEST_F(RateLimitTest, OneComesBackEverySoOften) {
  how_many_pass("alice");
  clock_.advance(10s - 1ns);
  EXPECT_FALSE(passes("alice"));
  clock_.advance(1ns);
  EXPECT_EQ(how_many_pass("alice"), 1);
  clock_.advance(25s);
  EXPECT_EQ(how_many_pass("alice"), 2);
}

TEST_F(RateLimitTest, ALongRestFillsTheBucketAndNoMore) {
  how_many_pass("alice");
  clock_.advance(24h);
  EXPECT_EQ(how_many_pass("alice"), 5);
}

TEST_F(RateLimitTest, WhoIsRefusedIsToldHowLongToWait) {
  how_many_pass("alice");
  clock_.advance(4s);
  EXPECT_EQ(limit_.take("alice", clock_.mono()), 6s);
  clock_.advance(6s);
  EXPECT_TRUE(passes("alice"));
}

TEST_F(RateLimitTest, WhatIsRefusedCostsNothing) {
  how_many_pass("alice");
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(passes("alice"));
  clock_.advance(10s);
  EXPECT_TRUE(passes("alice"));
}

TEST_F(RateLimitTest, AForgottenKeyStartsAnew) {
  how_many_pass("alice");
  limit_.forget("alice");
  limit_.forget("nobody");
  EXPECT_EQ(limit_.keys(), 0u);
  EXPECT_EQ(how_many_pass("alice"), 5);
}

TEST_F(RateLimitTest, OnlySoManyKeysAreKeptTheLastUsedOnes) {
  how_many_pass("alice");
  how_many_pass("bob");
  for (int i = 0; i < 99; ++i) {
    passes(std::to_string(i));
    passes("bob");
  }
  EXPECT_EQ(limit_.keys(), 100u);
  EXPECT_FALSE(passes("bob"));
  EXPECT_TRUE(passes("alice"));
}

TEST_F(RateLimitTest, AKeyOfAnyLengthIsFine) {
  const std::string key(1 << 20, 'x');
  EXPECT_EQ(how_many_pass(key), 5);
  EXPECT_FALSE(passes(key));
  EXPECT_TRUE(passes(""));
}

TEST_F(RateLimitTest, OfABurstOfOneTheNextMustWait) {
  RateLimit strict(1, 1s, 1);
  EXPECT_FALSE(strict.take("a", clock_.mono()));
  EXPECT_EQ(strict.take("a", clock_.mono()), 1s);
}

}  // namespace
}  // namespace daruma::service
