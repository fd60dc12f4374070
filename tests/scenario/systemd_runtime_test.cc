// The runtime `systemd` on a real one: what every runtime must do, and what is systemd's own.

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fmt/format.h>

#include "os/environment.h"
#include "runtime/runtime_conformance.h"
#include "support/run_or_skip.h"
#include "support/systemd_container.h"

namespace daruma::runtime {
namespace {

using testing::HasSubstr;

// One systemd for all tests of this program.
class OneSystemd : public testing::Environment {
 public:
  void SetUp() override {
    engine_ = std::make_unique<DockerEngine>();
    systemd_ = std::make_unique<SystemdContainer>(*engine_);
  }
  void TearDown() override {
    systemd_.reset();
    engine_.reset();
  }
  static SystemdContainer& systemd() { return *systemd_; }

 private:
  static inline std::unique_ptr<DockerEngine> engine_;
  static inline std::unique_ptr<SystemdContainer> systemd_;
};
const auto* const kRegistered = testing::AddGlobalTestEnvironment(std::make_unique<OneSystemd>().release());

std::string doubled(std::string text) {
  for (size_t at = 0; (at = text.find('$', at)) != std::string::npos; at += 2) text.insert(at, 1, '$');
  return text;
}

// A unit of its own, not started.
class Unit : public Sample {
 public:
  Unit() : Unit(kSampleScript, "ExecReload=/bin/kill -HUP $MAINPID\nRestart=on-failure\nRestartSec=10ms\n") {}
  Unit(const std::string& script, const std::string& more)
      : Sample(Runtime::kSystemd, next_name()), name_(name()) {
    OneSystemd::systemd().install(
        name_, fmt::format("[Service]\nExecStart=/bin/sh -c \"{}\"\nEnvironment=\"{}={}\" A=b\n"
                           "MemoryAccounting=yes\nTasksAccounting=yes\nCPUAccounting=yes\n{}",
                           doubled(script), kSampleVariable.first, kSampleVariable.second, more));
  }
  ~Unit() override { OneSystemd::systemd().remove(name_); }

  static constexpr bool kReloads = true;
  static constexpr bool kReloadKeepsProcess = true;
  static constexpr bool kCountsCrashes = true;
  // In this container there is no tree of control groups that systemd could count in.
  static constexpr bool kCountsResources = false;
  static constexpr bool kScales = false;
  static constexpr const char* kUnit = "sample-";

  void crash() override {
    OneSystemd::systemd().run({"systemctl", "kill", "--kill-who=main", "--signal=KILL", name_});
  }

 private:
  const std::string name_;  // the unit's, whatever a test makes the service be called
};

INSTANTIATE_TYPED_TEST_SUITE_P(Systemd, RuntimeConformance, Unit);

class Systemd : public testing::Test {
 protected:
  Deadline soon() { return clock_->after(60s); }
  void eventually(const std::string& what, const std::function<bool()>& holds) {
    const Deadline deadline = soon();
    while (!holds()) {
      ASSERT_FALSE(deadline.passed(clock_->mono())) << what;
      clock_->pause(10ms);
    }
  }
  std::unique_ptr<Clock> clock_ = real_clock();
};

TEST_F(Systemd, AUnitThatIsMissingIsNotFoundByName) {
  Unit unit;
  unit.service().called = "auth-service";
  const Status started = unit.runtime().start(soon());
  ASSERT_TRUE(started.is(Errc::kNotFound));
  EXPECT_THAT(started.error().what, HasSubstr("'auth-service.service'"));
  EXPECT_TRUE(unit.runtime().status(soon()).is(Errc::kNotFound));
  EXPECT_TRUE(unit.runtime().stop(soon()).is(Errc::kNotFound));
}

TEST_F(Systemd, WhatFailsTooOftenHasFailedAndIsStartedOnPurposeAllTheSame) {
  Unit unit("exit 3", "Restart=on-failure\nRestartSec=1ms\n");
  static_cast<void>(unit.runtime().start(soon()));
  eventually("it is given up", [&] { return unit.runtime().status(soon())->state == State::kFailed; });
  EXPECT_THAT(unit.runtime().status(soon())->detail, HasSubstr("failed (failed)"));
  static_cast<void>(unit.runtime().start(soon()));
  eventually("it is given up", [&] { return unit.runtime().status(soon())->state == State::kFailed; });
}

TEST_F(Systemd, AProgramThatIsMissingFailsWithTheLastLines) {
  Unit unit("true", "Type=notify\nExecStartPre=/no/such/program\n");
  const Status started = unit.runtime().start(soon());
  ASSERT_TRUE(started.is(Errc::kFailed));
  EXPECT_THAT(started.error().what, HasSubstr("/no/such/program"));
}

TEST_F(Systemd, AUnitWithoutExecReloadIsNotReloaded) {
  Unit unit("exec sleep 1000", "");
  ASSERT_TRUE(unit.runtime().start(soon()).ok());
  EXPECT_TRUE(unit.runtime().reload(soon()).is(Errc::kRefused));
  EXPECT_EQ(unit.runtime().status(soon())->state, State::kRunning);
}

// As postgresql.service of Debian, which only pulls in the clusters' own units.
TEST_F(Systemd, AUnitThatOnlyStandsForOthersRunsWithoutAProcess) {
  Unit unit("true", "Type=oneshot\nRemainAfterExit=yes\n");
  ASSERT_TRUE(unit.runtime().start(soon()).ok());
  const auto status = unit.runtime().status(soon());
  EXPECT_EQ(status->state, State::kRunning);
  EXPECT_EQ(status->detail, "active (exited)");
  EXPECT_TRUE(status->pids.empty());
}

TEST_F(Systemd, AMachineWithoutItIsUnavailable) {
  Unit unit;
  const std::string before = environment_variable("PATH").value_or("");
  for (const char* path : {"/nowhere", "/usr/bin:/bin"}) {  // no systemctl; one that finds no systemd
    ::setenv("PATH", path, 1);
    EXPECT_TRUE(unit.runtime().status(soon()).is(Errc::kUnavailable)) << path;
  }
  ::setenv("PATH", before.c_str(), 1);
}

}  // namespace
}  // namespace daruma::runtime

int main(int argc, char** argv) {
  return daruma::run_or_skip(argc, argv, daruma::SystemdContainer::why_not());
}
