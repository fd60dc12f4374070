// The runtime `pm2` on a real one: what every runtime must do, and what is pm2's own.

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fmt/format.h>

#include "os/environment.h"
#include "os/scratch_dir.h"
#include "runtime/runtime_conformance.h"
#include "support/caretaker.h"
#include "support/run_or_skip.h"

namespace daruma::runtime {
namespace {

using testing::HasSubstr;

constexpr Duration kPatience = 60s;

// A pm2 of its own for all tests of this program, with nothing in it.
class OnePm2 : public testing::Environment {
 public:
  void SetUp() override { ::setenv("PM2_HOME", (scratch_.path() / "pm2").c_str(), 1); }
  void TearDown() override { static_cast<void>(pm2({"kill"})); }

  static ProcessExit pm2(std::vector<std::string> words) {
    words.insert(words.begin(), "pm2");
    const auto clock = real_clock();
    const auto ended = real_processes(*clock)->run({.argv = words}, clock->after(kPatience));
    DR_CHECK(ended.ok());
    return *ended;
  }

 private:
  ScratchDir scratch_;
  Caretaker caretaker_{scratch_.path()};
};
const auto* const kRegistered = testing::AddGlobalTestEnvironment(std::make_unique<OnePm2>().release());

// An entry of its own in pm2's list, stopped.
class Entry : public Sample {
 public:
  Entry() : Sample(Runtime::kPm2, next_name()), name_(name()) {
    const Path script = scratch_.path() / "sample.sh";
    const std::string text = fmt::format("{}={}; export {}\n{}\n", kSampleVariable.first,
                                         kSampleVariable.second, kSampleVariable.first, kSampleScript);
    DR_CHECK(replace_file(scratch_.fs(), script, as_bytes("exec sleep 1000\n")).ok());
    must({"start", script, "--name", name_, "--interpreter", "sh", "--restart-delay", "10"});
    must({"stop", name_});
    DR_CHECK(replace_file(scratch_.fs(), script, as_bytes(text)).ok());
  }
  ~Entry() override { OnePm2::pm2({"delete", name_}); }

  static constexpr bool kReloads = true;
  static constexpr bool kReloadKeepsProcess = false;
  static constexpr bool kCountsCrashes = false;
  static constexpr bool kCountsResources = true;
  static constexpr bool kScales = true;
  static constexpr const char* kUnit = "sample-";

 private:
  static void must(const std::vector<std::string>& words) {
    const ProcessExit ended = OnePm2::pm2(words);
    if (ended.code != 0) fmt::print(stderr, "{}\n", ended.output);
    DR_CHECK(ended.code == 0);
  }

  const std::string name_;  // the entry's, whatever a test makes the service be called
  ScratchDir scratch_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Pm2, RuntimeConformance, Entry);

class Pm2 : public testing::Test {
 protected:
  Deadline soon() { return clock_->after(kPatience); }
  std::unique_ptr<Clock> clock_ = real_clock();
};

TEST_F(Pm2, WhatItDoesNotKnowIsNotFoundByName) {
  Entry entry;
  entry.service().called = "auth-service";
  const Status started = entry.runtime().start(soon());
  ASSERT_TRUE(started.is(Errc::kNotFound));
  EXPECT_THAT(started.error().what, HasSubstr("'auth-service'"));
  EXPECT_TRUE(entry.runtime().stop(soon()).is(Errc::kNotFound));
}

TEST_F(Pm2, OneThatDoesNotRunIsUnavailableAndLookingDoesNotStartIt) {
  Entry entry;
  ScratchDir elsewhere;
  entry.service().environment = {{"PM2_HOME", elsewhere.path().native()}};
  const auto status = entry.runtime().status(soon());
  ASSERT_TRUE(status.is(Errc::kUnavailable));
  EXPECT_THAT(status.error().what, HasSubstr(elsewhere.path().native()));
  EXPECT_TRUE(elsewhere.fs().list_dir(elsewhere.path())->empty());
}

TEST_F(Pm2, AStartBringsAKilledPm2BackWithWhatItHadSaved) {
  Entry entry;
  ASSERT_TRUE(entry.runtime().start(soon()).ok());
  ASSERT_EQ(OnePm2::pm2({"save"}).code, 0);
  ASSERT_EQ(OnePm2::pm2({"kill"}).code, 0);
  EXPECT_TRUE(entry.runtime().status(soon()).is(Errc::kUnavailable));
  const Status started = entry.runtime().start(soon());
  ASSERT_TRUE(started.ok()) << started.error().what;
  EXPECT_EQ(entry.runtime().status(soon())->state, State::kRunning);
}

}  // namespace
}  // namespace daruma::runtime

int main(int argc, char** argv) {
  using namespace daruma;
  // pm2 of PATH, or the one that the benchmarks install.
  ::setenv("PATH", (environment_variable("PATH").value_or("") + ":" PM2_FOLDER).c_str(), 1);
  const auto clock = real_clock();
  const auto found = real_processes(*clock)->run({.argv = {"sh", "-c", "command -v pm2"}}, clock->after(10s));
  const bool there = found.ok() && found->code == 0;
  return run_or_skip(argc, argv,
                     there ? "" : "pm2 is not at hand: install it, or run `npm ci` in bench/peers/node");
}
