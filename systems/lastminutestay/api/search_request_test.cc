// Goal: the manual's URL is understood; what is malformed, reversed or past is told so that a person can
//       mend it.
#include "lastminutestay/api/search_request.h"

#include <gmock/gmock.h>

namespace lastminutestay {
namespace {

using testing::HasSubstr;

const Date kToday = *parse_date("2024-06-20");

daruma::Result<SearchRequest> parse(std::string_view query) {
  daruma::service::Request request;
  request.query = query;
  return parse_search(request, kToday);
}

std::string fault(std::string_view query) {
  const auto parsed = parse(query);
  return parsed.ok() ? "none" : parsed.error().what;
}

TEST(SearchRequest, TheManualsUrlIsOneNightForTwo) {
  const auto wanted = parse("checkIn=2024-06-21&checkOut=2024-06-22&guests=2");
  ASSERT_TRUE(wanted.ok());
  EXPECT_EQ(wanted->key(), "2024-06-21/2024-06-22/2/");
}

TEST(SearchRequest, TheOrderOfParametersDoesNotMakeAnotherSearch) {
  EXPECT_EQ(parse("guests=2&city=%E4%BA%AC%E9%83%BD&checkOut=2024-06-22&checkIn=2024-06-21&x=1")->key(),
            parse("checkIn=2024-06-21&checkOut=2024-06-22&guests=2&city=京都")->key());
}

TEST(SearchRequest, WhatTheShellCutOffIsMissingAndTheReasonIsNamed) {
  EXPECT_EQ(fault("checkIn=2024-06-21"),
            "checkOut is missing: want ?checkIn=YYYY-MM-DD&checkOut=YYYY-MM-DD&guests=N"
            " (in a shell, put the URL in quotes: '&' ends the command there)");
}

TEST(SearchRequest, DatesMustExistAndLieAhead) {
  EXPECT_EQ(fault("checkIn=2024-06-31&checkOut=2024-07-02&guests=2"),
            "checkIn '2024-06-31': want a day that exists, as YYYY-MM-DD");
  EXPECT_EQ(fault("checkIn=2024-06-19&checkOut=2024-06-22&guests=2"),
            "checkIn 2024-06-19 is past: today is 2024-06-20");
  EXPECT_EQ(fault("checkIn=2024-06-22&checkOut=2024-06-21&guests=2"),
            "checkOut 2024-06-21 is not after checkIn 2024-06-22");
  EXPECT_EQ(fault("checkIn=2024-06-22&checkOut=2024-06-22&guests=2"),
            "checkOut 2024-06-22 is not after checkIn 2024-06-22");
  EXPECT_EQ(fault("checkIn=2024-06-20&checkOut=2024-06-21&guests=2"), "none");
}

TEST(SearchRequest, ACityIsANameThatTheDatabaseCanRead) {
  const std::string stay = "checkIn=2024-06-21&checkOut=2024-06-22&guests=2&city=";
  EXPECT_EQ(fault(stay + "%E4%BA%AC%E9%83%BD"), "none");
  for (const std::string city : {"%ff%fe", "%E4%BA", "a%0ab", "%ED%A0%80"})
    EXPECT_EQ(fault(stay + city), "city: want a name of at most 60 bytes, in UTF-8") << city;
  EXPECT_NE(fault(stay + std::string(61, 'a')), "none");
}

TEST(SearchRequest, StaysAreBounded) {
  EXPECT_EQ(fault("checkIn=2024-06-21&checkOut=2024-07-22&guests=2"), "31 nights: at most 30 at a time");
  EXPECT_EQ(fault("checkIn=2025-09-21&checkOut=2025-09-22&guests=2"),
            "checkIn 2025-09-21: at most 400 days ahead");
  for (const char* guests : {"0", "11", "-1"})
    EXPECT_THAT(fault(std::string("checkIn=2024-06-21&checkOut=2024-06-22&guests=") + guests),
                HasSubstr("want a number, 1 to 10"));
  for (const char* guests : {"two", "2x", "1e1", "%32%", "9999999999"})
    EXPECT_NE(fault(std::string("checkIn=2024-06-21&checkOut=2024-06-22&guests=") + guests), "none")
        << guests;
}

}  // namespace
}  // namespace lastminutestay
