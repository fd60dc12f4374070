// Goal: what breaks in the database is recovered by the shipped plan for it, carried out by `daruma`; production is
//       touched only after an approval (requirements L18, L19, L22).
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "datastore/postgres/sql.h"
#include "lastminutestay/tests/protected_backend.h"

namespace lastminutestay {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// Asks the API all the time, until it ends.
class Watcher {
 public:
  explicit Watcher(const ProtectedBackend& backend)
      : thread_([this, &backend](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            const Reply reply = backend.get("/monitoring/health");
            (reply.status == 200 ? well_ : not_well_) += 1;
          }
        }) {}
  int well() const { return well_; }
  int not_well() const { return not_well_; }

 private:
  std::atomic<int> well_ = 0, not_well_ = 0;
  std::jthread thread_;
};

class DatabasePlans : public testing::Test {
 protected:
  static void SetUpTestSuite() { backend_ = std::make_unique<ProtectedBackend>(); }
  static void TearDownTestSuite() { backend_.reset(); }

  std::unique_ptr<daruma::postgres::SqlConnection> session() {
    daruma::postgres::ConnectionSettings to = backend_->postgres().settings();
    to.dbname = "lastminutestay";
    auto made = connect_sql(to, backend_->clock(), backend_->clock().after(std::chrono::seconds(30)));
    EXPECT_TRUE(made.ok());
    return *std::move(made);
  }
  void dump(const std::string& name) {
    const auto made =
        backend_->postgres().tool("pg_dump", {"-Fc", "-f", backend_->dumps() / name, "-d", "lastminutestay"});
    ASSERT_EQ(made.code, 0) << made.output;
  }
  // Databases that a switch put aside.
  std::vector<std::string> aside() {
    std::vector<std::string> names;
    for (const auto& row : backend_->sql(
             "SELECT datname FROM pg_database WHERE datname LIKE 'lastminutestay_before_%' ORDER BY 1"))
      names.push_back(*row[0]);
    return names;
  }
  void drop_side() { backend_->sql("DROP DATABASE IF EXISTS lastminutestay_restore WITH (FORCE)"); }

  static std::unique_ptr<ProtectedBackend> backend_;
};
std::unique_ptr<ProtectedBackend> DatabasePlans::backend_;

TEST_F(DatabasePlans, AServerThatIsGoneIsStartedAfterAnApproval) {
  backend_->signal("postgresql", SIGKILL);
  backend_->wait_until("PostgreSQL is gone", [] { return backend_->status("postgresql").pids.empty(); });
  const PlanRun asked = backend_->recover("database-connections", {"--no-wait"});
  EXPECT_EQ(asked.code, 4) << asked.output;
  EXPECT_EQ(backend_->state_of(asked, "answers"), "failed");
  EXPECT_TRUE(backend_->status("postgresql").pids.empty());

  ASSERT_EQ(backend_->command({"approve", asked.id, "restart"}).code, 0);
  const auto resumed = backend_->command({"resume", asked.id});
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(backend_->state_of(asked, "connections"), "succeeded");
  EXPECT_EQ(backend_->get("/monitoring/health").status, 200);
}

TEST_F(DatabasePlans, AServerThatAnswersIsNotRestarted) {
  const auto before = backend_->status("postgresql").pids;
  const PlanRun run = backend_->recover("database-connections");
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(backend_->state_of(run, "restart"), "skipped");
  EXPECT_EQ(backend_->status("postgresql").pids, before);
}

TEST_F(DatabasePlans, OfALockChainTheOneThatBlocksIsEndedAfterAnApproval) {
  const auto holder = session();
  ASSERT_TRUE(holder->query("BEGIN").ok());
  ASSERT_TRUE(holder->query("LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE").ok());
  std::jthread second(
      [waiter = session()] { static_cast<void>(waiter->query("SELECT count(*) FROM rooms")); });
  std::jthread third(
      [waiter = session()] { static_cast<void>(waiter->query("DELETE FROM rooms WHERE false")); });
  backend_->wait_until("two wait for it", [] {
    return backend_->value(
               "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0") == "2";
  });
  const PlanRun asked =
      backend_->recover("slow-queries-and-locks", {"--no-wait", "--param", "longer_than=0s"});
  EXPECT_EQ(asked.code, 4) << asked.output;
  EXPECT_EQ(backend_->step(asked, "locks").at("outputs").at("waiting"), 2);
  EXPECT_TRUE(holder->query("SELECT 1").ok()) << "not before the approval";

  ASSERT_EQ(backend_->command({"approve", asked.id, "end_blocker"}).code, 0);
  const auto resumed = backend_->command({"resume", asked.id});
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_FALSE(holder->query("SELECT 1").ok());
}

