// What a monitor is told: the state of the service and of what it depends on, also while a dependency hangs.
#include "service/health.h"

#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <stdexcept>

#include "os/scratch_dir.h"
#include "os/sim_file_system.h"

namespace daruma::service {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

namespace asio = boost::asio;

class HealthTest : public testing::Test {
 protected:
  // A dependency that answers what `answers_` says.
  void add(const std::string& name, bool needed = false) {
    health_.add({.name = name, .component = "datastore", .needed = needed, .every = 1us, .ask = [this, name] {
                   return answer(name);
                 }});
  }
  Task<HealthAnswer> answer(std::string name) {
    ++asked_[name];
    co_return answers_[name];
  }
  void watch() { asio::co_spawn(io_, health_.watch(), asio::detached); }
  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) ASSERT_EQ(io_.run_one(), 1u);
  }
  void run_until_asked_again(const std::string& name) {
    run_until([&] { return asked_[name] > 0; });
    clock_.advance(1s);                   // the start is over
    const int wanted = asked_[name] + 2;  // an answer is noted before the next question
    run_until([&] { return asked_[name] >= wanted; });
  }
  static std::string status(const Response& response) {
    return std::string(boost::json::parse(response.body).at("status").as_string());
  }
  boost::json::object check(const std::string& name) const {
    return boost::json::parse(health_.detailed().body).at("checks").at(name).at(0).as_object();
  }

  ManualClock clock_;
  Health health_{"stay", "1.0", clock_};
  std::map<std::string, HealthAnswer> answers_;
  std::map<std::string, int> asked_;
  asio::io_context io_{1};
};

TEST_F(HealthTest, AServiceThatDependsOnNothingPasses) {
  const Response response = health_.brief();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/health+json");
  EXPECT_EQ(response.body, R"({"status":"pass","version":"1.0","serviceId":"stay"})");
}

TEST_F(HealthTest, WhatWasNotAskedYetDoesNotCount) {
  add("PostgreSQL", true);
  EXPECT_TRUE(health_.ready());
  EXPECT_EQ(status(health_.brief()), "pass");
  EXPECT_EQ(check("PostgreSQL").at("status").as_string(), "warn");
  EXPECT_EQ(check("PostgreSQL").at("output").as_string(), "not asked yet");
}

TEST_F(HealthTest, EveryDependencyIsAskedAgainAndAgain) {
  add("PostgreSQL");
  add("Redis");
  watch();
  run_until([&] { return asked_["PostgreSQL"] > 3 && asked_["Redis"] > 3; });
  EXPECT_EQ(check("Redis").at("status").as_string(), "pass");
}

TEST_F(HealthTest, AFailureOfWhatIsNeededMakesTheServiceNotReady) {
  add("PostgreSQL", true);
  answers_["PostgreSQL"] = {HealthState::kFail, "connection refused"};
  watch();
  run_until_asked_again("PostgreSQL");
  EXPECT_FALSE(health_.ready());
  EXPECT_EQ(health_.brief().status, 503);
  EXPECT_EQ(health_.detailed().status, 503);
  EXPECT_EQ(health_.brief().body, R"({"status":"fail","version":"1.0","serviceId":"stay",)"
                                  R"("output":"PostgreSQL: connection refused"})");
  answers_["PostgreSQL"] = {};
  run_until_asked_again("PostgreSQL");
  EXPECT_EQ(health_.brief().status, 200);
  EXPECT_EQ(status(health_.brief()), "pass");
}

TEST_F(HealthTest, AFailureAtTheStartDoesNotCountYet) {
  add("Redis", true);
  answers_["Redis"] = {HealthState::kFail, "not connected yet"};
  watch();
  run_until([&] { return asked_["Redis"] > 3; });
  EXPECT_TRUE(health_.ready());
  EXPECT_EQ(check("Redis").at("output").as_string(), "not connected yet");
  clock_.advance(1s);
  run_until([&] { return !health_.ready(); });
}

