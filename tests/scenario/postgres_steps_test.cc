// The steps that look at a PostgreSQL server: what they tell, what they refuse.
#include <future>

#include "support/postgres_steps.h"

namespace daruma::run {
namespace {

using testing::HasSubstr;

// One server for all tests: they only look.
class PostgresSteps : public StepWorld {
 protected:
  static PostgresServer& server() {
    static PostgresServer server({.configuration = {"max_connections = 20"}});
    static const bool ready = (server.start(), fill(server), true);
    static_cast<void>(ready);
    return server;
  }
  PostgresSteps() { use(server()); }
};

TEST_F(PostgresSteps, AQueryTellsItsRowsAndChangesNothing) {
  const Value outputs = must(
      "postgres.query", {{"sql", "SELECT $1::int AS n, NULL AS nothing"}, {"parameters", Value::List{7}}});
  EXPECT_EQ(to_json(outputs), R"({"count":1,"more":false,"rows":[{"n":"7","nothing":null}],"value":"7"})");
  EXPECT_THAT(refused("postgres.query", {{"sql", "CREATE TABLE t (a int)"}}),
              HasSubstr("read-only transaction"));
  EXPECT_THAT(refused("postgres.query", {{"sql", "SELECT PG_terminate_backend(1)"}}),
              HasSubstr("only observes"));
}

TEST_F(PostgresSteps, AnAnswerOfAnySizeIsKeptInBounds) {
  const Value outputs =
      must("postgres.query", {{"sql", "SELECT n FROM generate_series(1, 100000000) n"}, {"rows", 3}});
  EXPECT_EQ(outputs.integer_at("count"), 3);
  EXPECT_TRUE(outputs.boolean_at("more"));
}

TEST_F(PostgresSteps, AnExpectationThatDoesNotHoldFailsAndSaysWhatCame) {
  must("postgres.expect", {{"sql", "SELECT 1"}, {"equals", 1}});
  must("postgres.expect", {{"sql", "SELECT 5"}, {"at_least", 4}, {"at_most", 6}});
  EXPECT_EQ(refused("postgres.expect", {{"sql", "SELECT 5"}, {"at_least", 6}}),
            "\"SELECT 5\" gave '5', expected was at least 6");
  EXPECT_THAT(refused("postgres.expect", {{"sql", "SELECT 5"}}), HasSubstr("expects nothing"));
}

TEST_F(PostgresSteps, WaitingEndsWhenTheServerAnswers) {
  PostgresServer late;
  use(late);
  EXPECT_THAT(refused("postgres.wait", {{"for", "300ms"}}), HasSubstr("was not ready within"));
  auto waits = std::async(std::launch::async, [&] { return act("postgres.wait", {}); });
  late.start();
  const auto outputs = waits.get();
  EXPECT_TRUE(outputs.ok()) << outputs.error().what;
}

TEST_F(PostgresSteps, ConnectionsAreShownAgainstTheirLimit) {
  const auto one = connect(server(), "postgres");
  const auto other = connect(server(), "authdb");
  const Value outputs = must("postgres.connections", {});
  EXPECT_EQ(outputs.integer_at("max"), 20);
  EXPECT_GE(outputs.integer_at("percent"), 10);  // ours, and perhaps one of the server itself
  EXPECT_THAT(refused("postgres.connections", {{"limit", 5}}), HasSubstr("of 20 connections are in use: "));
}

TEST_F(PostgresSteps, RowsAreCountedAndComparedWithTheManifest) {
  const Value::List tables{"authdb.users", "apidb.public.profiles"};
  const Value outputs = must("postgres.counts", {{"tables", tables}});
  EXPECT_EQ(to_json(outputs), R"({"counts":{"apidb.public.profiles":20000,"authdb.users":3},"total":20003})");
  must("postgres.counts", {{"tables", tables}, {"expected", *outputs.find("counts")}});
  const Value fewer = Value::Map{{"authdb.public.users", 4}, {"apidb.profiles", 20000}};
  EXPECT_EQ(refused("postgres.counts", {{"tables", tables}, {"expected", fewer}}),
            "authdb.users has 3 rows, expected 4");
  must("postgres.counts", {{"tables", tables},
                           {"expected", Value::Map{{"authdb.users", 2}, {"apidb.profiles", 1}}},
                           {"compare", "at_least"}});
}

TEST_F(PostgresSteps, ATableWithoutAnExpectationIsNotPassedOver) {
  EXPECT_THAT(
      refused("postgres.counts", {{"tables", Value::List{"authdb.users"}}, {"expected", Value::Map{}}}),
      HasSubstr("expected is not known"));
}

TEST_F(PostgresSteps, DatabasesThatMustBeThereAreMissed) {
  const Value outputs = must("postgres.databases", {{"expected", Value::List{"authdb"}}});
  EXPECT_EQ(to_json(*outputs.find("databases")), R"(["apidb","authdb","postgres"])");
  EXPECT_EQ(refused("postgres.databases", {{"expected", Value::List{"authdb", "admindb"}}}),
            "databases are missing: admindb");
}

// One session holds a lock, another waits for it.
class PostgresLocks : public PostgresSteps {
 protected:
  PostgresLocks() {
    holder_ = connect(server(), "authdb");
    DR_CHECK(holder_->query("BEGIN").ok() && holder_->query("LOCK TABLE users").ok());
    victim_ = std::async(std::launch::async,
                         [this] { return connect(server(), "authdb")->query("SELECT count(*) FROM users"); });
    while (server().value("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0") clock_->pause(5ms);
  }
  ~PostgresLocks() override { holder_.reset(); }

  std::unique_ptr<postgres::SqlConnection> holder_;
  std::future<Result<std::vector<postgres::SqlRow>>> victim_;
};

TEST_F(PostgresLocks, TheRootOfTheChainIsNamedAndCanBeEnded) {
  const Value locks = must("postgres.locks", {});
  EXPECT_EQ(locks.integer_at("waiting"), 1);
  must("postgres.terminate",
       {{"pid", *locks.find("blocker_pid")}, {"backend_start", *locks.find("blocker_backend_start")}});
  EXPECT_TRUE(victim_.get().ok());
  EXPECT_EQ(must("postgres.locks", {}).integer_at("waiting"), 0);
}

TEST_F(PostgresLocks, AnotherSessionWithTheSameNumberIsNeverHit) {
  const Value locks = must("postgres.locks", {});
  const Value outputs = must("postgres.terminate", {{"pid", *locks.find("blocker_pid")},
                                                    {"backend_start", "2001-01-01 00:00:00+00"}});
  EXPECT_FALSE(outputs.boolean_at("ended"));
  EXPECT_TRUE(holder_->query("SELECT 1").ok());
}

TEST_F(PostgresLocks, ACancelledQueryEndsAndItsSessionStays) {
  const Value activity = must("postgres.activity", {});
  EXPECT_EQ(activity.integer_at("count"), 2);
  const std::string waiting = server().value("SELECT pid FROM pg_locks WHERE NOT granted");
  must("postgres.cancel", {{"pid", std::stoll(waiting)}});
  EXPECT_THAT(victim_.get().error().what, HasSubstr("57014"));
}

TEST_F(PostgresLocks, WhatAStepKilledHalfWayMeantIsFoundOut) {
  const StepType& step = *find_step_type("postgres.terminate");
  StepContext one = context(
      step.name, {{"datastore", "databases"}, {"pid", *must("postgres.locks", {}).find("blocker_pid")}});
  one.recorded = *step.prepare(one);
  EXPECT_EQ(*step.reconcile(one), Happened::kNo);
  ASSERT_TRUE(step.act(one).ok());
  EXPECT_EQ(*step.reconcile(one), Happened::kYes);
  EXPECT_TRUE(one.outputs.boolean_at("ended"));
}

TEST_F(PostgresSteps, AScriptThatProvesTheDataFailsTheStepWithItsReason) {
  const auto script = [&](const std::string& sql) {
    DR_CHECK(replace_file(*fs_, scratch_.path() / "check.sql", as_bytes(sql)).ok());
    return Value::Map{{"script", "check.sql"}, {"database", "authdb"}};
  };
  must("postgres.integrity", script("\\echo checks\nSELECT count(*) FROM users;"));
  EXPECT_THAT(
      refused("postgres.integrity", script("DO $$ BEGIN RAISE EXCEPTION 'integrity is broken'; END $$;")),
      HasSubstr("integrity is broken"));
  EXPECT_THAT(refused("postgres.integrity", script("DELETE FROM users;")),
              HasSubstr("read-only transaction"));
  Value::Map with = script("SELECT 'user ' || id FROM users WHERE id > 2;");
  with["rows_are_failures"] = true;
  EXPECT_THAT(refused("postgres.integrity", with), HasSubstr("user 3"));
}

TEST_F(PostgresSteps, EveryStepOfTheFamilyPreviewsAndTellsWhatToType) {
  for (const StepType& step : step_types()) {
    if (!step.name.starts_with("postgres.")) continue;
    EXPECT_NE(step.preview, nullptr) << step.name;
    EXPECT_FALSE(step.by_hand(context(step.name, {})).empty() && step.name != "postgres.counts") << step.name;
    EXPECT_EQ(step.after_crash == AfterCrash::kReconcile, step.reconcile != nullptr) << step.name;
  }
}

}  // namespace
}  // namespace daruma::run
