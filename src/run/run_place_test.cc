// Which runs are listed.
#include "run/run_place.h"

#include <gmock/gmock.h>

#include "os/scratch_dir.h"
#include "run/step_type.h"

namespace daruma::run {
namespace {

using testing::ElementsAre;

class PlaceOfRuns : public testing::Test {
 protected:
  std::string begin(const std::string& plan, Target target) {
    RunCreated created;
    created.plan.plan.name = plan;
    created.plan.scopes.push_back({"", {}});
    created.target = target;
    return *place_.create(created, find_step_type);
  }
  void end(const std::string& run) {
    ASSERT_TRUE(place_.journal().append(stream_of(run), 1, {to_event(RunEnded{})}).ok());
  }

  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
  RunPlace place_ = *RunPlace::open(scratch_.fs(), *clock_, scratch_.path());
};

TEST_F(PlaceOfRuns, ARunThatHasNotEndedIsListedHoweverOldItIs) {
  const std::string old = begin("old", Target::kStaging);
  std::vector<std::string> newer;
  for (int i = 0; i < 3; ++i) {
    newer.push_back(begin("newer", Target::kProduction));
    end(newer.back());
  }
  EXPECT_THAT(*place_.newest_and_open(2, find_step_type), ElementsAre(newer[2], newer[1], old));
  end(old);
  EXPECT_THAT(*place_.newest_and_open(2, find_step_type), ElementsAre(newer[2], newer[1]));
}

TEST_F(PlaceOfRuns, WhatIsAmongTheNewestIsListedOnce) {
  const std::string only = begin("only", Target::kSandbox);
  EXPECT_THAT(*place_.newest_and_open(2, find_step_type), ElementsAre(only));
}

}  // namespace
}  // namespace daruma::run
