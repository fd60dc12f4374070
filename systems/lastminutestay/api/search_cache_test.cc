// Goal: an answer is never given for younger than it is; without Redis the near ones go on; FLUSHALL is felt.
// Method: a Redis in a map and clocks moved by hand; two caches over one Redis are two workers.
#include "lastminutestay/api/search_cache.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <map>

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;
using daruma::Deadline;
using daruma::Duration;
using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::service::RedisReply;
using daruma::service::Task;

// GET and SET; away when told so.
class MapRedis final : public daruma::service::Redis {
 public:
  Task<Result<RedisReply>> command(std::vector<std::string> arguments, Deadline) override {
    ++asked;
    if (away) co_return Error{Errc::kUnavailable, "away"};
    if (arguments[0] == "SET") {
      values[arguments[1]] = arguments[2];
      co_return RedisReply{};
    }
    const auto found = values.find(arguments[1]);
    if (found == values.end()) co_return RedisReply{};
    co_return RedisReply{.kind = RedisReply::Kind::kText, .text = found->second, .number = 0, .list = {}};
  }
  bool connected() const override { return !away; }
  Task<void> close() override { co_return; }

  std::map<std::string, std::string> values;
  bool away = false;
  int asked = 0;
};

// Its civil clock can be moved without the other.
class TwoClocks final : public daruma::Clock {
 public:
  daruma::Instant now() const override { return civil; }
  daruma::MonoInstant mono() const override { return {elapsed}; }
  bool pause(Duration duration, std::stop_token) override {
    pass(duration);
    return true;
  }
  void pass(Duration duration) {
    elapsed += duration;
    civil = civil + duration;
  }
  void jump(Duration duration) { civil = civil + duration; }

  daruma::Instant civil{1'700'000'000'000'000};
  Duration elapsed = 10h;
};

class SearchCacheTest : public testing::Test {
 protected:
  static SearchCacheSettings settings() {
    return {.fresh_for = 30s, .near_for = 1s, .stale_for = 1h, .near_entries = 10, .redis_time_max = 1s};
  }
  static Body body(const std::string& name) {
    return std::make_shared<const std::string>(R"({"degraded":false,"name":")" + name + "\"}");
  }
  std::optional<Cached> find(SearchCache& cache, const std::string& key = "key") {
    std::optional<Cached> found;
    boost::asio::co_spawn(
        io_, [&]() -> Task<void> { found = co_await cache.find(key); }, boost::asio::detached);
    io_.restart();
    io_.run();
    return found;
  }
  void put(SearchCache& cache, const Body& value) {
    boost::asio::co_spawn(io_, cache.put("key", value), boost::asio::detached);
    io_.restart();
    io_.run();
  }

  boost::asio::io_context io_{1};
  TwoClocks clock_;
  MapRedis redis_;
  SearchCache one_{settings(), redis_, clock_};
  SearchCache other_{settings(), redis_, clock_};
};

TEST_F(SearchCacheTest, AnAnswerIsNearForAMomentThenRedisIsAsked) {
  put(one_, body("first"));
  EXPECT_EQ(one_.near("key")->age, 0s);
  clock_.pass(2s);
  EXPECT_FALSE(one_.near("key"));
  const auto found = find(one_);
  EXPECT_TRUE(found->fresh);
  EXPECT_EQ(found->age, 2s);
  EXPECT_EQ(one_.near("key")->age, 2s) << "confirmed for another moment";
}

TEST_F(SearchCacheTest, AnotherWorkerFindsItInRedisWithItsAge) {
  put(one_, body("first"));
  clock_.pass(10s);
  const auto found = find(other_);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found->body, *body("first"));
  EXPECT_EQ(found->age, 10s);
  EXPECT_EQ(other_.near("key")->age, 10s);
  clock_.pass(25s);
  EXPECT_FALSE(other_.near("key")) << "near does not make it younger";
  EXPECT_FALSE(find(other_)->fresh);
}

TEST_F(SearchCacheTest, AStaleOneIsAFallbackUntilItIsTooOldForThat) {
  put(one_, body("first"));
  clock_.pass(59min);
  EXPECT_FALSE(find(one_)->fresh);
  EXPECT_EQ(find(one_)->age, 59min);
  clock_.pass(2min);
  EXPECT_FALSE(find(one_));
  EXPECT_FALSE(find(other_));
}

TEST_F(SearchCacheTest, WithoutRedisTheNearOnesGoOn) {
  put(one_, body("first"));
  redis_.away = true;
  const int asked = redis_.asked;
  clock_.pass(10s);
  EXPECT_TRUE(find(one_)->fresh);
  EXPECT_FALSE(find(other_));
  put(one_, body("second"));
  EXPECT_EQ(*find(one_)->body, *body("second"));
  EXPECT_EQ(redis_.asked, asked) << "who is away is not waited for";
}

TEST_F(SearchCacheTest, FlushallIsFeltAfterAMomentAndLeavesAFallback) {
  put(one_, body("first"));
  redis_.values.clear();
  EXPECT_TRUE(one_.near("key"));
  clock_.pass(2s);
  EXPECT_FALSE(one_.near("key"));
  const auto found = find(one_);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->fresh);
}

TEST_F(SearchCacheTest, AnAnswerFromTheFutureIsNotFresh) {
  put(one_, body("first"));
  clock_.jump(-2h);
  EXPECT_FALSE(find(other_)->fresh) << "nobody here knows how old it is";
  EXPECT_TRUE(find(one_)->fresh) << "who made it knows by another clock";
  clock_.jump(4h);
  EXPECT_TRUE(find(one_)->fresh);
}

TEST_F(SearchCacheTest, WhatRedisHoldsIsLookedAt) {
  for (const char* text : {"", "x", "17", "17 ", "17 {}", "17 <html>", "{\"degraded\":false,}"}) {
    redis_.values["lastminutestay:search:1:key"] = text;
    EXPECT_FALSE(find(one_)) << text;
  }
}

TEST_F(SearchCacheTest, ADegradedAnswerIsGivenAgainForAMoment) {
  one_.put_degraded("key", {body("stale"), 40s});
  EXPECT_EQ(one_.near_degraded("key")->age, 40s);
  clock_.pass(1100ms);
  EXPECT_FALSE(one_.near_degraded("key"));
}

}  // namespace
}  // namespace lastminutestay
