// runtime/runtime_conformance.h: what every runtime must do with a service, as tests that each runtime
// instantiates on the real thing.
//
// A harness is a default-constructible type with a sample service that was never started:
//   ServiceRuntime& runtime();                    over the sample
//   std::unique_ptr<ServiceRuntime> another();    the same, as another daruma makes it
//   void crash();                                 kill -9 of its main process
//   static constexpr bool kReloads, kScales;      it can; else it must refuse
//   static constexpr bool kReloadKeepsProcess, kCountsCrashes, kCountsResources;
//   static constexpr const char* kUnit;           a word of what by_hand() types
// The sample runs kSampleScript under sh, with kSampleVariable in its environment, and is restarted when it
// crashes. Instantiate with INSTANTIATE_TYPED_TEST_SUITE_P(Name, RuntimeConformance, Harness).
#pragma once

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <functional>
#include <set>
#include <thread>

#include "base/value.h"
#include "runtime/runtime.h"

namespace daruma::runtime {

inline constexpr const char* kSampleScript =
    "trap 'echo reloaded' HUP; trap 'echo bye; exit 0' TERM INT; echo hello; "
    "while :; do sleep 0.2 & wait $!; done";
inline const std::pair<std::string, std::string> kSampleVariable{"SAMPLE_WORD", "must-not-be-shown"};

// What harnesses share: the sample, and its runtime where no file of Daruma's own is needed.
class Sample {
 public:
  explicit Sample(Runtime runtime, std::string called) {
    service_.name = "sample";
    service_.runtime = runtime;
    service_.called = std::move(called);
  }
  virtual ~Sample() = default;
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  ServiceRuntime& runtime() {
    if (!runtime_) runtime_ = another();
    return *runtime_;
  }
  std::unique_ptr<ServiceRuntime> another() {
    return make_runtime({*fs_, *clock_, *processes_, "/nowhere", "/nowhere/daruma"}, service_);
  }
  virtual void crash() { ::kill(runtime().status(clock_->after(10s))->pids.at(0), SIGKILL); }
  ServiceConfig& service() { return service_; }
  const std::string& name() const { return service_.called; }
  Clock& clock() { return *clock_; }

 protected:
  // A name that no other sample of this program has.
  static std::string next_name() {
    static int count = 0;
    return "sample-" + std::to_string(++count);
  }

 private:
  std::unique_ptr<FileSystem> fs_ = real_file_system();
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  ServiceConfig service_;
  std::unique_ptr<ServiceRuntime> runtime_;
};

template <class Harness>
class RuntimeConformance : public testing::Test {
 protected:
  ServiceRuntime& runtime() { return harness_.runtime(); }
  Deadline soon() { return clock_->after(60s); }

