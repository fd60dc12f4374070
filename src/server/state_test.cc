// Goal: processes of one installation keep apart by the locks of its state directory, and one that only looks
// keeps nobody out; what was acknowledged is remembered and only grows.
#include "server/state.h"

#include <gmock/gmock.h>

#include <functional>

#include "os/sim_file_system.h"

namespace daruma {
namespace {

// Time passes only while somebody waits, and then something happens.
class EventfulClock final : public Clock {
 public:
  Instant now() const override { return below_.now(); }
  MonoInstant mono() const override { return below_.mono(); }
  bool pause(Duration duration, std::stop_token stop) override {
    meanwhile();
    return below_.pause(duration, stop);
  }
  std::function<void()> meanwhile = [] {};

 private:
  ManualClock below_;
};

class State : public testing::Test {
 protected:
  StateDirectory open() { return *StateDirectory::open(fs_, clock_, *random_, "/state"); }

  SimFileSystem fs_;
  EventfulClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(1);
};

TEST_F(State, OneCaptureOfADatastoreRunsAtATime) {
  StateDirectory state = open();
  const auto first = state.lock(Activity::kCapture, "bookings");
  ASSERT_TRUE(first.ok());
  const auto second = state.lock(Activity::kCapture, "bookings");
  ASSERT_TRUE(second.is(Errc::kRefused));
  EXPECT_EQ(second.error().what, "another `daruma serve` captures 'bookings' already");
  EXPECT_TRUE(state.lock(Activity::kCapture, "users").ok());
  EXPECT_TRUE(state.lock(Activity::kBackup, "bookings").ok());
}

TEST_F(State, WhoOnlyLooksWhetherSomebodyRunsKeepsNobodyOut) {
  StateDirectory state = open();
  EXPECT_FALSE(*state.is_running(Activity::kCapture, "bookings"));
  // Another process is looking at this very moment.
  auto looking = fs_.lock("/state/locks/capture-bookings");
  ASSERT_TRUE(looking.ok());
  clock_.meanwhile = [&] { looking->reset(); };
  const auto lock = state.lock(Activity::kCapture, "bookings");
  EXPECT_TRUE(lock.ok());
  EXPECT_TRUE(*state.is_running(Activity::kCapture, "bookings"));
}

TEST_F(State, TheWriterOfAnInstallationStaysTheSame) {
  const WriterId writer = open().writer();
  EXPECT_EQ(open().writer().hex(), writer.hex());
}

TEST_F(State, WhatWasAcknowledgedIsRememberedAndOnlyGrows) {
  StateDirectory state = open();
  EXPECT_TRUE(state.heads()->empty());
  ASSERT_TRUE(state.remember_log("bookings/1", 1, 500).ok());
  ASSERT_TRUE(state.remember_log("bookings/1", 1, 400).ok());
  ASSERT_TRUE(state.remember_commit(state.writer(), 7, {}).ok());
  ASSERT_TRUE(state.remember_commit(state.writer(), 6, {}).ok());
  fs_.power_cut();
  const Heads heads = *open().heads();
  EXPECT_EQ(heads.logs.at("bookings/1").at(1), 500u);
  EXPECT_EQ(heads.writers.at(state.writer().hex()).number, 7u);
}

TEST_F(State, WhatOneProcessPublishesAnotherReads) {
  EXPECT_EQ(*open().published("capture-bookings.json"), std::nullopt);
  ASSERT_TRUE(open().publish("capture-bookings.json", "{}").ok());
  EXPECT_EQ(*open().published("capture-bookings.json"), "{}");
}

}  // namespace
}  // namespace daruma
