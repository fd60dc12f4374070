// What a worker gets from its pool of PostgreSQL connections, told on a real server: answers, errors by their
// kind, and when the server, a session or the network fails, an error in time and a new connection by itself.
#include <gmock/gmock.h>

#include "service/postgres.h"
#include "service/reconnect.h"
#include "support/postgres_server.h"
#include "support/service_world.h"
#include "support/tcp_proxy.h"

namespace daruma::service {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Statement kAnswer{"answer", "SELECT $1::text"};
constexpr Statement kAdd{"add", "SELECT $1::int + $2::int"};
constexpr Statement kSleep{"sleep", "SELECT pg_sleep(600)"};
constexpr Statement kInsert{"insert", "INSERT INTO booking (room, guest) VALUES ($1, $2)"};
constexpr Statement kCount{"count", "SELECT count(*) FROM booking"};
constexpr Statement kBroken{"broken", "SELECT nothing FROM nowhere"};

class PostgresPoolTest : public testing::Test {
 protected:
  // One server for all of them, since to make one takes longer than most tests. A test that stops it or
  // changes how it is set up puts that right.
  static void SetUpTestSuite() {
    the_server = std::make_unique<PostgresServer>(
        PostgresOptions{.tcp = true, .configuration = {"deadlock_timeout = 20ms"}});
    the_server->start();
  }
  static void TearDownTestSuite() { the_server.reset(); }

  void SetUp() override {
    end_sessions();
    server_.sql("DROP TABLE IF EXISTS booking");
    server_.sql("CREATE TABLE booking (room text PRIMARY KEY, guest text NOT NULL CHECK (guest <> ''))");
  }
  PostgresSettings settings() const {
    PostgresSettings settings;
    settings.host = "127.0.0.1";
    settings.port = server_.tcp_settings().port;
    settings.user = settings.database = "postgres";
    settings.connections = 2;
    settings.connect_time_max = 10min;  // a busy machine is no silent server
    return settings;
  }
  void connect(PostgresSettings settings) {
    const size_t connections = settings.connections;
    begin_to_connect(std::move(settings));
    ASSERT_TRUE(world_.until([&] { return pool_->open() == connections; }));
  }
  void connect() { connect(settings()); }
  void connect_one() {
    PostgresSettings one = settings();
    one.connections = 1;
    connect(one);
  }
  void begin_to_connect(PostgresSettings settings) {
    pool_ = PostgresPool::create(world_.io, std::move(settings), *world_.clock, *world_.random, world_.log,
                                 world_.metrics);
  }
  Result<Rows> run(const Statement& statement, SqlValues values = {}) {
    return world_.run(pool_->run(statement, std::move(values), world_.soon()));
  }
  auto begin(const Statement& statement, SqlValues values, Deadline deadline) {
    return world_.begin(pool_->run(statement, std::move(values), deadline));
  }
  auto begin(const Statement& statement, SqlValues values = {}) {
    return begin(statement, std::move(values), world_.soon());
  }
  // Returns when the server has ended all sessions of pools; the event loop has not seen it yet.
  void end_sessions() {
    server_.sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = "
        "'daruma-service'");
  }
  // Returns when the server runs as many of kSleep.
  bool sleeping(int count) {
    return world_.until([&] {
      return server_.value(
                 "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE "
                 "'%pg_sleep(600)' AND pid <> pg_backend_pid()") == std::to_string(count);
    });
  }
  bool up(size_t connections = 2) {
    return world_.until([&] { return pool_->open() == connections; });
  }
  std::string count(const std::string& outcome) {
    return world_.metric("postgres_statements_total{outcome=\"" + outcome + "\"}");
  }
  std::string gauge(const std::string& state) {
    return world_.metric("postgres_pool_connections{state=\"" + state + "\"}");
  }

  static std::unique_ptr<PostgresServer> the_server;
  PostgresServer& server_ = *the_server;
  ServiceWorld world_;
  std::unique_ptr<PostgresPool> pool_;
};

std::unique_ptr<PostgresServer> PostgresPoolTest::the_server;

// --- answers

