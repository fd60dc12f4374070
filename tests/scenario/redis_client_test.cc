// What a worker gets from its connection to Redis, told on a real server: answers in order, and when the
// server hangs, dies or is not there, an error at once and a new connection by itself.
#include <gmock/gmock.h>

#include "service/redis.h"
#include "support/redis_server.h"
#include "support/service_world.h"

namespace daruma::service {
namespace {

using testing::HasSubstr;
using testing::Not;

class RedisClient : public testing::Test {
 protected:
  // A busy machine is no silent Redis.
  static RedisSettings patient() {
    RedisSettings settings;
    settings.connect_time_max = settings.silence_max = 10min;
    return settings;
  }
  void connect(RedisSettings settings = patient()) {
    begin_to_connect(std::move(settings));
    ASSERT_TRUE(world_.until([&] { return redis_->connected(); }));
  }
  void begin_to_connect(RedisSettings settings = patient()) {
    settings.port = server_.port();
    redis_ = Redis::create(world_.io, std::move(settings), *world_.clock, *world_.random, world_.log,
                           world_.metrics);
  }
  Result<RedisReply> ask(std::vector<std::string> arguments) {
    return world_.run(redis_->command(std::move(arguments), world_.soon()));
  }
  auto begin(std::vector<std::string> arguments, Deadline deadline) {
    return world_.begin(redis_->command(std::move(arguments), deadline));
  }
  auto begin(std::vector<std::string> arguments) { return begin(std::move(arguments), world_.soon()); }
  std::string info(const std::string& name) {
    const std::string text = ask({"INFO", "stats"})->text;
    const size_t at = text.find(name + ":") + name.size() + 1;
    return text.substr(at, text.find('\r', at) - at);
  }
  std::string count(const std::string& outcome) {
    return world_.metric("redis_commands_total{outcome=\"" + outcome + "\"}");
  }

