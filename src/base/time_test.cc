// Times, durations and deadlines, and their texts.
#include "base/time.h"

#include <gtest/gtest.h>

namespace daruma {
namespace {

int64_t micros(std::string_view text) {
  const auto instant = parse_rfc3339(text);
  EXPECT_TRUE(instant.ok()) << text;
  return instant.ok() ? instant->micros : -1;
}

TEST(Rfc3339, IsReadBackAsItWasWritten) {
  for (const char* text :
       {"1970-01-01T00:00:00Z", "2026-11-22T10:42:07Z", "2026-11-22T10:42:07.123456Z",
        "2024-02-29T23:59:59.999999Z", "1969-12-31T23:59:59.000001Z", "9999-12-31T23:59:59Z"})
    EXPECT_EQ(to_rfc3339(*parse_rfc3339(text)), text);
}

TEST(Rfc3339, CountsMicrosecondsFromTheEpoch) {
  EXPECT_EQ(micros("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(micros("1970-01-01T00:00:01.5Z"), 1'500'000);
  EXPECT_EQ(micros("1969-12-31T23:59:59Z"), -1'000'000);
  EXPECT_EQ(micros("2000-01-01T00:00:00Z"), 946'684'800'000'000);  // PostgreSQL's epoch
}

TEST(Rfc3339, AZoneShiftsTheInstant) {
  const int64_t utc = micros("2026-11-22T10:42:07Z");
  for (const char* text :
       {"2026-11-22T19:42:07+09:00", "2026-11-22 19:42:07+09:00", "2026-11-22t10:42:07z",
        "2026-11-22T05:12:07-05:30", "2026-11-22T10:42:07+00:00", "2026-11-22 19:42:07 +09:00",
        "2026-11-22 19:42:07+09", "2026-11-22T19:42:07+0900"})
    EXPECT_EQ(micros(text), utc) << text;
}

TEST(Rfc3339, AFractionIsCutToMicroseconds) {
  EXPECT_EQ(micros("1970-01-01T00:00:00.1Z"), 100'000);
  EXPECT_EQ(micros("1970-01-01T00:00:00.123456Z"), 123'456);
  EXPECT_EQ(micros("1970-01-01T00:00:00.123456999Z"), 123'456);
}

TEST(Rfc3339, WhatIsNoMomentIsInvalid) {
  for (const char* bad : {"",
                          "now",
                          "2026-11-22",
                          "2026-11-22T10:42:07",
                          "2026-11-22T10:42Z",
                          "2026-11-22X10:42:07Z",
                          "2026-13-01T00:00:00Z",
                          "2026-00-01T00:00:00Z",
                          "2026-02-29T00:00:00Z",
                          "2026-11-31T00:00:00Z",
                          "2026-11-22T24:00:00Z",
                          "2026-11-22T10:60:00Z",
                          "2026-11-22T10:42:61Z",
                          "26-11-22T10:42:07Z",
                          "2026-11-22T10:42:07Zulu",
                          "2026-11-22T10:42:07.Z",
                          "2026-11-22T10:42:07+",
                          "-026-11-22T10:42:07Z",
                          "2026-11-22T10:42:07+9:00",
                          "2026-11-22T10:42:07+09:",
                          "2026-11-22T10:42:07+09:60",
                          "2026-11-22T10:42:07+16:00",
                          "2026-11-22T10:42:07+09:0",
                          " 2026-11-22T10:42:07Z"})
    EXPECT_TRUE(parse_rfc3339(bad).is(Errc::kInvalid)) << bad;
}

TEST(Rfc3339, TheErrorShowsHowATimeIsWritten) {
  const auto bad = parse_rfc3339("2026-11-22T10:42:07");
  EXPECT_EQ(bad.error().what, "'2026-11-22T10:42:07' is not a time");
  EXPECT_EQ(bad.error().hint,
            "write it with its zone, as in 2026-11-22T10:42:07Z or 2026-11-22T19:42:07+09:00");
}

TEST(DurationText, AddsNumbersWithTheirUnits) {
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("90s"), 90s);
  EXPECT_EQ(*parse_duration("6h"), 6h);
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("7d"), 168h);
  EXPECT_EQ(*parse_duration("2w1d"), 360h);
  EXPECT_EQ(*parse_duration("0s"), 0s);
  EXPECT_EQ(*parse_duration("5us"), 5us);
}

TEST(DurationText, AnythingElseIsInvalid) {
  for (const char* bad :
       {"", "5", "s", "-5s", "5 s", "1.5h", "5min", "5x", "1h30", "9999999999s", "999999999w"})
    EXPECT_TRUE(parse_duration(bad).is(Errc::kInvalid)) << bad;
}

TEST(HumanDuration, ShowsWhatMattersAtItsLength) {
  EXPECT_EQ(human_duration(412ms), "412 ms");
  EXPECT_EQ(human_duration(3200ms), "3.2 s");
  EXPECT_EQ(human_duration(250s), "4 min 10 s");
  EXPECT_EQ(human_duration(210min), "3 h 30 min");
  EXPECT_EQ(human_duration(73h), "3 d 1 h");
  EXPECT_EQ(human_duration(0s), "0 ms");
}

TEST(HumanDuration, RoundsIntoTheNextUnitNotPastIt) {
  EXPECT_EQ(human_duration(999'600us), "1.0 s");
  EXPECT_EQ(human_duration(999'400us), "999 ms");
  EXPECT_EQ(human_duration(59'970ms), "1 min 0 s");
  EXPECT_EQ(human_duration(59'900ms), "59.9 s");
  EXPECT_EQ(human_duration(3'599'900ms), "1 h 0 min");
}

TEST(Instants, DifferAndMoveByDurations) {
  const Instant noon = *parse_rfc3339("2026-11-22T12:00:00Z");
  EXPECT_EQ(to_rfc3339(noon + 90min), "2026-11-22T13:30:00Z");
  EXPECT_EQ((noon + 1ms) - noon, Duration(1ms));
  EXPECT_LT(noon, noon + 1us);
}

TEST(Deadlines, PassAndSayWhatIsLeft) {
  const Deadline deadline{MonoInstant{10s}};
  EXPECT_FALSE(deadline.passed({9s}));
  EXPECT_EQ(deadline.left({9s}), Duration(1s));
  EXPECT_TRUE(deadline.passed({10s}));
  EXPECT_EQ(deadline.left({11s}), Duration(0));
}

TEST(Deadlines, NeverIsNeverPassed) { EXPECT_FALSE(Deadline::never().passed({24h * 365 * 200})); }

}  // namespace
}  // namespace daruma
