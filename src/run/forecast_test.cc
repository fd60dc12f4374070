// What a run will take is told by what such runs took, as the journal has it.

#include "run/forecast.h"

#include <gtest/gtest.h>

#include "os/clock.h"
#include "os/scratch_dir.h"

namespace daruma::run {
namespace {

using namespace std::chrono_literals;

std::vector<Step> steps(const std::vector<std::pair<std::string, std::vector<std::string>>>& needs) {
  std::vector<Step> out;
  for (const auto& [id, before] : needs) {
    Step step;
    step.id = id;
    step.needs = before;
    out.push_back(step);
  }
  return out;
}

TEST(Forecast, IsTheLongestWayThroughThePlan) {
  const auto plan = steps({{"look", {}}, {"stop", {"look"}}, {"wait", {"look"}}, {"end", {"stop", "wait"}}});
  EXPECT_EQ(forecast(plan, {{"look", 1s}, {"stop", 10s}, {"wait", 2s}, {"end", 3s}}), 14s);
}

TEST(Forecast, StandsOnNothingWhereOneStepWasNeverMeasured) {
  const auto plan = steps({{"look", {}}, {"stop", {"look"}}});
  EXPECT_EQ(forecast(plan, {{"look", 1s}}), std::nullopt);
  EXPECT_EQ(forecast(plan, {}), std::nullopt);
}

const StepType* find_any(std::string_view) {
  static const StepType type = [] {
    StepType look;
    look.name = "look";
    look.act = [](StepContext&) -> Result<Value> { return Value(); };
    return look;
  }();
  return &type;
}

// A journal that runs of plans of one step, `look`, have written.
class PastRuns : public testing::Test {
 protected:
  void ran(const std::string& id, const std::string& plan, Duration takes,
           RunOutcome outcome = RunOutcome::kSucceeded) {
    Plan made;
    made.name = plan;
    made.steps = steps({{"look", {}}});
    made.steps[0].action.type = "look";
    RunCreated created;
    created.plan = *freeze(made, {}, [](std::string_view) { return Error{Errc::kNotFound, "none"}; });
    position_ = 0;
    happens(id, created);
    happens(id, EngineTook{1, 1});
    happens(id, StepStarted{"look", 1, Verb::kAct, 2, Value::Map()});
    clock_.advance(takes);
    StepEnded ended;
    ended.step = "look", ended.attempt = 1, ended.epoch = 2, ended.outcome = Outcome::kSucceeded;
    ended.outputs = Value::Map();
    happens(id, ended);
    happens(id, RunEnded{outcome, ""});
  }
  StepTimes usual(const std::string& plan) {
    const auto times = usual_times(*journal_, plan, find_any);
    EXPECT_TRUE(times.ok()) << times.error().what;
    return times.ok() ? *times : StepTimes{};
  }

 private:
  void happens(const std::string& id, const EventBody& body) {
    const auto appended = journal_->append("run/" + id, position_++, {to_event(body)});
    ASSERT_TRUE(appended.ok()) << appended.error().what;
  }
  ScratchDir scratch_;
  ManualClock clock_;
  std::unique_ptr<Journal> journal_ = *open_journal(scratch_.fs(), clock_, scratch_.path() / kJournalFile);
  uint64_t position_ = 0;
};

TEST_F(PastRuns, TheMiddleOfThoseThatSucceededIsUsual) {
  ran("2026-11-22-cache-down-1", "cache-down", 2s);
  ran("2026-11-22-cache-down-2", "cache-down", 90s);
  ran("2026-11-22-cache-down-3", "cache-down", 3s);
  ran("2026-11-22-cache-down-4", "cache-down", 1s, RunOutcome::kFailed);
  ran("2026-11-22-other-1", "other", 500s);
  EXPECT_EQ(usual("cache-down"), (StepTimes{{"look", 3s}}));
}

TEST_F(PastRuns, APlanThatNeverRanHasNoUsualTimes) {
  ran("2026-11-22-cache-down-1", "cache-down", 2s);
  EXPECT_TRUE(usual("cache").empty());
}

}  // namespace
}  // namespace daruma::run
