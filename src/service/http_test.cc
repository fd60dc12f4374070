// What handlers rely on: names, parameters, escapes, and problem+json. No sockets.
#include "service/http.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace daruma::service {
namespace {

Request request_with(std::string_view query) {
  Request request;
  request.query = query;
  return request;
}

TEST(HttpRequest, AHeaderIsFoundInAnyCaseAndTheFirstWins) {
  Request request;
  request.headers = {{"x-token", "one"}, {"X-Token", "two"}};
  EXPECT_EQ(request.header("X-TOKEN"), "one");
  EXPECT_EQ(request.header("x-toke"), "");
}

TEST(HttpRequest, AParameterIsDecoded) {
  const Request request = request_with("city=%E4%BA%AC%E9%83%BD&name=last+minute&empty=&flag&city=other");
  EXPECT_EQ(request.parameter("city"), "京都");
  EXPECT_EQ(request.parameter("name"), "last minute");
  EXPECT_EQ(request.parameter("empty"), "");
  EXPECT_EQ(request.parameter("flag"), "");
  EXPECT_EQ(request.parameter("absent"), std::nullopt);
}

TEST(HttpRequest, AParameterThatIsEncodedWronglyIsAbsent) {
  EXPECT_EQ(request_with("a=%4").parameter("a"), std::nullopt);
  EXPECT_EQ(request_with("a=%zz").parameter("a"), std::nullopt);
  EXPECT_EQ(request_with("a=%00").parameter("a"), std::nullopt);
  EXPECT_EQ(request_with("&&=&a=1").parameter("a"), "1");
}

TEST(UrlDecode, TakesEscapesOfEitherCaseAndPlusOnlyInForms) {
  EXPECT_EQ(*url_decode("a%2fb%2Fc+d"), "a/b/c d");
  EXPECT_EQ(*url_decode("c+d%20e", false), "c+d e");
  EXPECT_EQ(*url_decode("%41"), "A");
  for (const char* wrong : {"%", "%4", "a%", "%4g", "%00"})
    EXPECT_TRUE(url_decode(wrong).is(Errc::kInvalid)) << wrong;
}

TEST(HttpResponse, AProblemIsJsonWhateverItsDetailHolds) {
  const Response response = problem(404, "room \"9\\\n\" is unknown: 部屋");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto body = boost::json::parse(response.body).as_object();
  EXPECT_EQ(body.at("type"), "about:blank");
  EXPECT_EQ(body.at("title"), "Not Found");
  EXPECT_EQ(body.at("status"), 404);
  EXPECT_EQ(body.at("detail"), "room \"9\\\n\" is unknown: 部屋");
}

TEST(HttpResponse, AProblemIsUtf8WhateverItsDetailHolds) {
  const Response response = problem(400, "room '\xFF\xE9\x83' is unknown");
  const auto body = boost::json::parse(response.body).as_object();
  EXPECT_EQ(body.at("detail"), "room '\uFFFD\uFFFD\uFFFD' is unknown");
}

TEST(HttpResponse, EveryStatusHasAReason) {
  EXPECT_EQ(reason_of(200), "OK");
  EXPECT_EQ(reason_of(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_of(299), "Unknown");
}

}  // namespace
}  // namespace daruma::service
