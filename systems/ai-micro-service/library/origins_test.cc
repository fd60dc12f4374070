#include "library/origins.h"

#include <gmock/gmock.h>

namespace aimicro {
namespace {

using daruma::service::Method;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;

std::string header_of(const Response& response, std::string_view name) {
  for (const auto& header : response.headers)
    if (header.name == name) return header.value;
  return "";
}

class OriginsTest : public testing::Test {
 protected:
  OriginsTest() {
    Route route;
    route.pattern = "/thing";
    route.name = "thing";
    route.handle_at_once = [](Request&) { return daruma::service::text(200, "hello"); };
    origins_.add_routes(router_, {route});
  }
  Response ask(Method method, std::string_view origin) {
    Request request;
    request.method = method;
    request.path = "/thing";
    request.headers.emplace_back("origin", origin);
    return router_.match(method, "/thing").route->handle_at_once(request);
  }

  Origins origins_ = *Origins::parse("http://localhost:3002, https://admin.example.com");
  daruma::service::Router router_;
};

TEST_F(OriginsTest, AFrontMayReadAnswersWithCookies) {
  const Response response = ask(Method::kGet, "http://localhost:3002");
  EXPECT_EQ(header_of(response, "Access-Control-Allow-Origin"), "http://localhost:3002");
  EXPECT_EQ(header_of(response, "Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(header_of(response, "Vary"), "Origin");
}

TEST_F(OriginsTest, AnybodyElseMayNot) {
  for (const char* origin : {"http://localhost:3003", "http://localhost:3002.evil.example", "null", ""}) {
    const Response response = ask(Method::kGet, origin);
    EXPECT_EQ(response.body, "hello");
    EXPECT_EQ(header_of(response, "Access-Control-Allow-Origin"), "") << origin;
    EXPECT_EQ(header_of(response, "Vary"), "Origin");
  }
}

TEST_F(OriginsTest, ABrowsersQuestionBeforehandIsAnswered) {
  const Response response = ask(Method::kOptions, "https://admin.example.com");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(header_of(response, "Access-Control-Allow-Methods"), "GET, HEAD");
  EXPECT_THAT(header_of(response, "Access-Control-Allow-Headers"), testing::HasSubstr("Authorization"));
  EXPECT_EQ(header_of(ask(Method::kOptions, "http://evil.example"), "Access-Control-Allow-Methods"), "");
}

TEST_F(OriginsTest, WhatTheServerSaysByItselfIsForTheSamePages) {
  const auto not_found = [&](std::string_view origin) {
    Request request;
    request.headers.emplace_back("Origin", origin);
    Response response = daruma::service::problem(404, "");
    router_.mark(request, response);
    return response;
  };
  EXPECT_EQ(header_of(not_found("http://localhost:3002"), "Access-Control-Allow-Origin"),
            "http://localhost:3002");
  EXPECT_EQ(header_of(not_found("http://evil.example"), "Access-Control-Allow-Origin"), "");
}

TEST(OriginsParse, RefusesWhatIsNoOrigin) {
  for (const char* list :
       {"*", "localhost:3002", "http://", "http://a/", "http://A", "http://a b", "ftp://a"})
    EXPECT_FALSE(Origins::parse(list).ok()) << list;
  EXPECT_TRUE(Origins::parse("").ok());
}

}  // namespace
}  // namespace aimicro
