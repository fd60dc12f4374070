// The cache for bad times, on a hand-driven clock: what is fresh, what is stale, what is gone, and who goes
// first.
#include "breaker/stale_cache.h"

#include <gtest/gtest.h>

#include <memory>

namespace daruma {
namespace {

class StaleCacheTest : public testing::Test {
 protected:
  StaleCache<std::string> cache{{.entries = 3, .fresh_for = 30s, .max_stale = 10min}};
  MonoInstant now{1h};

  void pass(Duration time) { now = now + time; }
  bool put(std::string_view key, std::string value) { return cache.put(key, std::move(value), now); }
  // "value fresh 0s", "value stale 31s", "absent"
  std::string find(std::string_view key) {
    const auto found = cache.find(key, now);
    if (!found) return "absent";
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(found->age).count();
    return *found->value + (found->fresh ? " fresh " : " stale ") + std::to_string(seconds) + "s";
  }
};

TEST_F(StaleCacheTest, AValueIsFreshThenStaleThenGone) {
  put("tokyo", "rooms");
  EXPECT_EQ(find("tokyo"), "rooms fresh 0s");
  pass(30s);
  EXPECT_EQ(find("tokyo"), "rooms fresh 30s");
  pass(1s);
  EXPECT_EQ(find("tokyo"), "rooms stale 31s");
  pass(10min - 31s);
  EXPECT_EQ(find("tokyo"), "rooms stale 600s");
  pass(1ns);
  EXPECT_EQ(find("tokyo"), "absent");
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(StaleCacheTest, UsingAValueDoesNotMakeItYounger) {
  put("tokyo", "rooms");
  for (int i = 0; i < 10; ++i) pass(5s), find("tokyo");
  EXPECT_EQ(find("tokyo"), "rooms stale 50s");
}

TEST_F(StaleCacheTest, ANewValueTakesTheOldOnesPlace) {
  put("tokyo", "old");
  pass(1min);
  EXPECT_TRUE(put("tokyo", "new"));
  EXPECT_EQ(find("tokyo"), "new fresh 0s");
  EXPECT_EQ(cache.size(), 1u);
}

TEST_F(StaleCacheTest, AnAnswerThatWasOvertakenDoesNotReplaceANewerOne) {
  put("tokyo", "new");
  EXPECT_FALSE(cache.put("tokyo", "late", {now.since_start - 1s}));
  EXPECT_EQ(find("tokyo"), "new fresh 0s");
}

TEST_F(StaleCacheTest, AValueFromAnotherCacheBringsItsAge) {
  cache.put("tokyo", "rooms", {now.since_start - 2min});
  EXPECT_EQ(find("tokyo"), "rooms stale 120s");
}

TEST_F(StaleCacheTest, AReadingOfTheClockFromBeforeTheValueWasMadeIsAgeZero) {
  cache.put("tokyo", "rooms", {now.since_start + 5s});
  EXPECT_EQ(find("tokyo"), "rooms fresh 0s");
}

TEST_F(StaleCacheTest, WhatWasNotUsedForLongestGoesFirst) {
  for (const char* city : {"tokyo", "osaka", "kyoto"}) put(city, "rooms");
  find("tokyo");
  put("nara", "rooms");
  EXPECT_EQ(find("osaka"), "absent");
  put("osaka", "rooms");
  EXPECT_EQ(find("kyoto"), "absent");
  EXPECT_EQ(find("tokyo"), "rooms fresh 0s");
  EXPECT_EQ(cache.size(), 3u);
}

TEST_F(StaleCacheTest, PuttingIsAUseToo) {
  for (const char* city : {"tokyo", "osaka", "kyoto", "tokyo", "nara"}) put(city, "rooms");
  EXPECT_EQ(find("osaka"), "absent");
  EXPECT_EQ(find("tokyo"), "rooms fresh 0s");
}

TEST_F(StaleCacheTest, ErasedAndClearedValuesAreAbsent) {
  put("tokyo", "rooms");
  put("osaka", "rooms");
  cache.erase("tokyo");
  cache.erase("nobody");
  EXPECT_EQ(find("tokyo"), "absent");
  EXPECT_EQ(find("osaka"), "rooms fresh 0s");
  cache.clear();
  EXPECT_EQ(find("osaka"), "absent");
  EXPECT_TRUE(put("tokyo", "rooms"));
}

TEST_F(StaleCacheTest, ValuesMayBeMoveOnly) {
  StaleCache<std::unique_ptr<int>> numbers({});
  numbers.put("one", std::make_unique<int>(1), now);
  EXPECT_EQ(**numbers.find("one", now)->value, 1);
}

}  // namespace
}  // namespace daruma
