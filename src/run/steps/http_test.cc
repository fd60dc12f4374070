// http.check, http.request, http.measure and breaker.*, against a service that answers as told.
#include "support/http_receiver.h"

#include <fmt/format.h>

#include <atomic>

#include "run/steps/inputs.h"
#include "run/steps/percentiles.h"
#include "run/steps/test_world.h"
#include "support/free_port.h"

namespace daruma::run {
namespace {

using Reply = HttpReceiver::Reply;
using Request = HttpReceiver::Request;

class HttpSteps : public StepTest {
 protected:
  HttpSteps() { clock = real.get(); }

  Value::Map url(const std::string& path, Value::Map more = {}) {
    more.emplace("url", server.url(path));
    return more;
  }
  std::string check(Value::Map with) { return why(act("http.check", url("/", std::move(with)))); }

  HttpReceiver server;
};

TEST_F(HttpSteps, AnAnswerAsExpectedIsSuccessWithItsOutputs) {
  server.answer(200, "", R"({"results":[{"id":"r7"}]})");
  const auto outputs = act("http.check", url("/search", {{"take", "results.0.id"}}));
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->integer_at("status"), 200);
  EXPECT_EQ(outputs->text_at("taken"), "r7");
}

TEST_F(HttpSteps, AnotherStatusFailsAndShowsTheBody) {
  server.answer(503, "", "database is\naway");
  EXPECT_EQ(check({}), server.url("/") + ": status 503 instead of 200: database is away");
  EXPECT_EQ(check({{"status", Value(Value::List{200, 503})}}), "");
  EXPECT_EQ(check({{"status", "5xx"}}), "input 'status': '5xx' is not an HTTP status");
}

TEST_F(HttpSteps, ABodyIsCheckedByWordsAndByPaths) {
  server.answer(200, "", R"({"state":"UP","count":2})");
  EXPECT_EQ(check({{"contains", "UP"}, {"lacks", "DOWN"}}), "");
  EXPECT_NE(check({{"contains", "DOWN"}}), "");
  EXPECT_NE(check({{"lacks", "UP"}}), "");
  EXPECT_EQ(check({{"json", Value(Value::Map{{"state", "UP"}, {"count", 2.0}})}}), "");
  EXPECT_EQ(check({{"json", Value(Value::Map{{"state", "DOWN"}})}}),
            server.url("/") + ": state is \"UP\" instead of \"DOWN\"");
  EXPECT_EQ(check({{"json", Value(Value::Map{{"rooms", 1}})}}),
            server.url("/") + ": rooms is missing instead of 1");
}

TEST_F(HttpSteps, WhatIsServedDegradedIsCheckedWithItsAge) {
  server.answer(200, "", R"({"degraded":true,"ageSeconds":90})");
  EXPECT_EQ(check({{"degraded", true}, {"age_most", "5m"}}), "");
  EXPECT_NE(check({{"degraded", true}, {"age_most", "1m"}}).find("90 s old, more than"), std::string::npos);
  EXPECT_EQ(check({{"degraded", false}}), server.url("/") + ": degraded is true instead of false");
  server.answer(200, "", R"({"degraded":false})");
  EXPECT_EQ(check({{"age_most", "1m"}}), "") << "what is fresh has no age";
}

TEST_F(HttpSteps, NobodyListeningIsUnavailable) {
  const std::string nobody = fmt::format("http://127.0.0.1:{}/", free_port());
  EXPECT_TRUE(act("http.check", {{"url", nobody}}).is(Errc::kUnavailable));
  EXPECT_TRUE(act("http.check", {{"url", "ftp://127.0.0.1/"}}).is(Errc::kInvalid));
  EXPECT_TRUE(act("http.check", {}).is(Errc::kInvalid));
}

TEST_F(HttpSteps, NoAnswerEndsWithTheTimeGiven) {
  server.never_answer();
  patience = 50ms;
  EXPECT_TRUE(act("http.check", url("/")).is(Errc::kCancelled));
}

TEST_F(HttpSteps, AHeadIsAskedAsAHead) {
  ASSERT_EQ(check({{"method", "HEAD"}}), "");
  EXPECT_EQ(server.requests().at(0).method, "HEAD");
}

TEST_F(HttpSteps, ACheckNeverSendsWhatMayChangeSomething) {
  EXPECT_TRUE(act("http.check", url("/", {{"method", "POST"}})).is(Errc::kInvalid));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpSteps, ASecretGoesIntoTheRequestAndNowhereElse) {
  secrets["TEST_TOKEN"] = "s3cret";
  const Value token(Value::Map{{"env", "TEST_TOKEN"}, {"prefix", "Bearer "}});
  const Value::Map with = url("/", {{"headers", Value(Value::Map{{"Authorization", token}})}});
  ASSERT_EQ(why(act("http.check", with)), "");
  EXPECT_EQ(server.requests().at(0).header("authorization"), "Bearer s3cret");
  EXPECT_EQ(preview("http.check", with)->by_hand.at(0),
            "curl -fsS -m 10 -i -H \"Authorization: Bearer ${TEST_TOKEN}\" " + server.url("/"));
}

TEST_F(HttpSteps, AServiceIsAskedAtItsHealthAddress) {
  config.services[0].health = HealthConfig{.http = server.url("/health")};
  ASSERT_EQ(why(act("http.check", {{"service", "auth"}})), "");
  EXPECT_EQ(server.requests().at(0).target, "/health");
  EXPECT_TRUE(act("http.check", {{"service", "user"}}).is(Errc::kInvalid));
}

TEST_F(HttpSteps, ARequestSendsItsBodyAsJson) {
  server.answer(201, "", R"({"bookingId":"b1"})");
  const auto outputs =
      act("http.request",
          url("/bookings",
              {{"body", Value(Value::Map{{"roomId", "1"}})}, {"status", 201}, {"take", "bookingId"}}));
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->text_at("taken"), "b1");
  EXPECT_EQ(server.requests().at(0).method, "POST");
  EXPECT_EQ(server.requests().at(0).body, R"({"roomId":"1"})");
  EXPECT_EQ(server.requests().at(0).header("Content-Type"), "application/json");
}