TEST_F(HealthTest, ItIsSettledWhenAllThatIsNeededIsKnown) {
  EXPECT_TRUE(health_.settled());
  add("PostgreSQL", true);
  add("Redis");
  answers_["PostgreSQL"] = {HealthState::kFail, "not connected yet"};
  watch();
  run_until([&] { return asked_["PostgreSQL"] > 2; });
  EXPECT_FALSE(health_.settled());
  answers_["PostgreSQL"] = {};
  run_until([&] { return health_.settled(); });
  EXPECT_TRUE(health_.ready());
}

TEST_F(HealthTest, OnceItPassedAFailureCountsAtOnce) {
  add("Redis", true);
  watch();
  run_until([&] { return asked_["Redis"] > 1; });
  answers_["Redis"] = {HealthState::kFail, "away"};
  run_until([&] { return !health_.ready(); });
}

TEST_F(HealthTest, AFailureOfWhatIsNotNeededWarns) {
  add("Redis");
  answers_["Redis"] = {HealthState::kFail, "away"};
  watch();
  run_until_asked_again("Redis");
  EXPECT_TRUE(health_.ready());
  EXPECT_EQ(health_.brief().status, 200);
  EXPECT_EQ(status(health_.brief()), "warn");
}

TEST_F(HealthTest, TheDetailsSayStateLatencyAndSinceWhen) {
  clock_.advance(1s);
  add("PostgreSQL");
  health_.report("PostgreSQL", {}, 1500us);
  clock_.advance(1s);
  health_.report("PostgreSQL", {}, 2500us);
  EXPECT_EQ(boost::json::serialize(check("PostgreSQL")),
            R"({"status":"pass","componentType":"datastore","observedValue":2.5E0,"observedUnit":"ms",)"
            R"("latencyMs":2.5E0,"since":"2023-11-14T22:13:21Z","time":"2023-11-14T22:13:22Z"})");
}

TEST_F(HealthTest, AStateThatChangesSaysSinceWhen) {
  add("Redis");
  health_.report("Redis", {}, 1ms);
  clock_.advance(5s);
  health_.report("Redis", {HealthState::kFail, "away"}, 1ms);
  clock_.advance(5s);
  health_.report("Redis", {HealthState::kFail, "still away"}, 1ms);
  EXPECT_EQ(check("Redis").at("since").as_string(), "2023-11-14T22:13:25Z");
  EXPECT_EQ(check("Redis").at("output").as_string(), "still away");
}

TEST_F(HealthTest, AReportIsNewsAtOnce) {
  add("PostgreSQL", true);
  health_.report("PostgreSQL", {HealthState::kFail, "lost"}, 1ms);
  EXPECT_EQ(health_.brief().status, 503);
  health_.report("nobody", {HealthState::kFail}, 1ms);
}

TEST_F(HealthTest, AMeasuredValueStandsInPlaceOfTheLatency) {
  add("disk");
  health_.report("disk", {.value = 42.5, .unit = "% free"}, 1ms);
  EXPECT_EQ(check("disk").at("observedValue").as_double(), 42.5);
  EXPECT_EQ(check("disk").at("observedUnit").as_string(), "% free");
  EXPECT_EQ(check("disk").at("latencyMs").as_double(), 1.0);
}

