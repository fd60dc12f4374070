// Goal: the plan verify-recovery says yes to a backend that is well and names the step to which one that is
//       not well says no; its booking is made in staging only, and leaves nothing behind (requirements L24
//       to L26).
#include <gmock/gmock.h>
#include <signal.h>

#include "lastminutestay/tests/protected_backend.h"

namespace lastminutestay {
namespace {

using testing::HasSubstr;

class VerifyRecovery : public testing::Test {
 protected:
  static void SetUpTestSuite() { backend_ = std::make_unique<ProtectedBackend>(); }
  static void TearDownTestSuite() { backend_.reset(); }
  static std::unique_ptr<ProtectedBackend> backend_;
};
std::unique_ptr<ProtectedBackend> VerifyRecovery::backend_;

TEST_F(VerifyRecovery, OfAWellBackendOnProductionPassesWithoutABooking) {
  const std::string bookings = backend_->bookings();
  const PlanRun run = backend_->recover("verify-recovery");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "book"), "skipped");
  EXPECT_EQ(backend_->bookings(), bookings);
  const auto load = backend_->step(run, "load").at("outputs");
  EXPECT_EQ(load.at("requests"), 100);
  EXPECT_EQ(load.at("errors"), 0);
  EXPECT_GE(backend_->step(run, "status_codes").at("outputs").at("codes").at("200").to_number<int>(), 100);
}

TEST_F(VerifyRecovery, InStagingARoomIsBookedAndTheBookingCancelledAgain) {
  const PlanRun run = backend_->recover("verify-recovery", {"--target", "staging"});
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "book"), "succeeded");
  const std::string id(backend_->step(run, "book").at("outputs").at("taken").as_string());
  EXPECT_EQ(backend_->value("SELECT status FROM bookings WHERE id = '" + id + "'", "lastminutestay"),
            "cancelled");
}

TEST_F(VerifyRecovery, ABookingOnProductionIsRefusedAndNothingIsBooked) {
  const std::string bookings = backend_->bookings();
  const PlanRun run = backend_->recover("verify-recovery", {"--param", "booking=always"});
  EXPECT_EQ(run.code, 1) << run.output;
  EXPECT_EQ(backend_->state_of(run, "book"), "failed");
  EXPECT_THAT(run.output, HasSubstr("not on production"));
  EXPECT_EQ(backend_->bookings(), bookings);
}

TEST_F(VerifyRecovery, AnAnswerInDegradedModeIsNoRecoveryAndTheStepIsNamed) {
  backend_->sql("UPDATE last_minute_prices SET price_yen = price_yen", "lastminutestay");
  backend_->sql("ALTER TABLE rooms RENAME TO rooms_gone", "lastminutestay");
  const PlanRun run = backend_->recover("verify-recovery", {"--param", "night=2024-06-25"});
  backend_->sql("ALTER TABLE rooms_gone RENAME TO rooms", "lastminutestay");
  EXPECT_EQ(run.code, 1) << run.output;
  EXPECT_EQ(backend_->state_of(run, "search"), "failed");
  EXPECT_EQ(backend_->state_of(run, "load"), "waiting");
  EXPECT_THAT(run.output, HasSubstr("Hotel search"));
}

TEST_F(VerifyRecovery, TooSlowIsNoRecovery) {
  const PlanRun run = backend_->recover("verify-recovery", {"--param", "p95_most=1us"});
  EXPECT_EQ(run.code, 1) << run.output;
  EXPECT_EQ(backend_->state_of(run, "load"), "failed");
}

TEST_F(VerifyRecovery, ADryRunChangesNothing) {
  const std::string before = backend_->picture();
  const PlanRun run = backend_->recover("verify-recovery", {"--target", "staging", "--dry-run"});
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("DRY RUN"));
  EXPECT_EQ(backend_->picture(), before);
}

}  // namespace
}  // namespace lastminutestay
