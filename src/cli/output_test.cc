// What commands print: aligned tables, progress, colours, JSON, errors.

#include "cli/output.h"

#include <gtest/gtest.h>

#include "base/table.h"
#include "cli/json.h"
#include "cli/progress.h"

namespace daruma {
namespace {

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("bookings"), 8u);
  EXPECT_EQ(display_width("予約"), 4u);
  EXPECT_EQ(display_width("ﾖﾔｸ"), 3u);       // half-width
  EXPECT_EQ(display_width("がé"), 3u);       // がe with marks of their own
  EXPECT_EQ(display_width("\xE4\xBA"), 2u);  // a cut character: each byte counts
}

TEST(DisplayWidth, TextIsCutBetweenCharacters) {
  EXPECT_EQ(fit_to_width("bookings", 8), "bookings");
  EXPECT_EQ(fit_to_width("bookings", 7), "bookin…");
  EXPECT_EQ(fit_to_width("予約台帳", 6), "予約…");
  EXPECT_EQ(fit_to_width("x", 0), "");
}

TEST(Table, ColumnsStandBelowEachOtherInJapaneseToo) {
  Table table({{"name"}, {"size", Table::Align::kRight}, {"site"}});
  table.row({"bookings", "12 MiB", "tokyo"});
  table.row({"予約", "1.5 GiB", "大阪"});
  EXPECT_EQ(table.text(),
            "name         size  site\n"
            "bookings   12 MiB  tokyo\n"
            "予約      1.5 GiB  大阪\n");
}

TEST(Table, WithoutRowsThereIsNothing) { EXPECT_EQ(Table({{"name"}}).text(), ""); }

TEST(Table, ANameCannotSendCommandsToTheTerminal) {
  Table table({{"name"}});
  table.row({"a\x1b[2Jb\n"});
  EXPECT_EQ(table.text(), "name\na?[2Jb?\n");
}

TEST(Colours, AreThereOnlyWhereTheyAreShown) {
  EXPECT_EQ(paint(StringOutput(), Colour::kRed, "lost"), "lost");
  EXPECT_EQ(paint(StringOutput({80, true}), Colour::kRed, "lost"), "\x1b[31mlost\x1b[0m");
}

class ProgressLine : public testing::Test {
 protected:
  void after(Duration duration, uint64_t done, std::optional<uint64_t> total) {
    clock.advance(duration);
    progress->update(done, total);
  }
  ManualClock clock;
  StringOutput terminal{{60, false}};
  StringOutput file;
  std::unique_ptr<Progress> progress;
};

TEST_F(ProgressLine, ShowsPercentBytesRateAndTimeLeft) {
  progress = std::make_unique<Progress>(terminal, clock, "backup");
  after(1s, 100 * 1024 * 1024, 400 * 1024 * 1024);
  EXPECT_EQ(terminal.text(),
            "\r\x1b[K"
            "backup  25 %  100 MiB of 400 MiB  100 MiB/s  3.0 s left");
}

TEST_F(ProgressLine, RenewsItselfAtMostTenTimesASecondAndLeavesNothing) {
  progress = std::make_unique<Progress>(terminal, clock, "backup");
  after(50ms, 1, 4);
  EXPECT_EQ(terminal.text(), "");
  after(50ms, 2, 4);
  const std::string shown = terminal.text();
  EXPECT_NE(shown, "");
  after(99ms, 3, 4);
  EXPECT_EQ(terminal.text(), shown);
  progress.reset();
  EXPECT_EQ(terminal.text(), shown + "\r\x1b[K");
}

TEST_F(ProgressLine, IsCutAtTheEdgeOfTheTerminal) {
  progress = std::make_unique<Progress>(terminal, clock, std::string(70, 'x'));
  after(1s, 1, 4);
  EXPECT_EQ(terminal.text(), "\r\x1b[K" + std::string(58, 'x') + "…");
}

TEST_F(ProgressLine, OutsideATerminalIsAPlainLineEveryTenSeconds) {
  progress = std::make_unique<Progress>(file, clock, "restore");
  after(9s, 900, 2000);
  EXPECT_EQ(file.text(), "");
  after(1s, 1000, 2000);
  progress.reset();
  EXPECT_EQ(file.text(), "restore  50 %  1000 B of 2.0 KiB  100 B/s  10.0 s left\n");
}

TEST_F(ProgressLine, WithoutATotalPromisesNothing) {
  progress = std::make_unique<Progress>(file, clock, "capture");
  after(10s, 20480, std::nullopt);
  EXPECT_EQ(file.text(), "capture  20 KiB  2.0 KiB/s\n");
}

TEST_F(ProgressLine, NeverShowsMoreThanAll) {
  progress = std::make_unique<Progress>(file, clock, "backup");
  after(10s, 2000, 1000);
  EXPECT_EQ(file.text(), "backup  100 %  1000 B of 1000 B  200 B/s\n");
}

TEST(Json, KeepsTheOrderAndWritesTimesOneWay) {
  Json list = Json::array();
  list.push(1).push("二").push(true).push(Json());
  Json value = Json::object();
  value.set("z", std::move(list))
      .set("a", Instant{1'700'000'000'000'000})
      .set("big", ~uint64_t{0})
      .set("neg", -1);
  EXPECT_EQ(value.compact(),
            R"({"z":[1,"二",true,null],"a":"2023-11-14T22:13:20Z","big":18446744073709551615,"neg":-1})");
}

TEST(Json, IsIndentedForPeople) {
  Json value = Json::object();
  value.set("a", Json::array()).set("b", std::move(Json::object().set("c", "d")));
  EXPECT_EQ(value.pretty(), "{\n  \"a\": [],\n  \"b\": {\n    \"c\": \"d\"\n  }\n}\n");
}

}  // namespace
}  // namespace daruma
