// Goal: what breaks in the API, its cache and its provider is recovered by the shipped plan for it, carried
//       out by `daruma` (requirements L16, L17, L20, L21).
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>

#include "lastminutestay/tests/protected_backend.h"

namespace lastminutestay {
namespace {

using testing::HasSubstr;
using testing::Not;

class Plans : public testing::Test {
 protected:
  static void SetUpTestSuite() { backend_ = std::make_unique<ProtectedBackend>(); }
  static void TearDownTestSuite() { backend_.reset(); }

  static constexpr const char* kSearch = "/api/hotels/search?checkIn=2024-06-21&checkOut=2024-06-22&guests=2";
  static bool degraded() {
    const Reply reply = backend_->get(kSearch);
    return reply.status == 200 && reply.json().at("degraded") == true;
  }
  static std::unique_ptr<ProtectedBackend> backend_;
};
std::unique_ptr<ProtectedBackend> Plans::backend_;

TEST_F(Plans, AnApiThatHangsIsRestarted) {
  const auto before = backend_->status("lastminutestay-api").pids;
  backend_->signal("lastminutestay-api", SIGSTOP);
  const PlanRun run = backend_->recover("api-not-responding");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "answers"), "failed");
  EXPECT_EQ(backend_->state_of(run, "restart"), "succeeded");
  EXPECT_EQ(backend_->state_of(run, "verify/load"), "succeeded");
  EXPECT_NE(backend_->status("lastminutestay-api").pids, before);
  EXPECT_EQ(backend_->get("/monitoring/health").status, 200);
}

TEST_F(Plans, AnApiThatAnswersIsNotRestarted) {
  const auto before = backend_->status("lastminutestay-api").pids;
  const PlanRun run = backend_->recover("api-not-responding");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "restart"), "skipped");
  EXPECT_EQ(backend_->status("lastminutestay-api").pids, before);
}

TEST_F(Plans, TooMuchMemoryIsReloadedAndThenScaledToTwo) {
  const PlanRun run = backend_->recover("api-memory-or-cpu", {"--param", "memory_most=1MiB"});
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "reload"), "succeeded");
  EXPECT_EQ(backend_->state_of(run, "settled"), "failed");
  EXPECT_EQ(backend_->status("lastminutestay-api").pids.size(), 2u);
}

TEST_F(Plans, WhereTheReloadWasEnoughNothingIsScaled) {
  const PlanRun run =
      backend_->recover("api-memory-or-cpu", {"--param", "memory_most=4GiB", "--param", "cpu_most=1000"});
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "scale_to_two"), "skipped");
}

TEST_F(Plans, ARedisThatIsGoneIsBack) {
  backend_->signal("redis", SIGKILL);
  backend_->wait_until("Redis is gone", [] { return backend_->status("redis").pids.empty(); });
  const PlanRun run = backend_->recover("cache-down");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "ping"), "failed");
  EXPECT_EQ(backend_->state_of(run, "restart"), "succeeded");
  EXPECT_EQ(backend_->state_of(run, "flush_all"), "skipped");
  EXPECT_EQ(backend_->redis({"PING"}), "PONG\n");
}

TEST_F(Plans, EverythingInTheCacheIsDeletedOnlyAfterAnApprovalAndACopyOfItIsKept) {
  ASSERT_EQ(backend_->redis({"SET", "mine", "1"}), "OK\n");
  const PlanRun asked = backend_->recover("cache-down", {"--param", "flush=true", "--no-wait"});
  EXPECT_EQ(asked.code, 4) << asked.output;
  EXPECT_EQ(backend_->redis({"GET", "mine"}), "1\n");

  ASSERT_EQ(backend_->command({"approve", asked.id, "flush_all", "--reason", "stale prices"}).code, 0);
  const auto resumed = backend_->command({"resume", asked.id});
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(backend_->redis({"GET", "mine"}), "\n");
  const std::string copy(backend_->step(asked, "flush_all").at("outputs").at("snapshot").as_string());
  EXPECT_TRUE(std::filesystem::exists(copy)) << copy;
}

TEST_F(Plans, ARejectedFlushLeavesTheCacheAsItWas) {
  ASSERT_EQ(backend_->redis({"SET", "mine", "2"}), "OK\n");
  const PlanRun asked = backend_->recover("cache-down", {"--param", "flush=true", "--no-wait"});
  ASSERT_EQ(backend_->command({"approve", asked.id, "flush_all", "--reject"}).code, 0);
  EXPECT_EQ(backend_->command({"resume", asked.id}).code, 1);
  EXPECT_EQ(backend_->redis({"GET", "mine"}), "2\n");
}

TEST_F(Plans, ABreakerIsResetOnlyWhenTheProviderAnswersAgain) {
  ASSERT_EQ(backend_->get(kSearch).status, 200);
  backend_->provider_is(R"({"silent":true})");
  backend_->wait_until("the breaker opens", [] { return degraded() && backend_->breaker_state() == "OPEN"; });
  const PlanRun refused = backend_->recover("provider-down");
  EXPECT_EQ(refused.code, 1) << refused.output;
  EXPECT_EQ(backend_->state_of(refused, "fallback"), "succeeded");
  EXPECT_EQ(backend_->state_of(refused, "reset"), "failed");
  EXPECT_THAT(refused.output, HasSubstr("the provider still fails"));
  EXPECT_NE(backend_->breaker_state(), "CLOSED");

  backend_->provider_is(R"({"silent":false})");
  const PlanRun run = backend_->recover("provider-down");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->breaker_state(), "CLOSED");
  EXPECT_FALSE(degraded());
}

TEST_F(Plans, DryRunsChangeNothing) {
  for (const char* plan : {"api-not-responding", "api-memory-or-cpu", "cache-down", "provider-down"}) {
    const std::string before = backend_->picture();
    const PlanRun run = backend_->recover(plan, {"--dry-run"});
    EXPECT_EQ(run.code, 0) << run.output;
    EXPECT_THAT(run.output, Not(HasSubstr("cannot be previewed;"))) << plan;
    EXPECT_EQ(backend_->picture(), before) << plan;
  }
}

}  // namespace
}  // namespace lastminutestay