  RedisServer server_;
  ServiceWorld world_;
  std::unique_ptr<Redis> redis_;
};

TEST_F(RedisClient, GivesEveryKindOfReplyAsWhatItIs) {
  server_.start();
  connect();
  EXPECT_EQ(ask({"SET", "room", "東京 101"})->text, "OK");
  EXPECT_EQ(ask({"GET", "room"})->text, "東京 101");
  EXPECT_EQ(ask({"GET", "nothing"})->kind, RedisReply::Kind::kNil);
  EXPECT_EQ(ask({"INCRBY", "count", "-7"})->number, -7);
  ASSERT_TRUE(ask({"RPUSH", "list", "a", "b"}).ok());
  const auto list = ask({"LRANGE", "list", "0", "-1"});
  ASSERT_EQ(list->list.size(), 2u);
  EXPECT_EQ(list->list[1].text, "b");
  EXPECT_EQ(count("ok"), "6");
}

TEST_F(RedisClient, KeepsBytesThatAreNoText) {
  server_.start();
  connect();
  const std::string bytes("a\0b\r\n$5\r\n", 9);
  ASSERT_TRUE(ask({"SET", "bytes", bytes}).ok());
  EXPECT_EQ(ask({"GET", "bytes"})->text, bytes);
}

TEST_F(RedisClient, MovesValuesThatDoNotFitIntoOneWrite) {
  server_.start();
  connect();
  const std::string large(20 << 20, 'x');
  ASSERT_TRUE(ask({"SET", "large", large}).ok());
  EXPECT_EQ(ask({"GET", "large"})->text.size(), large.size());
}

TEST_F(RedisClient, WhatRedisRefusesIsAnErrorOfThatCommandAlone) {
  server_.start();
  connect();
  ASSERT_TRUE(ask({"SET", "text", "x"}).ok());
  const auto refused = begin({"INCR", "text"});
  const auto other = begin({"GET", "text"});
  ASSERT_TRUE(world_.until([&] { return other->has_value(); }));
  EXPECT_TRUE((*refused)->is(Errc::kFailed));
  EXPECT_THAT((*refused)->error().what, HasSubstr("not an integer"));
  EXPECT_EQ((**other)->text, "x");
  EXPECT_EQ(count("refused"), "1");
}

TEST_F(RedisClient, CommandsOfOneTurnOfTheLoopLeaveInOneWrite) {
  server_.start();
  connect();
  const int before = std::stoi(info("total_reads_processed"));
  std::shared_ptr<std::optional<Result<RedisReply>>> last;
  for (int i = 0; i < 100; ++i) last = begin({"INCR", "count"});
  ASSERT_TRUE(world_.until([&] { return last->has_value(); }));
  EXPECT_EQ((**last)->number, 100);
  EXPECT_EQ(std::stoi(info("total_reads_processed")) - before, 2);  // INFO itself, and all the others
}

TEST_F(RedisClient, ACommandWhoseDeadlinePassesFailsAlone) {
  server_.start();
  connect({.silence_max = 10min});
  server_.freeze();
  const auto late = begin({"INCR", "count"}, world_.clock->after(5ms));
  const auto patient = begin({"INCR", "count"});
  ASSERT_TRUE(world_.until([&] { return late->has_value(); }));
  EXPECT_TRUE((*late)->is(Errc::kUnavailable));
  EXPECT_THAT((*late)->error().what, HasSubstr("no answer before the deadline"));
  const auto late_too = begin({"INCR", "count"}, world_.clock->after(5ms));
  ASSERT_TRUE(world_.until([&] { return late_too->has_value(); }));
  EXPECT_FALSE(patient->has_value());
  server_.thaw();
  ASSERT_TRUE(world_.until([&] { return patient->has_value(); }));
  EXPECT_EQ((**patient)->number, 2);  // the late one happened too, and its answer went to nobody else
  EXPECT_EQ(ask({"GET", "count"})->text, "3");
  EXPECT_EQ(count("late"), "2");
  EXPECT_THAT(world_.log.lines, testing::IsEmpty());
}

TEST_F(RedisClient, AConnectionThatStaysSilentIsGivenUpAndMadeAnew) {
  server_.start();
  connect({.silence_max = 20ms});
  server_.freeze();
  const auto waiting = begin({"GET", "room"});
  ASSERT_TRUE(world_.until([&] { return waiting->has_value(); }));
  EXPECT_THAT((*waiting)->error().what, HasSubstr("no answer for 20 ms"));
  EXPECT_FALSE(redis_->connected());
  server_.thaw();
  ASSERT_TRUE(world_.until([&] { return redis_->connected(); }));
  EXPECT_TRUE(ask({"PING"}).ok());
  EXPECT_EQ(world_.log.recovered(), 1u);
}

TEST_F(RedisClient, WhenTheServerDiesAllThatWaitFailAtOnceAndItComesBackByItself) {
  server_.start();
  connect();
  server_.freeze();
  std::vector<std::shared_ptr<std::optional<Result<RedisReply>>>> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(begin({"INCR", "count"}));
  server_.kill9();
  ASSERT_TRUE(world_.until([&] { return waiting.back()->has_value(); }));
  for (const auto& one : waiting) EXPECT_TRUE((*one)->is(Errc::kUnavailable));
  EXPECT_FALSE(redis_->connected());
  EXPECT_EQ(world_.metric("redis_connected"), "0");

  EXPECT_THAT(ask({"GET", "room"}).error().what, HasSubstr("not connected"));
  ASSERT_TRUE(world_.until([&] { return world_.log.unrecovered() == 1; }));
  EXPECT_THAT(world_.log.lines[0].message, HasSubstr("Redis is away"));

  server_.start();
  ASSERT_TRUE(world_.until([&] { return redis_->connected(); }));
  EXPECT_TRUE(ask({"PING"}).ok());
  ASSERT_EQ(world_.log.recovered(), 1u);
  EXPECT_THAT(world_.log.lines.back().recovered, HasSubstr("by connecting anew"));
  EXPECT_EQ(world_.metric("redis_connected"), "1");
}

TEST_F(RedisClient, AServerThatIsNotThereFromTheBeginningIsFoundWhenItComes) {
  begin_to_connect();
  EXPECT_TRUE(ask({"PING"}).is(Errc::kUnavailable));
  ASSERT_TRUE(world_.until([&] { return world_.log.unrecovered() == 1; }));
  server_.start();
  ASSERT_TRUE(world_.until([&] { return redis_->connected(); }));
  EXPECT_EQ(world_.log.recovered(), 1u);
}

TEST_F(RedisClient, MoreCommandsThanAllowedAreShed) {
  server_.start();
  connect({.outstanding_max = 2, .silence_max = 10min});
  server_.freeze();
  const auto first = begin({"PING"});
  const auto second = begin({"PING"});
  EXPECT_THAT(ask({"PING"}).error().what, HasSubstr("too many commands"));
  EXPECT_EQ(count("shed"), "1");
  server_.thaw();
  ASSERT_TRUE(world_.until([&] { return second->has_value(); }));
  EXPECT_TRUE(ask({"PING"}).ok());
}

TEST_F(RedisClient, CloseWaitsForTheAnswersAndThenTakesNoMore) {
  server_.start();
  connect({.silence_max = 10min});
  server_.freeze();
  const auto before = begin({"INCR", "count"});
  world_.io.run_for(std::chrono::milliseconds(1));
  bool closed = false;
  boost::asio::co_spawn(world_.io, redis_->close(), [&](const std::exception_ptr&) { closed = true; });
  EXPECT_TRUE(ask({"PING"}).is(Errc::kUnavailable));
  EXPECT_FALSE(closed);
  server_.thaw();
  ASSERT_TRUE(world_.until([&] { return closed; }));
  EXPECT_EQ((**before)->number, 1);
}

TEST_F(RedisClient, MayEndWhileCommandsWait) {
  server_.start();
  connect({.silence_max = 10min});
  server_.freeze();
  const auto waiting = begin({"PING"});
  world_.io.run_for(std::chrono::milliseconds(1));
  redis_.reset();
  world_.io.run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(waiting->has_value());
}

TEST(RedisClientWithPassword, IsLetInWithTheRightOne) {
  RedisServer server("horse battery");
  server.start();
  ServiceWorld world;
  const auto redis = Redis::create(world.io, {.port = server.port(), .password = "horse battery"},
                                   *world.clock, *world.random, world.log, world.metrics);
  ASSERT_TRUE(world.until([&] { return redis->connected(); }));
  EXPECT_EQ(world.run(redis->command({"ECHO", "hello"}, world.soon()))->text, "hello");
}

TEST(RedisClientWithPassword, StaysOutWithAWrongOneAndSaysSoWithoutNamingIt) {
  RedisServer server("horse battery");
  server.start();
  ServiceWorld world;
  const auto redis = Redis::create(world.io, {.port = server.port(), .password = "staple"}, *world.clock,
                                   *world.random, world.log, world.metrics);
  ASSERT_TRUE(world.until([&] { return !world.log.lines.empty(); }));
  EXPECT_FALSE(redis->connected());
  EXPECT_THAT(world.log.lines[0].message, HasSubstr("WRONGPASS"));
  EXPECT_THAT(world.log.lines[0].message, Not(HasSubstr("staple")));
}

}  // namespace
}  // namespace daruma::service