TEST_F(DatabasePlans, DeletedBookingsAreRestoredBesideCheckedAndSwitchedToWhileProductionIsUp) {
  drop_side();
  const std::string all = backend_->bookings();
  dump("lastminutestay_20240619.dump");
  backend_->sql("TRUNCATE bookings CASCADE", "lastminutestay");
  const std::string left = backend_->bookings();
  ASSERT_NE(left, all);

  const Watcher watcher(*backend_);
  const PlanRun asked = backend_->recover("restore-from-backup", {"--no-wait"});
  EXPECT_EQ(asked.code, 4) << asked.output;
  EXPECT_EQ(backend_->state_of(asked, "integrity"), "succeeded");
  EXPECT_EQ(backend_->bookings(), left) << "production is not touched before the approval";
  EXPECT_EQ(backend_->bookings("lastminutestay_restore"), all);
  EXPECT_EQ(watcher.not_well(), 0);

  ASSERT_EQ(backend_->command({"approve", asked.id, "switch"}).code, 0);
  const auto resumed = backend_->command({"resume", asked.id});
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_EQ(backend_->bookings(), all);
  ASSERT_THAT(aside(), SizeIs(1)) << "the old one is kept";
  EXPECT_GT(watcher.well(), 10);
  backend_->sql("DROP DATABASE " + aside().at(0) + " WITH (FORCE)");
}

TEST_F(DatabasePlans, WhatIsNotWholeIsNeverSwitchedTo) {
  drop_side();
  backend_->sql("CREATE DATABASE broken");
  backend_->sql("CREATE TABLE bookings (created_at timestamptz)", "broken");
  const auto made = backend_->postgres().tool(
      "pg_dump", {"-Fc", "-f", backend_->dumps() / "lastminutestay_20240620.dump", "-d", "broken"});
  ASSERT_EQ(made.code, 0) << made.output;
  const std::string before = backend_->bookings();
  const PlanRun run = backend_->recover("restore-from-backup", {"--yes"});
  EXPECT_EQ(run.code, 1) << run.output;
  EXPECT_EQ(backend_->state_of(run, "integrity"), "failed");
  EXPECT_EQ(backend_->state_of(run, "switch"), "waiting");
  EXPECT_EQ(backend_->bookings(), before);
  EXPECT_EQ(backend_->get("/monitoring/health").status, 200);
  std::filesystem::remove(backend_->dumps() / "lastminutestay_20240620.dump");
  backend_->sql("DROP DATABASE broken");
}

TEST_F(DatabasePlans, ARejectedSwitchLeavesProductionAsItWasAndTheSideDatabaseIsGone) {
  drop_side();
  dump("lastminutestay_20240619.dump");
  const std::string before = backend_->bookings();
  const PlanRun asked = backend_->recover("restore-from-backup", {"--no-wait"});
  ASSERT_EQ(asked.code, 4) << asked.output;
  ASSERT_EQ(backend_->command({"approve", asked.id, "switch", "--reject"}).code, 0);
  const auto resumed = backend_->command({"resume", asked.id});
  EXPECT_EQ(resumed.code, 1) << resumed.output;
  EXPECT_EQ(backend_->bookings(), before);
  EXPECT_EQ(backend_->value("SELECT count(*) FROM pg_database WHERE datname = 'lastminutestay_restore'"),
            "0");
}

TEST_F(DatabasePlans, DryRunsChangeNothing) {
  drop_side();
  dump("lastminutestay_20240619.dump");
  for (const char* plan : {"database-connections", "slow-queries-and-locks", "restore-from-backup"}) {
    const std::string before = backend_->picture();
    const PlanRun run = backend_->recover(plan, {"--dry-run"});
    EXPECT_EQ(run.code, 0) << run.output;
    EXPECT_THAT(run.output, Not(HasSubstr("cannot be previewed;"))) << plan;
    EXPECT_EQ(backend_->picture(), before) << plan;
  }
}

}  // namespace
}  // namespace lastminutestay
