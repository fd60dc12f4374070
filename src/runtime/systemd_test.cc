#include <gtest/gtest.h>

#include "runtime/systemd_runtime.h"

namespace daruma::runtime {
namespace {

ServiceStatus status_of(const std::string& text) { return systemd_status(systemd_properties(text)); }

TEST(SystemdStatus, IsReadFromWhatShowPrints) {
  const auto status = status_of(
      "Type=simple\nMainPID=42\nNRestarts=3\nActiveState=active\nSubState=running\nResult=success\n"
      "StateChangeTimestamp=Sun 2026-11-22 12:00:01 UTC\n");
  EXPECT_EQ(status.state, State::kRunning);
  EXPECT_EQ(status.pids, std::vector<int>{42});
  EXPECT_EQ(status.restarts, 3u);
  EXPECT_EQ(to_rfc3339(*status.since), "2026-11-22T12:00:01Z");
  EXPECT_EQ(status.detail, "active (running)");
}

TEST(SystemdStatus, KnowsEveryState) {
  EXPECT_EQ(status_of("ActiveState=activating\nSubState=auto-restart\n").state, State::kStarting);
  EXPECT_EQ(status_of("ActiveState=reloading\n").state, State::kRunning);
  EXPECT_EQ(status_of("ActiveState=deactivating\n").state, State::kStopping);
  EXPECT_EQ(status_of("ActiveState=inactive\n").state, State::kStopped);
  EXPECT_EQ(status_of("ActiveState=maintenance\n").state, State::kUnknown);
  EXPECT_EQ(status_of("").state, State::kUnknown);
}

TEST(SystemdStatus, SaysWhyAUnitFailed) {
  const auto status = status_of("ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3\n");
  EXPECT_EQ(status.state, State::kFailed);
  EXPECT_EQ(status.detail, "failed (failed), exit-code 3");
}

TEST(SystemdStatus, OfAnotherZoneOrNoTimeThereIsNoMoment) {
  for (const char* time : {"", "Sun 2026-11-22 12:00:01 JST", "UTC", " UTC"})
    EXPECT_FALSE(status_of(std::string("StateChangeTimestamp=") + time + "\n").since) << time;
}

TEST(SystemdVariables, LoseTheirValuesHoweverTheyAreQuoted) {
  EXPECT_EQ(systemd_variable_names("A=1 B=2"), "A B");
  EXPECT_EQ(systemd_variable_names(R"("PASSWORD=se cret" B=2)"), "PASSWORD B");
  EXPECT_EQ(systemd_variable_names(R"("P=a \" C=x" B=y=z)"), "P B");
  EXPECT_EQ(systemd_variable_names(""), "");
}

}  // namespace
}  // namespace daruma::runtime
