#include "run/steps/test_world.h"

namespace daruma::run {
namespace {

using runtime::State;
using Words = std::vector<std::string>;

class ServiceSteps : public StepTest {
 protected:
  const Value::Map auth{{"service", "auth"}};
  const Value::Map both{{"services", Value(Value::List{"auth", "user"})}};
};

TEST_F(ServiceSteps, StartsSeveralInTheOrderGiven) {
  ASSERT_EQ(why(act("service.start", both)), "");
  EXPECT_EQ(acts, (Words{"start auth", "start user"}));
}

TEST_F(ServiceSteps, AStopThatDoesNotStopIsAFailure) {
  services["auth"].run_as(1);
  services["auth"].stuck = "stop";
  EXPECT_NE(why(act("service.stop", both)).find("after stop auth is running"), std::string::npos);
  EXPECT_EQ(acts, (Words{"stop auth"})) << "nothing after it is touched";
}

TEST_F(ServiceSteps, AnUnknownServiceIsNamedWithThoseThereAre) {
  const auto result = act("service.start", {{"service", "auht"}});
  EXPECT_EQ(why(result), "input 'service': no service is called 'auht'");
  EXPECT_EQ(result.error().hint, "there are: auth, user");
}

TEST_F(ServiceSteps, AStepWithoutAServiceIsAMistake) {
  EXPECT_TRUE(act("service.restart", {}).is(Errc::kInvalid));
}

TEST_F(ServiceSteps, UndoingAStopStartsWhatRanTheLastFirst) {
  services["auth"].run_as(1);
  services["user"].run_as(1);
  ASSERT_EQ(why(act("service.stop", both)), "");
  acts.clear();
  ASSERT_EQ(why(undo("service.stop", both)), "");
  EXPECT_EQ(acts, (Words{"start user", "start auth"}));
}

TEST_F(ServiceSteps, UndoingAStopLeavesDownWhatWasDown) {
  services["auth"].run_as(1);
  ASSERT_EQ(why(act("service.stop", both)), "");
  ASSERT_EQ(why(undo("service.stop", both)), "");
  EXPECT_EQ(services["auth"].state, State::kRunning);
  EXPECT_EQ(services["user"].state, State::kStopped);
}

TEST_F(ServiceSteps, UndoingAStartStopsOnlyWhatItStarted) {
  services["user"].run_as(1);
  ASSERT_EQ(why(act("service.start", both)), "");
  ASSERT_EQ(why(undo("service.start", both)), "");
  EXPECT_EQ(services["auth"].state, State::kStopped);
  EXPECT_EQ(services["user"].state, State::kRunning);
}

TEST_F(ServiceSteps, AnUndoThatDidNotWorkSaysSo) {
  services["auth"].run_as(1);
  ASSERT_EQ(why(act("service.stop", auth)), "");
  services["auth"].stuck = "start";
  EXPECT_NE(why(undo("service.stop", auth)).find("after start auth is stopped"), std::string::npos);
}

TEST_F(ServiceSteps, ARestartIsKnownByItsNewProcess) {
  services["auth"].run_as(1);
  ASSERT_EQ(why(act("service.restart", auth)), "");
  EXPECT_EQ(*reconcile("service.restart", auth), Happened::kYes);
}

TEST_F(ServiceSteps, ARestartThatNeverBeganDidNotHappen) {
  services["auth"].run_as(1);
  services["auth"].stuck = "restart";
  static_cast<void>(act("service.restart", auth));
  EXPECT_EQ(*reconcile("service.restart", auth), Happened::kNo);
}

TEST_F(ServiceSteps, ARestartThatLeftTheServiceDownIsDoneAgain) {
  services["auth"].run_as(1);
  ASSERT_EQ(why(act("service.restart", auth)), "");
  services["auth"].state = State::kStopped;
  EXPECT_EQ(*reconcile("service.restart", auth), Happened::kNo);
}

TEST_F(ServiceSteps, ARestartOfSeveralHappenedWhenAllAreNew) {
  services["auth"].run_as(1);
  services["user"].run_as(1);
  services["user"].stuck = "restart";
  static_cast<void>(act("service.restart", both));
  EXPECT_EQ(*reconcile("service.restart", both), Happened::kNo);
}

TEST_F(ServiceSteps, WhatWasNotRecordedIsUnknown) {
  EXPECT_EQ(*reconcile("service.restart", auth), Happened::kUnknown);
}

TEST_F(ServiceSteps, ScalesAndScalesBack) {
  services["auth"].run_as(2);
  const Value::Map three{{"service", "auth"}, {"instances", 3}};
  const auto outputs = act("service.scale", three);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(to_json(*outputs), R"({"before":2,"instances":3})");
  ASSERT_EQ(why(undo("service.scale", three)), "");
  EXPECT_EQ(services["auth"].pids.size(), 2U);
}

TEST_F(ServiceSteps, StatusFailsWhenItIsNotAsExpected) {
  services["auth"].run_as(1);
  ASSERT_EQ(why(act("service.status", both)), "");
  EXPECT_EQ(why(act("service.status", {{"service", "auth"}, {"expect", "running"}})), "");
  EXPECT_EQ(why(act("service.status", {{"service", "user"}, {"expect", "running"}})),
            "user is not running: stopped");
  EXPECT_EQ(why(act("service.status", {{"service", "user"}, {"expect", "stopped"}})), "");
  EXPECT_TRUE(act("service.status", {{"service", "user"}, {"expect", "up"}}).is(Errc::kInvalid));
}

TEST_F(ServiceSteps, PreviewsChangeNothingAndNameWhatWouldBeDone) {
  services["auth"].run_as(1);
  for (const StepType& step : step_types()) {
    if (!step.name.starts_with("service.")) continue;
    const auto shown = preview(step.name, {{"service", "auth"}, {"instances", 2}});
    ASSERT_TRUE(shown.ok()) << step.name << ": " << why(shown);
    EXPECT_FALSE(shown->would.empty()) << step.name;
    EXPECT_FALSE(shown->by_hand.empty()) << step.name;
  }
  EXPECT_TRUE(acts.empty());
  EXPECT_NE(preview("service.stop", auth)->would[0].find("stop auth (process, running, pid "),
            std::string::npos);
}

TEST_F(ServiceSteps, APreviewOfAServiceThatCannotBeAskedSaysSo) {
  services["auth"].stuck = "status";
  EXPECT_EQ(preview("service.stop", auth)->would[0], "stop auth (process, no answer)");
}

TEST_F(ServiceSteps, ReadsHowMuchOfAProcessorItUses) {
  const auto outputs = act("service.resources", auth);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("memory_bytes"), 100 << 20);
  EXPECT_EQ(outputs->find("cpu_percent")->floating() ? *outputs->find("cpu_percent")->floating() : -1, 50.0);
  EXPECT_EQ(why(act("service.resources", {{"service", "auth"}, {"memory_most", "64MiB"}})),
            "auth uses 100 MiB of memory, more than 64 MiB");
  EXPECT_EQ(why(act("service.resources", {{"service", "auth"}, {"cpu_most", 40}})),
            "auth uses 50 % of a processor, more than 40 %");
}

}  // namespace
}  // namespace daruma::run
