// Values that may fail: what they hold, how they are passed on, and that misuse ends the program.
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace daruma {
namespace {

Error missing() { return {Errc::kNotFound, "key 'k' is missing", "run daruma init"}; }

Result<int> number(bool works) {
  if (!works) return missing();
  return 20;
}

Result<int> number_and_one(bool works) {
  DR_TRY(const int value, number(works));
  return value + 1;
}

Status both(bool first, bool second) {
  DR_OK(number(first));
  DR_OK(number(second));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_TRUE(number(true).ok());
  EXPECT_EQ(*number(true), 20);
  EXPECT_FALSE(number(false).ok());
  EXPECT_EQ(number(false).error().what, "key 'k' is missing");
}

TEST(Result, IsAsksForOneCode) {
  EXPECT_TRUE(number(false).is(Errc::kNotFound));
  EXPECT_FALSE(number(false).is(Errc::kFailed));
  EXPECT_FALSE(number(true).is(Errc::kNotFound));
}

TEST(Result, TryPassesTheValueOnOrReturnsTheError) {
  EXPECT_EQ(*number_and_one(true), 21);
  EXPECT_TRUE(number_and_one(false).is(Errc::kNotFound));
  EXPECT_EQ(number_and_one(false).error().hint, "run daruma init");
}

TEST(Result, OkStopsAtTheFirstError) {
  EXPECT_TRUE(both(true, true).ok());
  EXPECT_TRUE(both(true, false).is(Errc::kNotFound));
  EXPECT_TRUE(both(false, true).is(Errc::kNotFound));
}

TEST(Result, MovesWhatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const std::unique_ptr<int> taken = *make();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, TheValueOfATemporaryLivesAsLongAsALoopOverIt) {
  const auto make = []() -> Result<std::vector<std::string>> {
    return std::vector<std::string>{std::string(100, 'a'), std::string(100, 'b')};
  };
  std::string firsts;
  for (const std::string& text : *make()) firsts += text[0];
  EXPECT_EQ(firsts, "ab");
}

TEST(Result, AnErrorIsAValueToo) {
  const Result<Errc> code = Errc::kExists;  // a value that looks like an error code is still a value
  EXPECT_TRUE(code.ok());
}

TEST(Error, InAddsTheFloorAboveAndKeepsCodeAndHint) {
  const Error error = missing().in("copy 'here'");
  EXPECT_EQ(error.what, "copy 'here': key 'k' is missing");
  EXPECT_EQ(error.code, Errc::kNotFound);
  EXPECT_EQ(error.hint, "run daruma init");
}

TEST(ResultDeathTest, TakingWhatIsNotThereEndsTheProgram) {
  EXPECT_DEATH(static_cast<void>(*number(false)), "daruma: bug: ok\\(\\) is false at .*result.h");
  EXPECT_DEATH(static_cast<void>(number(true).error()), "daruma: bug");
  EXPECT_DEATH(static_cast<void>(Status().error()), "daruma: bug");
}

}  // namespace
}  // namespace daruma
