// redis.* against a real Redis: what they say, what they delete, and that the copy they keep can be loaded.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "os/scratch_dir.h"
#include "probe/redis.h"
#include "run/steps/test_world.h"
#include "support/redis_server.h"

namespace daruma::run {
namespace {

class RedisSteps : public StepTest {
 protected:
  RedisSteps() {
    clock = real.get();
    fs = &scratch.fs();
    directory = scratch.path();
    redis.start();
    DatastoreConfig datastore;
    datastore.name = "sessions";
    datastore.kind = DatastoreKind::kRedis;
    datastore.connection.host = "127.0.0.1";
    datastore.connection.port = static_cast<uint16_t>(redis.port());
    datastore.connection.password = SecretReference{.environment = "REDIS_PASSWORD"};
    config.datastores.push_back(datastore);
    secrets["REDIS_PASSWORD"] = "s3cret";
  }
  Value ask(const std::vector<std::string>& command) {
    auto talk =
        probe::RedisTalk::connect(config.datastores[0].connection, "s3cret", *clock, clock->after(30s));
    EXPECT_TRUE(talk.ok()) << why(talk);
    auto answer = talk->ask(command, clock->after(30s));
    EXPECT_TRUE(answer.ok()) << why(answer);
    return answer.ok() ? *answer : Value();
  }
  int64_t keys() { return *ask({"DBSIZE"}).integer(); }
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      ask({"SET", fmt::format("refresh:{}", i), "token"});
      ask({"SET", fmt::format("profile:{}", i), std::string(100, 'x')});
    }
  }
  // What redis-check-rdb, Redis' own tool, says of a copy.
  std::string judged(const std::string& file) {
    const auto exit = processes->run({.argv = {"redis-check-rdb", file}}, real->after(30s));
    return exit.ok() ? exit->output : why(exit);
  }

  const Value::Map sessions{{"datastore", "sessions"}};
  ScratchDir scratch;
  RedisServer redis{"s3cret"};
};

TEST_F(RedisSteps, PingAndInfoSayHowItIs) {
  EXPECT_EQ(why(act("redis.ping", sessions)), "");
  fill(3);
  const auto outputs = act("redis.info", sessions);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("keys"), 6);
  EXPECT_EQ(outputs->text_at("role"), "master");
  EXPECT_GT(outputs->integer_at("memory_bytes"), 0);
  EXPECT_FALSE(act("redis.info", {{"datastore", "sessions"}, {"memory_most", "1KiB"}}).ok());
}

TEST_F(RedisSteps, AWrongPasswordIsRefusedAndNotShown) {
  secrets["REDIS_PASSWORD"] = "other-s3cret";
  const auto result = act("redis.ping", sessions);
  EXPECT_TRUE(result.is(Errc::kRefused)) << why(result);
  EXPECT_EQ(why(result).find("other-s3cret"), std::string::npos);
}

TEST_F(RedisSteps, OneThatIsDownIsUnavailableAndOneThatHangsIsNotWaitedFor) {
  redis.freeze();
  patience = 100ms;
  EXPECT_TRUE(act("redis.ping", sessions).is(Errc::kCancelled));
  redis.thaw();
  redis.kill9();
  EXPECT_TRUE(act("redis.ping", sessions).is(Errc::kUnavailable));
}

TEST_F(RedisSteps, AFlushKeepsACopyThatRedisItselfCanLoad) {
  fill(200);
  const auto outputs = act("redis.flush", sessions);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(keys(), 0);
  EXPECT_EQ(outputs->integer_at("keys"), 400);
  const std::string file = outputs->text_at("snapshot");
  EXPECT_EQ(scratch.fs().info(file)->size, static_cast<uint64_t>(outputs->integer_at("bytes")));
  EXPECT_NE(judged(file).find("400 keys read"), std::string::npos) << judged(file);
}

TEST_F(RedisSteps, WithoutACopyNothingIsFlushed) {
  fill(3);
  directory = scratch.path() / "no-such-folder";
  EXPECT_FALSE(act("redis.flush", sessions).ok());
  EXPECT_EQ(keys(), 6);
}

