#include "runtime/restart_budget.h"

#include <gtest/gtest.h>

namespace daruma::runtime {
namespace {

MonoInstant at(Duration time) { return {time}; }

RestartConfig config(RestartPolicy policy, uint32_t limit = 10) {
  return {.policy = policy, .backoff = 1s, .backoff_most = 5s, .limit = limit, .within = 1min};
}

TEST(RestartBudget, ThePauseDoublesUpToItsMost) {
  RestartBudget budget(config(RestartPolicy::kOnFailure));
  for (const Duration pause : {1s, 2s, 4s, 5s, 5s}) EXPECT_EQ(budget.next(at(0s), true), pause);
}

TEST(RestartBudget, OnePastTheLimitIsTheLast) {
  RestartBudget budget(config(RestartPolicy::kAlways, 2));
  EXPECT_TRUE(budget.next(at(0s), false));
  EXPECT_TRUE(budget.next(at(59s), false));
  EXPECT_FALSE(budget.exhausted());
  EXPECT_FALSE(budget.next(at(59s), false));
  EXPECT_TRUE(budget.exhausted());
}

TEST(RestartBudget, ARestartCountsForItsTimeOnly) {
  RestartBudget budget(config(RestartPolicy::kAlways, 2));
  EXPECT_EQ(budget.next(at(0s), true), 1s);
  EXPECT_EQ(budget.next(at(30s), true), 2s);
  EXPECT_EQ(budget.next(at(60s), true), 2s);
  EXPECT_FALSE(budget.next(at(61s), true));
}

TEST(RestartBudget, ThePolicySaysWhatIsStartedAgain) {
  EXPECT_FALSE(RestartBudget(config(RestartPolicy::kNever)).next(at(0s), true));
  EXPECT_FALSE(RestartBudget(config(RestartPolicy::kOnFailure)).next(at(0s), false));
  EXPECT_TRUE(RestartBudget(config(RestartPolicy::kAlways)).next(at(0s), false));
  RestartBudget never(config(RestartPolicy::kNever));
  EXPECT_FALSE(never.next(at(0s), true));
  EXPECT_FALSE(never.exhausted());
}

TEST(RestartBudget, AStartOnPurposeBeginsAnew) {
  RestartBudget budget(config(RestartPolicy::kAlways, 1));
  EXPECT_TRUE(budget.next(at(0s), true));
  EXPECT_FALSE(budget.next(at(0s), true));
  budget.forget();
  EXPECT_EQ(budget.next(at(0s), true), 1s);
}

TEST(RestartBudget, ALimitOfZeroIsNoRestart) {
  EXPECT_FALSE(RestartBudget(config(RestartPolicy::kAlways, 0)).next(at(0s), true));
}

TEST(RestartBudget, HugePausesDoNotOverflow) {
  RestartConfig huge = config(RestartPolicy::kAlways, 100);
  huge.backoff_most = Duration::max();
  RestartBudget budget(huge);
  Duration before{0};
  for (int i = 0; i < 100; ++i) {
    const auto pause = budget.next(at(0s), true);
    ASSERT_TRUE(pause);
    EXPECT_GE(*pause, before);
    before = *pause;
  }
}

}  // namespace
}  // namespace daruma::runtime
