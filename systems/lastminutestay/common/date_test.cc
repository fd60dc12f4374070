// Goal: only days that exist are days, and Japan's day is not the machine's.
#include "lastminutestay/common/date.h"

#include <gmock/gmock.h>

namespace lastminutestay {
namespace {

TEST(Dates, AreReadAndWrittenAsTheManualTypesThem) {
  const auto date = parse_date("2024-06-21");
  ASSERT_TRUE(date);
  EXPECT_EQ(to_text(*date), "2024-06-21");
  EXPECT_EQ(nights_between(*date, *parse_date("2024-07-01")), 10);
}

TEST(Dates, WhatIsNoDayIsRefused) {
  for (const char* text :
       {"", "2024-6-21", "2024-06-31", "2023-02-29", "2024-13-01", "2024-00-10", "2024-06-00", "2024/06/21",
        "2024-06-21 ", " 2024-06-2", "+024-06-21", "2024-06-2x", "20240621"})
    EXPECT_FALSE(parse_date(text)) << text;
  EXPECT_TRUE(parse_date("2024-02-29"));
}

TEST(Dates, InJapanTheDayBeginsNineHoursEarlier) {
  const auto at = [](const char* text) { return *daruma::parse_rfc3339(text); };
  EXPECT_EQ(to_text(day_in_japan(at("2024-06-20T14:59:59Z"))), "2024-06-20");
  EXPECT_EQ(to_text(day_in_japan(at("2024-06-20T15:00:00Z"))), "2024-06-21");
}

}  // namespace
}  // namespace lastminutestay
