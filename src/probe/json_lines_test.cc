#include "probe/json_lines.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "os/files.h"
#include "os/sim_file_system.h"

namespace daruma::probe {
namespace {

class JsonLinesTest : public testing::Test {
 protected:
  void log(const std::string& text, const Path& file = "/error.log") {
    ASSERT_TRUE(replace_file(fs_, file, as_bytes(text)).ok());
  }
  static std::string line(int second, const std::string& message) {
    return fmt::format("{{\"time\":\"2026-11-22T12:00:{:02}Z\",\"message\":\"{}\"}}\n", second, message);
  }
  JsonLines read(LinesWish wish = {}) {
    auto lines = read_json_lines(fs_, "/error.log", wish);
    EXPECT_TRUE(lines.ok());
    return lines.ok() ? *lines : JsonLines{};
  }
  static std::string messages(const JsonLines& lines) {
    std::string out;
    for (const Value& value : lines.lines) out += value.text_at("message");
    return out;
  }

  SimFileSystem fs_;
};

TEST_F(JsonLinesTest, GivesAllLinesOldestFirst) {
  log(line(1, "a") + line(2, "b"));
  EXPECT_EQ(messages(read()), "ab");
  EXPECT_FALSE(read().cut);
}

TEST_F(JsonLinesTest, StopsAtTheMomentAskedFor) {
  log(line(1, "a") + line(2, "b") + line(3, "c"));
  const auto since = parse_rfc3339("2026-11-22T12:00:02Z");
  EXPECT_EQ(messages(read({.since = *since})), "bc");
}

TEST_F(JsonLinesTest, WhatOneOfTwoWritersGatheredBeforeTheMomentHidesNothingOfTheOther) {
  log(line(2, "a") + line(4, "b") + line(1, "old") + line(3, "c"));
  const auto since = parse_rfc3339("2026-11-22T12:00:02Z");
  EXPECT_EQ(messages(read({.since = *since})), "abc");
}

TEST_F(JsonLinesTest, LeavesOutLinesWithAWord) {
  log(line(1, "a") + line(2, "recovered") + line(3, "c"));
  EXPECT_EQ(messages(read({.since = {}, .without = "recovered"})), "ac");
}

TEST_F(JsonLinesTest, ReadsNoMoreThanItMay) {
  log(line(1, "a") + line(2, "b") + line(3, "c"));
  const JsonLines lines = read({.since = {}, .without = "", .bytes_most = line(1, "a").size() * 2 + 3});
  EXPECT_EQ(messages(lines), "bc");
  EXPECT_TRUE(lines.cut);
}

TEST_F(JsonLinesTest, ALineLongerThanTheBoundIsNoLine) {
  log(line(1, std::string(200, 'x')));
  const JsonLines lines = read({.since = {}, .without = "", .bytes_most = 50});
  EXPECT_TRUE(lines.lines.empty());
  EXPECT_TRUE(lines.cut);
}

TEST_F(JsonLinesTest, ALineThatIsStillBeingWrittenIsLeftOut) {
  log(line(1, "a") + R"({"time":"2026-11)");
  EXPECT_EQ(messages(read()), "a");
  EXPECT_EQ(read().unreadable, 0U);
  log("");
  EXPECT_EQ(messages(read()), "");
}

TEST_F(JsonLinesTest, CountsWhatIsNoJson) {
  log(line(1, "a") + "Segmentation fault\n[1]\n\n" + line(2, "b"));
  EXPECT_EQ(messages(read()), "ab");
  EXPECT_EQ(read().unreadable, 2U);
}

TEST_F(JsonLinesTest, GoesOnInTheRotatedPart) {
  log(line(1, "a") + line(2, "b"), "/error.log.1");
  log(line(3, "c"));
  EXPECT_EQ(messages(read()), "abc");
  const auto since = parse_rfc3339("2026-11-22T12:00:02Z");
  EXPECT_EQ(messages(read({.since = *since})), "bc");
}

TEST_F(JsonLinesTest, MessagesThatDifferInNumbersAreOneGroup) {
  log(line(1, "x") + line(2, "timeout after 10 ms") + line(3, "timeout after 2000 ms"));
  const auto groups = grouped(read().lines);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].count, 2);
  EXPECT_EQ(groups[0].message, "timeout after 10 ms");
  EXPECT_EQ(groups[1].message, "x");
}

TEST_F(JsonLinesTest, AMissingLogIsNotFound) {
  EXPECT_TRUE(read_json_lines(fs_, "/error.log", {}).is(Errc::kNotFound));
}

}  // namespace
}  // namespace daruma::probe
