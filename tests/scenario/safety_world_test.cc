// What the safety rules see of real servers: whose postmaster holds a data directory, whom a standby follows,
// and whether what a step proved is there still.
#include "run/safety_world.h"

#include "os/files.h"
#include "support/postgres_steps.h"

namespace daruma::run {
namespace {

using testing::HasSubstr;

class SeenByTheRules : public StepWorld {
 protected:
  SeenByTheRules() {
    server_.start();
    look_at(server_);
  }
  void look_at(const PostgresServer& server) {
    use(server);
    config_.state = scratch_.path() / "state";
    config_.services.assign(1, ServiceConfig());
    config_.services[0].name = "pg";
    config_.datastores[0].service = "pg";
  }
  std::optional<int> foreign() const {
    return world().foreign_server(config_.datastores[0], config_.services[0]);
  }
  std::string followed() const {
    const auto from = world().receives_from({{"datastore", "databases"}});
    EXPECT_TRUE(from.ok()) << from.error().what;
    return from.ok() ? *from : "";
  }
  Status there(const Value& outputs) const {
    return world().still_there({"proof", nullptr, {{"datastore", "databases"}}, outputs});
  }
  SafetyWorld world() const { return real_safety_world(runner_, config_); }

  PostgresServer server_;
  RunnerWorld runner_{*fs_, *clock_, *processes_, "daruma"};
};

TEST_F(SeenByTheRules, AServerThatTheServiceDidNotStartIsForeignWhileItLives) {
  const std::string first = std::string(as_text(*read_file(*fs_, server_.data() / "postmaster.pid", 4096)));
  EXPECT_EQ(foreign(), std::stoi(first));
  server_.kill9();
  EXPECT_TRUE(fs_->info(server_.data() / "postmaster.pid").ok()) << "its file alone proves nothing";
  EXPECT_EQ(foreign(), std::nullopt);
}

TEST_F(SeenByTheRules, AStandbyTellsWhomItFollowsWhileThatOneLives) {
  EXPECT_EQ(followed(), "") << "a primary follows nobody";
  const Path copy = server_.make_directory("standby");
  const ProcessExit copied =
      server_.tool("pg_basebackup", {"-D", copy.string(), "-R", "-X", "stream", "-c", "fast"});
  ASSERT_EQ(copied.code, 0) << copied.output;
  PostgresServer standby(copy);
  standby.start();
  look_at(standby);
  const Deadline deadline = clock_->after(60s);
  while (followed().empty() && !deadline.passed(clock_->mono())) clock_->pause(10ms);
  EXPECT_NE(followed(), "");
  server_.stop();
  while (!followed().empty() && !deadline.passed(clock_->mono())) clock_->pause(10ms);
  EXPECT_EQ(followed(), "");
}

TEST_F(SeenByTheRules, ADatabaseOrADumpThatIsGoneIsMissed) {
  server_.sql("CREATE DATABASE beside");
  EXPECT_TRUE(there(Value::Map{{"database", "beside"}}).ok());
  server_.sql("DROP DATABASE beside");
  EXPECT_THAT(there(Value::Map{{"database", "beside"}}).error().what, HasSubstr("no database beside"));

  const Path dump = scratch_.path() / "a.sql";
  ASSERT_TRUE(replace_file(*fs_, dump, as_bytes("12345")).ok());
  const Value proof = Value::Map{{"source", "file"}, {"file", dump.string()}, {"bytes", 5}};
  EXPECT_TRUE(there(proof).ok());
  ASSERT_TRUE(replace_file(*fs_, dump, as_bytes("123")).ok());
  EXPECT_THAT(there(proof).error().what, HasSubstr("had 5 bytes, and now has 3"));
}

}  // namespace
}  // namespace daruma::run
