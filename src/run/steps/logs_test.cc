#include "run/steps/test_world.h"

namespace daruma::run {
namespace {

class LogSteps : public StepTest {
 protected:
  LogSteps() {
    config.services[0].logs = ServiceLogsConfig{.error = "/error.log", .access = "/http.log"};
    write("/error.log",
          R"({"time":"2026-11-22T12:00:00Z","dependency":"PostgreSQL","message":"lost connection 41"})"
          "\n"
          R"({"time":"2026-11-22T12:00:01Z","dependency":"Redis","message":"away","recovered":"by cache"})"
          "\n"
          R"({"time":"2026-11-22T12:00:02Z","dependency":"PostgreSQL","message":"lost connection 1234"})"
          "\n"
          R"({"time":"2026-11-22T12:00:03Z","message":"disk is full"})"
          "\n");
    std::string access;
    for (const int code : {200, 200, 200, 404, 500})
      access += R"({"time":"2026-11-22T12:00:00Z","statusCode":)" + std::to_string(code) + "}\n";
    write("/http.log", access);
  }
  void write(const Path& file, const std::string& text) {
    ASSERT_TRUE(replace_file(sim, file, as_bytes(text)).ok());
  }
  const Value::Map auth{{"service", "auth"}};
};

TEST_F(LogSteps, GroupsErrorsThatDifferInNumbersOnlyAndLeavesOutWhatHealed) {
  const auto outputs = act("logs.errors", auth);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("count"), 3);
  const Value& first = (*outputs->find("groups")->list())[0];
  EXPECT_EQ(first.integer_at("count"), 2);
  EXPECT_EQ(first.text_at("message"), "lost connection 41");
  EXPECT_EQ(first.text_at("last"), "2026-11-22T12:00:02Z");
}

TEST_F(LogSteps, ErrorsAreCountedSinceAMoment) {
  const auto outputs = act("logs.errors", {{"service", "auth"}, {"since", "2026-11-22T12:00:03Z"}});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("count"), 1);
  EXPECT_TRUE(act("logs.errors", {{"service", "auth"}, {"since", "yesterday"}}).is(Errc::kInvalid));
}

TEST_F(LogSteps, MoreErrorsThanAllowedFail) {
  EXPECT_EQ(why(act("logs.errors", {{"service", "auth"}, {"most", 2}})),
            "3 errors in /error.log, more than 2");
  EXPECT_EQ(why(act("logs.errors", {{"service", "auth"}, {"most", 3}})), "");
}

TEST_F(LogSteps, CountsStatusCodes) {
  const auto outputs = act("logs.status_codes", auth);
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(to_json(*outputs->find("codes")), R"({"200":3,"404":1,"500":1})");
}

TEST_F(LogSteps, AnErrorRateHasALimit) {
  EXPECT_EQ(why(act("logs.error_rate", {{"service", "auth"}, {"most", 20}})), "");
  EXPECT_EQ(why(act("logs.error_rate", {{"service", "auth"}, {"most", 19.5}})),
            "20.00 % of 5 answers were server errors, more than 19.5 %");
}

TEST_F(LogSteps, NothingToJudgeByIsNoSuccess) {
  write("/http.log", "");
  EXPECT_EQ(why(act("logs.error_rate", {{"service", "auth"}, {"most", 1}})),
            "only 0 answers to judge by, fewer than 1");
}

TEST_F(LogSteps, AServiceWithoutLogsIsAMistakeOfThePlan) {
  EXPECT_TRUE(act("logs.errors", {{"service", "user"}}).is(Errc::kInvalid));
  EXPECT_TRUE(act("logs.errors", {{"file", "/none.log"}}).is(Errc::kNotFound));
}

}  // namespace
}  // namespace daruma::run