  ServiceStatus status() {
    const auto status = runtime().status(soon());
    EXPECT_TRUE(status.ok()) << status.error().what;
    return status.ok() ? *status : ServiceStatus{};
  }
  // Each of these must succeed.
  void start() { must(runtime().start(soon())); }
  void stop() { must(runtime().stop(soon())); }
  std::vector<int> pids() {
    auto pids = status().pids;
    std::ranges::sort(pids);
    return pids;
  }
  std::string logs(uint32_t lines = 1000) {
    const auto text = runtime().logs(lines, soon());
    EXPECT_TRUE(text.ok()) << text.error().what;
    return text.ok() ? *text : std::string();
  }
  void must(const Status& outcome) { ASSERT_TRUE(outcome.ok()) << outcome.error().what; }
  void eventually(const std::string& what, const std::function<bool()>& holds) {
    const Deadline deadline = soon();
    while (!holds()) {
      ASSERT_FALSE(deadline.passed(clock_->mono()))
          << what << "; it is " << to_string(status().state) << ", " << status().detail << "\n"
          << logs(20);
      clock_->pause(10ms);
    }
  }
  void wait_for_line(const std::string& line) {
    eventually("no line '" + line + "'", [&] { return logs().find(line) != std::string::npos; });
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  Harness harness_;
};
TYPED_TEST_SUITE_P(RuntimeConformance);

TYPED_TEST_P(RuntimeConformance, WhatWasNeverStartedIsStoppedAndStopsAgain) {
  EXPECT_EQ(this->status().state, State::kStopped);
  EXPECT_TRUE(this->pids().empty());
  this->stop();
  EXPECT_EQ(this->status().state, State::kStopped);
}

TYPED_TEST_P(RuntimeConformance, AStartedServiceRunsAndPrints) {
  this->start();
  const ServiceStatus status = this->status();
  EXPECT_EQ(status.state, State::kRunning) << status.detail;
  EXPECT_EQ(status.pids.size(), 1u);
  EXPECT_TRUE(status.since.has_value());
  if (TypeParam::kCountsCrashes) {
    EXPECT_EQ(status.restarts, 0u);
  }
  this->wait_for_line("hello");
}

TYPED_TEST_P(RuntimeConformance, StartingWhatRunsIsSuccessAndChangesNothing) {
  this->start();
  const auto before = this->pids();
  this->start();
  EXPECT_EQ(this->pids(), before);
}

TYPED_TEST_P(RuntimeConformance, OfTwoStartsAtOnceOneStartsIt) {
  std::vector<std::thread> starters;
  for (int i = 0; i < 4; ++i)
    starters.emplace_back([&] { this->must(this->harness_.another()->start(this->soon())); });
  for (std::thread& starter : starters) starter.join();
  EXPECT_EQ(this->pids().size(), 1u);
  this->wait_for_line("hello");
  const std::string text = this->logs();
  EXPECT_EQ(text.find("hello"), text.rfind("hello")) << text;
}

TYPED_TEST_P(RuntimeConformance, StoppedIsStoppedAndStoppingAgainIsSuccess) {
  this->start();
  this->wait_for_line("hello");
  this->stop();
  EXPECT_EQ(this->status().state, State::kStopped);
  EXPECT_TRUE(this->pids().empty());
  EXPECT_EQ(this->runtime().resources(this->soon())->processes, 0u);
  EXPECT_NE(this->logs().find("bye"), std::string::npos) << "it was not told to end in good order";
  this->stop();
  this->start();
  EXPECT_EQ(this->status().state, State::kRunning);
}

TYPED_TEST_P(RuntimeConformance, ARestartGivesAnotherProcessAndStartsWhatIsStopped) {
  this->start();
  const auto before = this->pids();
  this->must(this->runtime().restart(this->soon()));
  EXPECT_EQ(this->status().state, State::kRunning);
  const auto after = this->pids();
  EXPECT_EQ(after.size(), 1u);
  EXPECT_NE(after, before);
  this->stop();
  this->must(this->runtime().restart(this->soon()));
  EXPECT_EQ(this->status().state, State::kRunning);
}

TYPED_TEST_P(RuntimeConformance, AReloadKeepsItRunningOrIsRefused) {
  this->start();
  this->wait_for_line("hello");
  const auto before = this->pids();
  const Status reloaded = this->runtime().reload(this->soon());
  if (TypeParam::kReloads) {
    this->must(reloaded);
    if (TypeParam::kReloadKeepsProcess) {
      this->wait_for_line("reloaded");
    }
  } else {
    EXPECT_TRUE(reloaded.is(Errc::kRefused));
    EXPECT_FALSE(reloaded.error().what.empty());
  }
  this->eventually("one runs", [&] { return this->pids().size() == 1; });
  if (TypeParam::kReloadKeepsProcess) {
    EXPECT_EQ(this->pids(), before);
  }
  EXPECT_EQ(this->status().state, State::kRunning);
}

TYPED_TEST_P(RuntimeConformance, ScaleGivesSoManyInstancesOrIsRefused) {
  this->start();
  if (!TypeParam::kScales) {
    EXPECT_TRUE(this->runtime().scale(2, this->soon()).is(Errc::kRefused));
    EXPECT_EQ(this->pids().size(), 1u);
    return;
  }
  this->must(this->runtime().scale(3, this->soon()));
  this->eventually("three run", [&] { return this->pids().size() == 3; });
  const auto three = this->pids();
  this->must(this->runtime().scale(1, this->soon()));
  this->eventually("one runs", [&] { return this->pids().size() == 1; });
  EXPECT_EQ(this->status().state, State::kRunning);
  EXPECT_THAT(three, testing::Contains(this->pids().at(0))) << "the one that stays was not left alone";
  EXPECT_FALSE(this->runtime().scale(0, this->soon()).ok());
  this->stop();
  EXPECT_TRUE(this->pids().empty());
}

TYPED_TEST_P(RuntimeConformance, ACrashIsSeenAndTheServiceStartedAgain) {
  this->start();
  this->wait_for_line("hello");
  const auto before = this->pids();
  this->harness_.crash();
  this->eventually("it runs again", [&] {
    const ServiceStatus now = this->status();
    return now.state == State::kRunning && now.pids.size() == 1 && now.pids != before;
  });
  if (TypeParam::kCountsCrashes) {
    EXPECT_GE(this->status().restarts, 1u);
  }
}

TYPED_TEST_P(RuntimeConformance, AnotherDarumaSeesTheSameAndMayEndIt) {
  this->start();
  const auto other = this->harness_.another();
  EXPECT_EQ(other->status(this->soon())->state, State::kRunning);
  EXPECT_EQ(other->status(this->soon())->pids, this->status().pids);
  this->must(other->stop(this->soon()));
  EXPECT_EQ(this->status().state, State::kStopped);
}

TYPED_TEST_P(RuntimeConformance, LogsAreTheLastLinesInTheirOrder) {
  this->start();
  this->wait_for_line("hello");
  this->stop();
  this->start();
  this->eventually("hello twice", [&] {
    const std::string text = this->logs();
    return text.find("hello") != text.rfind("hello");
  });
  const std::string last = this->logs(2);
  EXPECT_EQ(std::ranges::count(last, '\n'), 2) << last;
  EXPECT_NE(last.find("hello"), std::string::npos) << last;
  EXPECT_EQ(this->logs(0), "");
}

TYPED_TEST_P(RuntimeConformance, ResourcesAreThoseOfItsProcesses) {
  this->start();
  if (!TypeParam::kCountsResources) {
    EXPECT_TRUE(this->runtime().resources(this->soon()).ok());
    return;
  }
  this->eventually("memory is counted", [&] {
    const auto used = this->runtime().resources(this->soon());
    return used.ok() && used->memory_bytes > 0 && used->processes >= 1;
  });
}

TYPED_TEST_P(RuntimeConformance, InspectIsJsonWithoutTheValuesOfVariables) {
  this->start();
  const auto text = this->runtime().inspect(this->soon());
  ASSERT_TRUE(text.ok()) << text.error().what;
  EXPECT_TRUE(parse_json(*text).ok()) << *text;
  EXPECT_EQ(text->find(kSampleVariable.second), std::string::npos) << *text;
}

TYPED_TEST_P(RuntimeConformance, APassedDeadlineEndsACallAndHarmsNothing) {
  const Deadline passed{this->clock_->mono()};
  for (const Status& outcome :
       {this->runtime().start(passed), this->runtime().restart(passed), this->runtime().stop(passed)})
    EXPECT_TRUE(outcome.ok() || outcome.is(Errc::kCancelled)) << outcome.error().what;
  this->eventually("it can be started", [&] { return this->runtime().start(this->soon()).ok(); });
  EXPECT_EQ(this->status().state, State::kRunning);
}

TYPED_TEST_P(RuntimeConformance, EveryActHasALineToType) {
  for (const char* act : {"start", "stop", "restart", "reload", "recreate", "status", "logs"}) {
    const auto lines = this->runtime().by_hand(act);
    ASSERT_FALSE(lines.empty()) << act;
    bool named = false;
    for (const std::string& line : lines) {
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      named = named || line.find(TypeParam::kUnit) != std::string::npos;
    }
    EXPECT_TRUE(named) << act << ": " << lines[0];
  }
}

REGISTER_TYPED_TEST_SUITE_P(RuntimeConformance, WhatWasNeverStartedIsStoppedAndStopsAgain,
                            AStartedServiceRunsAndPrints, StartingWhatRunsIsSuccessAndChangesNothing,
                            OfTwoStartsAtOnceOneStartsIt, StoppedIsStoppedAndStoppingAgainIsSuccess,
                            ARestartGivesAnotherProcessAndStartsWhatIsStopped,
                            AReloadKeepsItRunningOrIsRefused, ScaleGivesSoManyInstancesOrIsRefused,
                            ACrashIsSeenAndTheServiceStartedAgain, AnotherDarumaSeesTheSameAndMayEndIt,
                            LogsAreTheLastLinesInTheirOrder, ResourcesAreThoseOfItsProcesses,
                            InspectIsJsonWithoutTheValuesOfVariables, APassedDeadlineEndsACallAndHarmsNothing,
                            EveryActHasALineToType);

}  // namespace daruma::runtime