TEST_F(RedisSteps, DropsTheKeysThatMatchAndNoOthers) {
  fill(1000);
  const auto outputs =
      act("redis.drop", {{"datastore", "sessions"}, {"patterns", Value(Value::List{"refresh:*"})}});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("deleted"), 1000);
  EXPECT_EQ(keys(), 1000);
  EXPECT_NE(judged(outputs->text_at("snapshot")).find("2000 keys read"), std::string::npos);
}

TEST_F(RedisSteps, EveryKeyIsNoPattern) {
  fill(1);
  EXPECT_TRUE(act("redis.drop", {{"datastore", "sessions"}, {"patterns", Value(Value::List{"*"})}})
                  .is(Errc::kInvalid));
  EXPECT_EQ(keys(), 2);
}

TEST_F(RedisSteps, PreviewsDeleteNothingAndShowNoPassword) {
  fill(5);
  const auto flush = preview("redis.flush", sessions);
  ASSERT_EQ(why(flush), "");
  EXPECT_EQ(flush->would.at(1), "delete all 10 keys of sessions");
  const auto drop =
      preview("redis.drop", {{"datastore", "sessions"}, {"patterns", Value(Value::List{"refresh:*"})}});
  ASSERT_EQ(why(drop), "");
  EXPECT_EQ(drop->would.at(1), "delete about 5 keys like refresh:*");
  EXPECT_EQ(
      flush->by_hand.at(1),
      fmt::format("REDISCLI_AUTH=\"$REDIS_PASSWORD\" redis-cli -h 127.0.0.1 -p {} FLUSHALL", redis.port()));
  EXPECT_EQ(keys(), 10);
  EXPECT_EQ(scratch.fs().list_dir(scratch.path())->size(), 0U);
}

TEST_F(RedisSteps, TheLineToTypeInsteadOfADropDropsTheSameKeys) {
  fill(5);
  const auto drop =
      preview("redis.drop", {{"datastore", "sessions"}, {"patterns", Value(Value::List{"refresh:*"})}});
  ASSERT_EQ(why(drop), "");
  const auto typed = processes->run(
      {.argv = {"sh", "-c", drop->by_hand.at(1)}, .environment = {{"REDIS_PASSWORD", "s3cret"}}},
      real->after(30s));
  ASSERT_EQ(why(typed), "");
  EXPECT_EQ(typed->code, 0) << typed->output;
  EXPECT_EQ(keys(), 5);
}

// The runtime of the service that runs this Redis.
class RestartsRedis final : public runtime::ServiceRuntime {
 public:
  explicit RestartsRedis(RedisServer& redis) : redis_(redis) {}
  Result<runtime::ServiceStatus> status(Deadline) override { return runtime::ServiceStatus{}; }
  Status start(Deadline) override { return {}; }
  Status stop(Deadline) override { return {}; }
  Status restart(Deadline) override {
    redis_.kill9();
    redis_.start();
    return {};
  }
  Status reload(Deadline) override { return {}; }
  Status recreate(Deadline) override { return {}; }
  Status scale(uint32_t, Deadline) override { return {}; }
  Result<std::string> logs(uint32_t, Deadline) override { return std::string(); }
  Result<runtime::Resources> resources(Deadline) override { return runtime::Resources{}; }
  Result<std::string> inspect(Deadline) override { return std::string(); }
  std::vector<std::string> by_hand(std::string_view act) const override { return {std::string(act)}; }

 private:
  RedisServer& redis_;
};

TEST_F(RedisSteps, ARestartIsKnownByTheServersNewLife) {
  EXPECT_TRUE(act("redis.restart", sessions).is(Errc::kInvalid)) << "no service runs it";
  config.datastores[0].service = "auth";
  runtime_of = [this](const ServiceConfig&) { return std::make_unique<RestartsRedis>(redis); };
  StepContext made = context(type("redis.restart"), sessions);
  recorded = *type("redis.restart").prepare(made);
  EXPECT_EQ(*reconcile("redis.restart", sessions), Happened::kNo);
  EXPECT_EQ(why(type("redis.restart").act(made)), "");
  EXPECT_EQ(*reconcile("redis.restart", sessions), Happened::kYes);
}

TEST_F(RedisSteps, WaitUntilAnswersOnceRedisDoes) { EXPECT_EQ(why(act("wait_until", sessions)), ""); }

}  // namespace
}  // namespace daruma::run