TEST_F(HealthTest, WhileDrainingItIsNotReady) {
  health_.set_draining();
  EXPECT_FALSE(health_.ready());
  EXPECT_EQ(health_.brief().status, 503);
  EXPECT_THAT(health_.brief().body, HasSubstr(R"("output":"draining)"));
}

TEST_F(HealthTest, AHangingDependencyFailsAndIsNotAskedTwice) {
  asio::steady_timer answer_now(io_, asio::steady_timer::time_point::max());
  int asked = 0;
  health_.add({.name = "provider",
               .component = "component",
               .every = 1us,
               .time_max = 1us,
               .ask = [&]() -> Task<HealthAnswer> {
                 ++asked;
                 boost::system::error_code woken;
                 co_await answer_now.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                 co_return HealthAnswer{};
               }});
  add("Redis");
  watch();
  run_until([&] { return asked_["Redis"] > 5 && check("provider").at("status").as_string() == "fail"; });
  EXPECT_THAT(std::string(check("provider").at("output").as_string()), StartsWith("no answer for "));
  run_until_asked_again("Redis");
  EXPECT_EQ(asked, 1);
  answer_now.cancel();
  run_until([&] { return check("provider").at("status").as_string() == "pass"; });
}

TEST_F(HealthTest, AQuestionThatThrowsIsAFailure) {
  health_.add({.name = "bug", .component = "component", .every = 1us, .ask = []() -> Task<HealthAnswer> {
                 throw std::runtime_error("thrown");
                 co_return HealthAnswer{};
               }});
  watch();
  io_.run_one();
  clock_.advance(1s);  // the start is over
  run_until([&] { return check("bug").at("status").as_string() == "fail"; });
}

TEST_F(HealthTest, AWatchThatIsCancelledEnds) {
  add("PostgreSQL");
  add("Redis");
  asio::cancellation_signal stop;
  bool ended = false;
  asio::co_spawn(io_, health_.watch(),
                 asio::bind_cancellation_slot(stop.slot(), [&](const std::exception_ptr&) { ended = true; }));
  run_until([&] { return asked_["Redis"] > 2; });
  stop.emit(asio::cancellation_type::terminal);
  run_until([&] { return ended; });
  while (io_.run_one() > 0) {
  }
}

TEST_F(HealthTest, TextsOfOthersBreakNoJson) {
  add("a\"b");
  health_.report("a\"b", {HealthState::kFail, "\xFF\"\n"}, 1ms);
  EXPECT_EQ(check("a\"b").at("output").as_string(), "\xEF\xBF\xBD\"\n");
}

HealthAnswer ask_once(const HealthCheck& check) {
  asio::io_context io{1};
  HealthAnswer answer;
  asio::co_spawn(io, check.ask(),
                 [&](const std::exception_ptr&, HealthAnswer told) { answer = std::move(told); });
  io.run();
  return answer;
}

TEST(DiskHealth, TellsHowMuchIsFree) {
  SimFileSystem disk;
  const HealthCheck check = disk_check(disk, "/");
  EXPECT_EQ(ask_once(check).state, HealthState::kPass);
  EXPECT_EQ(ask_once(check).value, 100.0);
  disk.set_full(true);
  EXPECT_EQ(ask_once(check).state, HealthState::kFail);
  EXPECT_EQ(ask_once(check).output, "0 B free at '/'");
  EXPECT_EQ(ask_once(disk_check(disk, "/missing")).state, HealthState::kFail);
}

TEST(MemoryHealth, WarnsBeforeTheLimit) {
  EXPECT_EQ(ask_once(memory_check(0)).state, HealthState::kPass);
  EXPECT_GT(*ask_once(memory_check(0)).value, 0.5);
  EXPECT_EQ(ask_once(memory_check(uint64_t{1} << 50)).state, HealthState::kPass);
  EXPECT_EQ(ask_once(memory_check(1)).state, HealthState::kWarn);
}

TEST(EventLoopHealth, TellsHowLateItWasAsked) {
  ManualClock clock;
  const HealthCheck check = event_loop_check(clock);
  EXPECT_EQ(ask_once(check).value, 0.0);
  clock.advance(check.every);
  EXPECT_EQ(ask_once(check).state, HealthState::kPass);
  clock.advance(check.every + 150ms);
  EXPECT_EQ(ask_once(check).state, HealthState::kWarn);
  clock.advance(check.every + 1500ms);
  EXPECT_EQ(ask_once(check).state, HealthState::kFail);
  clock.advance(check.every);
  EXPECT_EQ(ask_once(check).state, HealthState::kPass);
}

}  // namespace
}  // namespace daruma::service