TEST_F(PostgresPoolTest, GivesRowsAsText) {
  connect();
  EXPECT_EQ(run(kAnswer, {"東京"})->text(0, 0), "東京");
  EXPECT_TRUE(run(kAnswer, {std::nullopt})->is_null(0, 0));
  EXPECT_EQ(run(kAdd, {"40", "2"})->number(0, 0), 42);
  EXPECT_EQ(run(kInsert, {"101", "佐藤"})->affected(), 1u);
  EXPECT_EQ(run(kCount)->number(0, 0), 1);
  EXPECT_EQ(count("ok"), "5");
  EXPECT_THAT(world_.log.lines, testing::IsEmpty());
}

TEST_F(PostgresPoolTest, PreparesAStatementOnceAConnection) {
  connect_one();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(run(kAnswer, {"x"}).ok());
  static constexpr Statement kUses{"uses",
                                   "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE "
                                   "name = 'answer'"};
  EXPECT_EQ(run(kUses)->number(0, 0), 10);
}

TEST_F(PostgresPoolTest, MovesStatementsAndRowsThatDoNotFitIntoOneWrite) {
  connect();
  const std::string large(20 << 20, 'x');
  EXPECT_EQ(run(kAnswer, {large})->text(0, 0).size(), large.size());
}

TEST_F(PostgresPoolTest, StatementsBeyondTheConnectionsWaitForOne) {
  connect();
  std::vector<std::shared_ptr<std::optional<Result<Rows>>>> all;
  for (int i = 0; i < 100; ++i) all.push_back(begin(kAdd, {std::to_string(i), "1"}));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(world_.until([&] { return all[static_cast<size_t>(i)]->has_value(); }));
    EXPECT_EQ((**all[static_cast<size_t>(i)])->number(0, 0), i + 1);
  }
  EXPECT_EQ(gauge("idle"), "2");
  EXPECT_EQ(gauge("busy"), "0");
}

TEST_F(PostgresPoolTest, TellsErrorsByTheirKindAndNeverAValue) {
  connect_one();
  ASSERT_TRUE(run(kInsert, {"101", "Sato"}).ok());
  const auto taken = run(kInsert, {"101", "Secret Guest"});
  EXPECT_TRUE(taken.is(Errc::kExists));
  EXPECT_THAT(taken.error().what, HasSubstr("23505"));
  EXPECT_THAT(taken.error().what, Not(HasSubstr("Secret")));
  EXPECT_TRUE(run(kInsert, {"102", ""}).is(Errc::kInvalid));
  EXPECT_TRUE(run(kInsert, {"102", std::nullopt}).is(Errc::kInvalid));
  const auto no_number = run(kAdd, {"secret", "1"});
  EXPECT_EQ(no_number.error().what, "PostgreSQL: 22P02: invalid input syntax for type integer");
  EXPECT_TRUE(run(kBroken).is(Errc::kFailed));
  EXPECT_TRUE(run(kBroken).is(Errc::kFailed));
  EXPECT_EQ(run(kCount)->number(0, 0), 1);  // and the connection is as good as before
  EXPECT_EQ(count("exists"), "1");
  EXPECT_EQ(count("invalid"), "3");
  EXPECT_EQ(count("failed"), "2");
}

TEST_F(PostgresPoolTest, AStatementWhoseTablesChangedIsPreparedAnew) {
  static constexpr Statement kAll{"all", "SELECT * FROM booking"};
  connect_one();
  ASSERT_TRUE(run(kAll).ok());
  server_.sql("ALTER TABLE booking ADD COLUMN nights int");
  EXPECT_TRUE(run(kAll).is(Errc::kUnavailable));
  EXPECT_TRUE(run(kAll).ok());
}

// --- transactions

TEST_F(PostgresPoolTest, AllStatementsOfATransactionHappen) {
  connect();
  const auto results = world_.run(pool_->run_all(
      {{&kInsert, {"101", "Sato"}}, {&kInsert, {"102", "Suzuki"}}, {&kCount, {}}}, world_.soon()));
  ASSERT_TRUE(results.ok()) << results.error().what;
  ASSERT_EQ(results->size(), 3u);
  EXPECT_EQ((*results)[0].affected(), 1u);
  EXPECT_EQ((*results)[2].number(0, 0), 2);
}

