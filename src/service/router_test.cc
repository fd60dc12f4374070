// Which route a request means.
#include "service/router.h"

#include <gmock/gmock.h>

namespace daruma::service {
namespace {

class RouterTest : public testing::Test {
 protected:
  void route(Method method, const std::string& pattern, const std::string& name) {
    router_.add({.method = method, .pattern = pattern, .name = name, .handle_at_once = [](Request&) {
                   return text(200, "");
                 }});
  }
  // "NAME key=value …" of the route that is meant, else "-".
  std::string meant(Method method, std::string_view path) {
    const Router::Match match = router_.match(method, path);
    std::string text = match.route ? match.route->name : "-";
    for (const auto& [key, value] : match.path_parameters) text += " " + std::string(key) + "=" + value;
    return text;
  }
  std::string allowed(Method method, std::string_view path) { return router_.match(method, path).allow; }

  Router router_;
};

TEST_F(RouterTest, ALiteralPathIsMeantExactly) {
  route(Method::kGet, "/", "root");
  route(Method::kGet, "/api/search", "search");
  EXPECT_EQ(meant(Method::kGet, "/"), "root");
  EXPECT_EQ(meant(Method::kGet, "/api/search"), "search");
  EXPECT_EQ(meant(Method::kGet, "/api/search/"), "-");
  EXPECT_EQ(meant(Method::kGet, "/api"), "-");
  EXPECT_EQ(meant(Method::kGet, ""), "-");
}

TEST_F(RouterTest, AParameterIsOneSegmentThatIsNotEmptyAndIsDecoded) {
  route(Method::kGet, "/api/bookings/{id}", "booking");
  EXPECT_EQ(meant(Method::kGet, "/api/bookings/7"), "booking id=7");
  EXPECT_EQ(meant(Method::kGet, "/api/bookings/a%20b+c"), "booking id=a b+c");
  EXPECT_EQ(meant(Method::kGet, "/api/bookings/"), "-");
  EXPECT_EQ(meant(Method::kGet, "/api/bookings/7/rooms"), "-");
  EXPECT_EQ(meant(Method::kGet, "/api/bookings/%4"), "-");
}

TEST_F(RouterTest, TheLiteralSegmentFurtherLeftWins) {
  route(Method::kGet, "/{a}/{b}", "free");
  route(Method::kGet, "/{a}/x", "right");
  route(Method::kGet, "/x/{b}", "left");
  route(Method::kGet, "/x/x", "literal");
  EXPECT_EQ(meant(Method::kGet, "/x/x"), "literal");
  EXPECT_EQ(meant(Method::kGet, "/x/y"), "left b=y");
  EXPECT_EQ(meant(Method::kGet, "/y/x"), "right a=y");
  EXPECT_EQ(meant(Method::kGet, "/y/y"), "free a=y b=y");
}

TEST_F(RouterTest, APatternIsPassedOverByAMethodItDoesNotHave) {
  route(Method::kGet, "/docs/{id}", "read");
  route(Method::kPost, "/docs/search", "search");
  EXPECT_EQ(meant(Method::kGet, "/docs/search"), "read id=search");
  EXPECT_EQ(meant(Method::kPost, "/docs/search"), "search");
}

TEST_F(RouterTest, HeadIsAnsweredByGet) {
  route(Method::kGet, "/a", "read");
  route(Method::kPost, "/b", "write");
  EXPECT_EQ(meant(Method::kHead, "/a"), "read");
  EXPECT_EQ(meant(Method::kHead, "/b"), "-");
}

TEST_F(RouterTest, AnotherMethodIsToldWhatIsAllowed) {
  route(Method::kGet, "/docs/{id}", "read");
  route(Method::kDelete, "/docs/{key}", "remove");
  EXPECT_EQ(allowed(Method::kPost, "/docs/1"), "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(meant(Method::kDelete, "/docs/1"), "remove key=1");
  EXPECT_EQ(allowed(Method::kPost, "/other"), "");
}

TEST_F(RouterTest, WhatCannotBeMeantIsABug) {
  route(Method::kGet, "/a/{b}", "one");
  EXPECT_DEATH(route(Method::kGet, "/a/{b}", "two"), "bug");
  EXPECT_DEATH(route(Method::kGet, "a", "no slash"), "bug");
  EXPECT_DEATH(route(Method::kGet, "/a/{b", "no end"), "bug");
}

}  // namespace
}  // namespace daruma::service
