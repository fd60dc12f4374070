// exec and wait_until, with real programs and a real clock.
#include "os/scratch_dir.h"
#include "run/steps/inputs.h"
#include "run/steps/test_world.h"
#include "support/free_port.h"
#include "support/http_receiver.h"

#include <fmt/format.h>

#include <atomic>

namespace daruma::run {
namespace {

Value argv(std::initializer_list<const char*> words) {
  return Value(Value::List(words.begin(), words.end()));
}

class ExecSteps : public StepTest {
 protected:
  ExecSteps() {
    clock = real.get();
    config.file = scratch.path() / "daruma.yaml";
  }
  Result<Value> run(std::initializer_list<const char*> words, Value::Map more = {}) {
    more.emplace("command", argv(words));
    more.emplace("capture", true);
    return act("exec", std::move(more));
  }
  ScratchDir scratch;
};

TEST_F(ExecSteps, RunsAProgramWithItsArgumentsAsTheyAre) {
  const auto outputs = run({"printf", "%s", "a b; $HOME"});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->text_at("output"), "a b; $HOME");
}

TEST_F(ExecSteps, AnotherExitCodeIsAFailure) {
  EXPECT_EQ(why(run({"sh", "-c", "exit 3"})), "sh ended with exit code 3 instead of 0");
  EXPECT_EQ(why(run({"sh", "-c", "exit 3"}, {{"exit", Value(Value::List{0, 3})}})), "");
}

TEST_F(ExecSteps, AMissingProgramIsNotFound) {
  EXPECT_TRUE(run({"no-such-program-here"}).is(Errc::kNotFound));
  EXPECT_TRUE(act("exec", {{"command", Value(Value::List{})}}).is(Errc::kInvalid));
}

TEST_F(ExecSteps, ASecretIsInTheEnvironmentOfTheProgramOnly) {
  secrets["PASSWORD"] = "s3cret";
  const Value environment(Value::Map{{"GIVEN", Value(Value::Map{{"env", "PASSWORD"}})}});
  const auto outputs = run({"sh", "-c", "echo $GIVEN"}, {{"environment", environment}});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->text_at("output"), "s3cret");
  const auto shown = preview("exec", {{"command", argv({"x", "a b"})}, {"environment", environment}});
  EXPECT_EQ(shown->by_hand.at(0), "GIVEN=\"${PASSWORD}\" x 'a b'");
}

TEST_F(ExecSteps, RunsInTheFolderOfTheConfiguration) {
  EXPECT_EQ(run({"pwd"})->text_at("output"), scratch.path().native());
}

TEST_F(ExecSteps, AProgramThatTakesTooLongIsEnded) {
  patience = 50ms;
  EXPECT_TRUE(run({"sleep", "60"}).is(Errc::kCancelled));
}

TEST_F(ExecSteps, AfterACrashTheCommandForItSaysWhetherItHappened) {
  const auto after = [&](Value::Map more) {
    more.emplace("command", argv({"true"}));
    return *reconcile("exec", std::move(more));
  };
  EXPECT_EQ(after({}), Happened::kUnknown);
  EXPECT_EQ(after({{"after_crash", "again"}}), Happened::kNo);
  EXPECT_EQ(after({{"happened", argv({"true"})}}), Happened::kYes);
  EXPECT_EQ(after({{"happened", argv({"false"})}}), Happened::kNo);
  EXPECT_EQ(after({{"happened", argv({"sh", "-c", "exit 2"})}}), Happened::kUnknown);
}

TEST_F(ExecSteps, APreviewRunsNothing) {
  ASSERT_EQ(why(preview("exec", {{"command", argv({"touch", "made"})}})), "");
  EXPECT_TRUE(scratch.fs().info(scratch.path() / "made").is(Errc::kNotFound));
}

class WaitSteps : public ExecSteps {};

TEST_F(WaitSteps, WaitsUntilAUrlAnswersWell) {
  HttpReceiver server;
  std::atomic<int> asked{0};
  server.answer_by([&](const HttpReceiver::Request&) {
    return HttpReceiver::Reply{++asked < 3 ? 503 : 200, "starting"};
  });
  const auto outputs = act("wait_until", {{"http", server.url("/health")}, {"pause", "1ms"}});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("looks"), 3);
  EXPECT_EQ(said.size(), 1U) << "the same cause is said once";
  EXPECT_NE(said.at(0).find("status 503"), std::string::npos);
}

TEST_F(WaitSteps, SaysWhatItWaitedForInVain) {
  patience = 100ms;
  const std::string address = fmt::format("127.0.0.1:{}", free_port());
  const auto result = act("wait_until", {{"tcp", address}, {"pause", "5ms"}});
  EXPECT_TRUE(result.is(Errc::kCancelled));
  EXPECT_NE(why(result).find("in vain for tcp " + address), std::string::npos) << why(result);
}

TEST_F(WaitSteps, AServiceIsWaitedForUntilItRunsAndIsWell) {
  HttpReceiver server;
  config.services[0].health = HealthConfig{.http = server.url("/health")};
  patience = 100ms;
  EXPECT_FALSE(act("wait_until", {{"service", "auth"}, {"pause", "5ms"}}).ok());
  services["auth"].run_as(1);
  patience = 30s;
  EXPECT_EQ(why(act("wait_until", {{"service", "auth"}})), "");
}

TEST_F(WaitSteps, AMistakeIsNotWaitedFor) {
  EXPECT_TRUE(act("wait_until", {}).is(Errc::kInvalid));
  EXPECT_TRUE(act("wait_until", {{"tcp", "x:1"}, {"http", "http://x"}}).is(Errc::kInvalid));
  EXPECT_TRUE(act("wait_until", {{"datastore", "none"}}).is(Errc::kInvalid));
}

}  // namespace
}  // namespace daruma::run