TEST_F(PostgresPoolTest, OrNoneOfThem) {
  connect_one();
  const auto taken = world_.run(pool_->run_all(
      {{&kInsert, {"101", "Sato"}}, {&kInsert, {"101", "Suzuki"}}, {&kCount, {}}}, world_.soon()));
  EXPECT_TRUE(taken.is(Errc::kExists));
  EXPECT_EQ(run(kCount)->number(0, 0), 0);
}

TEST_F(PostgresPoolTest, AConstraintCheckedAtTheEndRollsAllBack) {
  server_.sql("ALTER TABLE booking ADD UNIQUE (guest) DEFERRABLE INITIALLY DEFERRED");
  connect_one();
  const auto taken =
      world_.run(pool_->run_all({{&kInsert, {"101", "Sato"}}, {&kInsert, {"102", "Sato"}}}, world_.soon()));
  EXPECT_TRUE(taken.is(Errc::kExists));
  EXPECT_EQ(run(kCount)->number(0, 0), 0);
}

TEST_F(PostgresPoolTest, OfTwoThatWaitForEachOtherOneIsToldToTryAgain) {
  static constexpr Statement kTouch{"touch", "UPDATE booking SET guest = guest WHERE room = $1"};
  static constexpr Statement kWait{"wait", "SELECT pg_sleep(0.05)"};
  server_.sql("INSERT INTO booking VALUES ('1', 'a'), ('2', 'b')");
  connect();
  const auto one =
      world_.begin(pool_->run_all({{&kTouch, {"1"}}, {&kWait, {}}, {&kTouch, {"2"}}}, world_.soon()));
  const auto two =
      world_.begin(pool_->run_all({{&kTouch, {"2"}}, {&kWait, {}}, {&kTouch, {"1"}}}, world_.soon()));
  ASSERT_TRUE(world_.until([&] { return one->has_value() && two->has_value(); }));
  EXPECT_NE((*one)->ok(), (*two)->ok());
  EXPECT_TRUE((*one)->ok() ? (*two)->is(Errc::kUnavailable) : (*one)->is(Errc::kUnavailable));
}

// --- deadlines and load

TEST_F(PostgresPoolTest, AStatementWhoseDeadlinePassesIsCancelledAndItsConnectionGivenUp) {
  connect_one();
  const auto late = begin(kSleep, {}, world_.clock->after(20ms));
  const auto after = begin(kAnswer, {"x"});
  ASSERT_TRUE(world_.until([&] { return late->has_value(); }));
  EXPECT_TRUE((*late)->is(Errc::kUnavailable));
  EXPECT_THAT((*late)->error().what, HasSubstr("deadline"));
  ASSERT_TRUE(world_.until([&] { return after->has_value(); }));
  EXPECT_EQ((**after)->text(0, 0), "x");  // its own answer, not a late one
  EXPECT_TRUE(sleeping(0));
  EXPECT_EQ(count("late"), "1");
}

TEST_F(PostgresPoolTest, WhoWaitsForAConnectionDoesSoUntilHisDeadline) {
  connect_one();
  const auto sleep = begin(kSleep);
  const auto waiting = begin(kAnswer, {"x"}, world_.clock->after(5ms));
  ASSERT_TRUE(world_.until([&] { return waiting->has_value(); }));
  EXPECT_THAT((*waiting)->error().what, HasSubstr("deadline"));
  EXPECT_FALSE(sleep->has_value());
  EXPECT_EQ(gauge("busy"), "1");
}

TEST_F(PostgresPoolTest, MoreThanMayWaitAreShedAtOnce) {
  PostgresSettings small = settings();
  small.connections = 1;
  small.waiting_max = 2;
  connect(small);
  const auto sleep = begin(kSleep);
  const auto first = begin(kAnswer, {"1"});
  const auto second = begin(kAnswer, {"2"});
  EXPECT_THAT(run(kAnswer, {"3"}).error().what, HasSubstr("too many statements"));
  EXPECT_FALSE(first->has_value());
  EXPECT_EQ(count("shed"), "1");
}

TEST_F(PostgresPoolTest, CloseLetsWhatRunsEnd) {
  connect_one();
  const auto running = begin(kAnswer, {"running"});
  const auto waiting = begin(kAnswer, {"waiting"});
  world_.io.run_for(std::chrono::microseconds(1));
  world_.run(pool_->close());
  EXPECT_EQ((**running)->text(0, 0), "running");
  EXPECT_EQ((**waiting)->text(0, 0), "waiting");
  EXPECT_TRUE(run(kAnswer, {"late"}).is(Errc::kUnavailable));
  EXPECT_EQ(pool_->open(), 0u);
}

