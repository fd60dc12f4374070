#include "probe/http.h"

#include <gtest/gtest.h>

#include "support/http_receiver.h"

namespace daruma::probe {
namespace {

class Http : public testing::Test {
 protected:
  Result<HttpAnswer> ask(HttpQuestion question) {
    if (question.url.empty()) question.url = server.url("/x");
    return ask_http(question, *clock, clock->after(30s), stop.get_token());
  }
  HttpReceiver server;
  std::unique_ptr<Clock> clock = real_clock();
  std::stop_source stop;
};

TEST_F(Http, GivesStatusHeadersAndBody) {
  server.answer(418, "X-Kind: teapot\r\n", "short and stout");
  const auto answer = ask({});
  ASSERT_TRUE(answer.ok()) << answer.error().what;
  EXPECT_EQ(answer->status, 418);
  EXPECT_EQ(answer->header("x-kind"), "teapot");
  EXPECT_EQ(answer->body, "short and stout");
  EXPECT_FALSE(answer->cut);
}

TEST_F(Http, ReadsNoMoreOfABodyThanItMay) {
  server.answer(200, "", std::string(100'000, 'x'));
  const auto answer = ask({.body_most = 10});
  ASSERT_TRUE(answer.ok()) << answer.error().what;
  EXPECT_EQ(answer->body, "xxxxxxxxxx");
  EXPECT_TRUE(answer->cut);
}

TEST_F(Http, SendsWhatItIsGiven) {
  ASSERT_TRUE(ask({.method = "PUT", .headers = {{"X-A", "1"}, {"X-Empty", ""}}, .body = "body"}).ok());
  const auto request = server.requests().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.header("X-A"), "1");
  EXPECT_EQ(request.body, "body");
}

TEST_F(Http, ARedirectIsAnAnswerNotAnOrder) {
  server.answer(302, "Location: /elsewhere\r\n");
  EXPECT_EQ(ask({})->status, 302);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Http, AHeaderCannotBringAnotherHeader) {
  EXPECT_TRUE(ask({.headers = {{"X", "1\r\nY: 2"}}}).is(Errc::kInvalid));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Http, OtherProtocolsAreNotSpoken) {
  EXPECT_TRUE(ask({.url = "file:///etc/passwd"}).is(Errc::kInvalid));
  EXPECT_TRUE(ask({.url = "nonsense:"}).is(Errc::kInvalid));
}

TEST_F(Http, ACertificateThatNobodyTrustsIsRefused) {
  HttpReceiver untrusted(true);
  EXPECT_TRUE(ask({.url = untrusted.url("/")}).is(Errc::kUnavailable));
  EXPECT_TRUE(untrusted.requests().empty());
}

TEST_F(Http, AStopEndsIt) {
  server.never_answer();
  stop.request_stop();
  EXPECT_TRUE(ask({}).is(Errc::kCancelled));
}

TEST_F(Http, ADeadlineThatHasPassedAsksNobody) {
  EXPECT_TRUE(ask_http({.url = server.url("/")}, *clock, Deadline{clock->mono()}).is(Errc::kCancelled));
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace daruma::probe