TEST_F(HttpSteps, ARequestRefusesTheTargetsItIsNotFor) {
  const Value::Map with = url("/bookings", {{"not_on", Value(Value::List{"production"})}});
  EXPECT_TRUE(act("http.request", with).is(Errc::kRefused));
  EXPECT_TRUE(preview("http.request", with).is(Errc::kRefused));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpSteps, PreviewsSendNothing) {
  for (const std::string_view name : {"http.check", "http.request", "http.measure"})
    EXPECT_EQ(why(preview(name, url("/"))), "") << name;
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(HttpSteps, MeasuresManyRequests) {
  const auto outputs = act("http.measure", url("/", {{"requests", 20}, {"at_once", 4}}));
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(server.requests().size(), 20U);
  EXPECT_EQ(outputs->integer_at("errors"), 0);
  EXPECT_EQ(to_json(*outputs->find("statuses")), R"({"200":20})");
}

TEST_F(HttpSteps, AMeasureCountsErrorsAgainstItsLimit) {
  std::atomic<int> asked{0};
  server.answer_by([&](const Request&) { return Reply{++asked % 2 == 0 ? 500 : 200, ""}; });
  EXPECT_NE(
      why(act("http.measure", url("/", {{"requests", 10}}))).find("5 of 10 requests failed, more than 0"),
      std::string::npos);
  EXPECT_EQ(why(act("http.measure", url("/", {{"requests", 10}, {"errors_most", 5}}))), "");
}

TEST_F(HttpSteps, AMeasureIsComparedWithLimitsAndWithBefore) {
  EXPECT_NE(why(act("http.measure", url("/", {{"requests", 5}, {"p95_most", "0s"}}))).find("95th percentile"),
            std::string::npos);
  EXPECT_NE(why(act("http.measure", url("/", {{"requests", 5}, {"before_p95_ms", 0.000001}}))).find("slower"),
            std::string::npos);
  EXPECT_EQ(why(act("http.measure", url("/", {{"requests", 5}, {"before_p95_ms", 100'000}}))), "");
  EXPECT_TRUE(act("http.measure", url("/", {{"requests", 0}})).is(Errc::kInvalid));
}

TEST(Percentiles, AreByNearestRank) {
  std::vector<Duration> times;
  for (int i = 100; i >= 1; --i) times.push_back(std::chrono::milliseconds(i));
  const Percentiles found = percentiles_of(times);
  EXPECT_EQ(found.p50, 50ms);
  EXPECT_EQ(found.p95, 95ms);
  EXPECT_EQ(found.p99, 99ms);
  EXPECT_EQ(found.max, 100ms);
  EXPECT_EQ(percentiles_of({7ms}).p50, 7ms);
  EXPECT_EQ(percentiles_of({}).max, 0ms);
}

TEST_F(HttpSteps, AConnectionIsMadeOrNot) {
  EXPECT_EQ(why(act("tcp.check", {{"address", fmt::format("127.0.0.1:{}", server.port())}})), "");
  EXPECT_TRUE(
      act("tcp.check", {{"address", fmt::format("127.0.0.1:{}", free_port())}}).is(Errc::kUnavailable));
  EXPECT_TRUE(act("tcp.check", {{"address", "localhost"}}).is(Errc::kInvalid));
  EXPECT_TRUE(act("tcp.check", {{"address", "x:99999"}}).is(Errc::kInvalid));
}

// A service with one breaker, and the provider behind it.
class BreakerSteps : public HttpSteps {
 protected:
  BreakerSteps() {
    server.answer_by([this](const Request& request) -> Reply {
      if (request.target == "/provider") return {provider, ""};
      if (request.target == "/breakers")
        return {200, fmt::format(R"({{"circuitBreakers":[{{"name":"HotelDataAPI","state":"{}"}}]}})", state)};
      if (request.method == "POST" && request.target == "/breakers/HotelDataAPI/reset") {
        ++resets;
        if (resettable) state = "CLOSED";
        return {200, "{}"};
      }
      return {404, ""};
    });
    config.services[0].breakers = server.url("/breakers");
  }
  Value::Map reset_of(const std::string& name) {
    return {{"service", "auth"}, {"name", name}, {"provider", server.url("/provider")}};
  }

  int provider = 200;
  std::string state = "OPEN";
  int resets = 0;
  bool resettable = true;
};

TEST_F(BreakerSteps, ShowsWhichAreNotClosed) {
  const auto outputs = act("breaker.show", {{"service", "auth"}});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(to_json(*outputs->find("not_closed")), R"(["HotelDataAPI"])");
  EXPECT_FALSE(act("breaker.show", {{"service", "auth"}, {"expect_closed", true}}).ok());
}

TEST_F(BreakerSteps, IsResetWhenTheProviderIsWell) {
  const auto outputs = act("breaker.reset", reset_of("HotelDataAPI"));
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(to_json(*outputs), R"({"before":"OPEN","state":"CLOSED"})");
  EXPECT_EQ(resets, 1);
}

TEST_F(BreakerSteps, IsLeftAloneWhileTheProviderFails) {
  provider = 500;
  const auto result = act("breaker.reset", reset_of("HotelDataAPI"));
  EXPECT_TRUE(result.is(Errc::kRefused)) << why(result);
  EXPECT_EQ(resets, 0);
}

TEST_F(BreakerSteps, IsLeftAloneWhenItIsClosed) {
  state = "CLOSED";
  EXPECT_EQ(why(act("breaker.reset", reset_of("HotelDataAPI"))), "");
  EXPECT_EQ(resets, 0);
}

TEST_F(BreakerSteps, AResetThatDidNotCloseItFails) {
  resettable = false;
  EXPECT_EQ(why(act("breaker.reset", reset_of("HotelDataAPI"))), "HotelDataAPI is OPEN after the reset");
}

TEST_F(BreakerSteps, AnUnknownNameIsAnsweredWithThoseThereAre) {
  const auto result = act("breaker.reset", reset_of("Hotel"));
  EXPECT_TRUE(result.is(Errc::kNotFound));
  EXPECT_EQ(result.error().hint, "there are: HotelDataAPI");
}

TEST_F(BreakerSteps, APreviewSaysWhetherItWouldRefuse) {
  EXPECT_EQ(preview("breaker.reset", reset_of("HotelDataAPI"))->would.at(0),
            "close circuit breaker HotelDataAPI, which is OPEN");
  provider = 503;
  EXPECT_NE(preview("breaker.reset", reset_of("HotelDataAPI"))->would.at(0).find("refuse to reset"),
            std::string::npos);
  EXPECT_EQ(resets, 0);
}

}  // namespace
}  // namespace daruma::run