TEST_F(PostgresPoolTest, MayEndWhileStatementsRunAndWait) {
  connect_one();
  const auto running = begin(kSleep);
  const auto waiting = begin(kAnswer, {"x"});
  world_.io.poll();
  ASSERT_TRUE(sleeping(1));
  pool_.reset();
  world_.io.run_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(running->has_value());
  EXPECT_FALSE(waiting->has_value());
}

// --- failures, and back again

TEST_F(PostgresPoolTest, ASessionEndedUnderAStatementFailsItAndIsMadeAnew) {
  connect();
  const auto sleep = begin(kSleep);
  ASSERT_TRUE(sleeping(1));
  server_.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND "
      "pid <> pg_backend_pid()");
  ASSERT_TRUE(world_.until([&] { return sleep->has_value(); }));
  EXPECT_TRUE((*sleep)->is(Errc::kUnavailable));
  EXPECT_THAT((*sleep)->error().what, HasSubstr("57P01"));
  ASSERT_TRUE(up());
  EXPECT_EQ(world_.log.unrecovered(), 0u);
  ASSERT_EQ(world_.log.recovered(), 1u);
  EXPECT_THAT(world_.log.lines[0].recovered, HasSubstr("by connecting anew"));
}

TEST_F(PostgresPoolTest, AStatementForASessionThatHasEndedGoesToANewOne) {
  connect();
  // The event loop sees nothing of this before the statement is asked for.
  server_.sql(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = "
      "'daruma-service'");
  EXPECT_EQ(run(kAnswer, {"healed"})->text(0, 0), "healed");
  EXPECT_EQ(world_.log.unrecovered(), 0u);
  EXPECT_EQ(world_.log.recovered(), 1u);
}

TEST_F(PostgresPoolTest, AServerKilledUnderStatementsFailsThemAtOnceAndIsFoundAgain) {
  connect();
  const auto one = begin(kSleep);
  const auto two = begin(kSleep);
  const auto waiting = begin(kAnswer, {"x"});
  ASSERT_TRUE(sleeping(2));
  server_.kill9();
  ASSERT_TRUE(world_.until([&] { return one->has_value() && two->has_value() && waiting->has_value(); }));
  for (const auto& each : {one, two, waiting}) EXPECT_TRUE((*each)->is(Errc::kUnavailable));
  EXPECT_TRUE(run(kAnswer, {"x"}).is(Errc::kUnavailable));
  EXPECT_EQ(gauge("away"), "2");
  ASSERT_EQ(world_.log.unrecovered(), 1u);
  EXPECT_THAT(world_.log.lines[0].message, HasSubstr("PostgreSQL is away"));

  server_.start();
  ASSERT_TRUE(up());
  EXPECT_EQ(run(kAnswer, {"x"})->text(0, 0), "x");
  EXPECT_EQ(world_.log.unrecovered(), 1u);
  EXPECT_EQ(world_.log.recovered(), 1u);
}

TEST_F(PostgresPoolTest, WhileTheServerIsAwayOnlyOneConnectionTries) {
  PostgresSettings many = settings();
  TcpProxy network(many.port);
  many.port = network.port();
  many.connections = 8;
  many.connect_time_max = 100ms;
  connect(many);
  const size_t made = network.connections();
  const size_t told = world_.log.unrecovered();
  network.fall_silent();
  std::vector<std::shared_ptr<std::optional<Result<Rows>>>> all;
  for (int i = 0; i < 8; ++i) all.push_back(begin(kAnswer, {"x"}, world_.clock->after(1ms)));
  ASSERT_TRUE(world_.until([&] { return network.connections() > made + 8; }));  // each tried, and one again
  network.most_at_once();
  network.most_at_once();
  ASSERT_TRUE(world_.until([&] { return network.connections() > made + 11; }));
  EXPECT_LE(network.most_at_once(), 2u);  // the last one's end may still be on its way
  EXPECT_EQ(world_.log.unrecovered(), told + 1);
  network.recover();
  ASSERT_TRUE(up(8));
}

