// Goal: the plan point-in-time brings the bookings back that a wrong statement deleted, from the log, to just before it;
//       what was in use is kept aside, and nothing stops before an approval (requirement L23).
#include <gmock/gmock.h>

#include <filesystem>

#include "lastminutestay/tests/protected_backend.h"

namespace lastminutestay {
namespace {

class PointInTime : public testing::Test {
 protected:
  PointInTime() { backend_.store_the_log(); }

  std::string now() {
    return backend_.value(
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  }
  PlanRun recover(const std::string& before, const std::string& how) {
    return backend_.recover("point-in-time", {"--param", "before=" + before, how});
  }
  size_t set_aside() {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(backend_.directory().native()))
      count += entry.path().filename().string().starts_with("data.damaged-");
    return count;
  }

  ProtectedBackend backend_;
};

TEST_F(PointInTime, WhatAWrongStatementDeletedIsBackAndWhatWasInUseIsKept) {
  ASSERT_EQ(backend_.book(3).status, 201);
  const std::string all = backend_.bookings();
  const std::string moment = now();
  backend_.sql("TRUNCATE bookings CASCADE", "lastminutestay");
  backend_.wait_until_stored();

  const std::string before = backend_.picture();
  const PlanRun dry = recover(moment, "--dry-run");
  EXPECT_EQ(dry.code, 0) << dry.output;
  EXPECT_EQ(backend_.picture(), before) << "a dry run changes nothing";

  const PlanRun asked = recover(moment, "--no-wait");
  ASSERT_EQ(asked.code, 4) << asked.output;
  EXPECT_EQ(backend_.state_of(asked, "point"), "succeeded");
  EXPECT_EQ(backend_.get("/monitoring/health").status, 200) << "nothing stops before the approval";

  ASSERT_EQ(backend_.command({"approve", asked.id, "agreed"}).code, 0);
  const auto resumed = backend_.command({"resume", asked.id});
  ASSERT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(backend_.bookings(), all);
  EXPECT_EQ(set_aside(), 1u);
  EXPECT_EQ(backend_.get("/monitoring/health").status, 200);
}

TEST_F(PointInTime, AMomentThatIsNotHeldStopsNothing) {
  const PlanRun run = recover("2020-01-01T00:00:00Z", "--yes");
  EXPECT_EQ(run.code, 1) << run.output;
  EXPECT_EQ(backend_.state_of(run, "point"), "failed");
  EXPECT_EQ(backend_.state_of(run, "stop_api"), "waiting");
  EXPECT_EQ(backend_.get("/monitoring/health").status, 200);
}

}  // namespace
}  // namespace lastminutestay
