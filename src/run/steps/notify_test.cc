// notify and fail.
#include "run/steps/test_world.h"
#include "support/http_receiver.h"

namespace daruma::run {
namespace {

class NotifySteps : public StepTest {
 protected:
  NotifySteps() {
    clock = real.get();
    ChannelConfig channel;
    channel.name = "ops";
    channel.url = SecretReference{.file = "/hook"};
    config.channels.push_back(channel);
    EXPECT_TRUE(replace_file(sim, "/hook", as_bytes(receiver.url("/hook") + "\n")).ok());
  }
  Value::Map tell(Value title, Value::Map more = {}) {
    more.emplace("channels", Value(Value::List{"ops"}));
    more.emplace("title", std::move(title));
    return more;
  }
  Value body(size_t at) {
    const auto value = parse_json(receiver.requests().at(at).body);
    EXPECT_TRUE(value.ok());
    return value.ok() ? *value : Value();
  }
  HttpReceiver receiver;
};

TEST_F(NotifySteps, TellsInBothLanguages) {
  const Value title(Value::Map{{"ja", "復旧しました"}, {"en", "Recovered"}});
  const auto outputs = act("notify", tell(title, {{"outcome", "succeeded"}}));
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(to_json(*outputs), R"({"told":["ops"]})");
  const std::string sent = to_json(body(0));
  EXPECT_NE(sent.find("復旧しました"), std::string::npos) << sent;
  EXPECT_NE(sent.find("Recovered"), std::string::npos) << sent;
}

TEST_F(NotifySteps, WhatIsToldAgainAfterACrashHasTheSameKey) {
  ASSERT_EQ(why(act("notify", tell("again"))), "");
  ASSERT_EQ(why(act("notify", tell("again"))), "");
  EXPECT_EQ(receiver.requests().at(0).header("Idempotency-Key"),
            receiver.requests().at(1).header("Idempotency-Key"));
  EXPECT_NE(receiver.requests().at(0).header("Idempotency-Key"), "");
}

TEST_F(NotifySteps, AChannelThatDoesNotTakeItFailsTheStepWithoutItsAddress) {
  receiver.answer(500);
  const auto result = act("notify", tell("x"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(why(result).find("/hook"), std::string::npos) << why(result);
}

TEST_F(NotifySteps, MistakesTellNobody) {
  EXPECT_TRUE(act("notify", {{"channels", Value(Value::List{"opps"})}, {"title", "x"}}).is(Errc::kInvalid));
  EXPECT_TRUE(act("notify", tell("x", {{"outcome", "great"}})).is(Errc::kInvalid));
  EXPECT_EQ(why(preview("notify", tell("x"))), "");
  EXPECT_TRUE(receiver.requests().empty());
}

TEST_F(NotifySteps, FailFailsWithItsReason) {
  EXPECT_EQ(why(act("fail", {{"reason", "no dump is readable"}})), "no dump is readable");
}

}  // namespace
}  // namespace daruma::run