TEST_F(PostgresPoolTest, AServerThatIsNotThereFromTheBeginningIsFoundWhenItComes) {
  server_.stop();
  begin_to_connect(settings());
  EXPECT_TRUE(run(kAnswer, {"x"}).is(Errc::kUnavailable));  // waited for the first try only
  server_.start();
  ASSERT_TRUE(up());
  EXPECT_EQ(world_.log.unrecovered(), 1u);
  EXPECT_EQ(world_.log.recovered(), 1u);
}

TEST_F(PostgresPoolTest, AStatementThatComesWhenTheServerIsBackDoesNotWaitForTheNextTry) {
  connect();
  server_.stop();
  ASSERT_TRUE(
      world_.until([&] { return run(kAnswer, {"x"}).error().what.find("away") != std::string::npos; }));
  server_.start();
  // The first may come right after a try that failed; from then on nobody is refused.
  const MonoInstant first = world_.clock->mono();
  (void)run(kAnswer, {"x"}).ok();
  ASSERT_TRUE(world_.until([&] { return world_.clock->mono() - first > Backoff::kFirst; }));
  EXPECT_TRUE(run(kAnswer, {"x"}).ok());
}

TEST_F(PostgresPoolTest, ANetworkThatResetsIsNoticedAlsoByIdleConnections) {
  PostgresSettings far = settings();
  TcpProxy network(far.port);
  far.port = network.port();
  connect(far);
  network.reset_all();
  ASSERT_TRUE(world_.until([&] { return world_.log.recovered() == 1; }));
  ASSERT_TRUE(up());
  EXPECT_EQ(network.connections(), 4u);
}

TEST_F(PostgresPoolTest, ANetworkThatFallsSilentCostsADeadlineAndNoMore) {
  PostgresSettings far = settings();
  TcpProxy network(far.port);
  far.port = network.port();
  far.connect_time_max = 200ms;
  connect(far);
  const size_t told = world_.log.unrecovered();
  network.fall_silent();
  const auto one = begin(kAnswer, {"x"}, world_.clock->after(5ms));
  const auto two = begin(kAnswer, {"x"}, world_.clock->after(5ms));
  ASSERT_TRUE(world_.until([&] { return one->has_value() && two->has_value(); }));
  EXPECT_TRUE((*one)->is(Errc::kUnavailable));
  // No new connection comes about, and from then on nobody waits.
  ASSERT_TRUE(world_.until([&] { return world_.log.unrecovered() == told + 1; }));
  EXPECT_THAT(world_.log.lines.back().message, HasSubstr("no connection within 200 ms"));
  EXPECT_THAT(run(kAnswer, {"x"}).error().what, HasSubstr("away"));
  network.recover();
  ASSERT_TRUE(up());
  EXPECT_TRUE(run(kAnswer, {"x"}).ok());
}

TEST_F(PostgresPoolTest, SpeaksThroughAUnixSocketAndToHostsByName) {
  PostgresSettings by_socket = settings();
  by_socket.host = server_.settings().host;
  connect(by_socket);
  EXPECT_TRUE(run(kAnswer, {"x"}).ok());
  server_.sql(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = "
      "'daruma-service'");
  EXPECT_TRUE(run(kAnswer, {"x"}).ok());

  PostgresSettings by_name = settings();
  by_name.host = "localhost";
  connect(by_name);
  EXPECT_TRUE(run(kAnswer, {"x"}).ok());
}

TEST_F(PostgresPoolTest, AWrongPasswordIsToldWithoutNamingIt) {
  server_.write_file("pg_hba.conf", "local all all trust\nhost all all all scram-sha-256\n");
  server_.sql("ALTER ROLE postgres PASSWORD 'horse battery'");
  server_.restart();
  PostgresSettings wrong = settings();
  wrong.password = "staple";
  begin_to_connect(wrong);
  ASSERT_TRUE(world_.until([&] { return world_.log.unrecovered() == 1; }));
  EXPECT_THAT(world_.log.lines[0].message, HasSubstr("password authentication failed"));
  EXPECT_THAT(world_.log.lines[0].message, Not(HasSubstr("staple")));
  PostgresSettings right = settings();
  right.password = "horse battery";
  connect(right);
  server_.write_file("pg_hba.conf", "local all all trust\nhost all all all trust\n");
  server_.restart();
}

}  // namespace
}  // namespace daruma::service
