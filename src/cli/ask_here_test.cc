// Approvals at the terminal: only yes is yes, and only what is typed after the question.
#include "cli/ask_here.h"

#include <gmock/gmock.h>

#include <deque>

namespace daruma {
namespace {

using testing::HasSubstr;

class AskingHere : public testing::Test {
 protected:
  Keyboard keyboard() {
    return {.is_there = [this] { return somebody; },
            .forget = [this] { lines.clear(); },
            .typed = [this]() -> std::optional<std::string> {
              if (lines.empty()) return std::nullopt;
              const std::string line = lines.front();
              lines.pop_front();
              return line;
            }};
  }
  // Types a line and lets the engine look.
  void type(const std::string& line) {
    lines.push_back(line);
    asking.listen();
  }

  bool somebody = true;
  std::deque<std::string> lines;
  StringOutput out;
  std::vector<run::Request> put;
  AskHere asking{out, keyboard(), [this](const run::Request& request) { put.push_back(request); }};
};

TEST_F(AskingHere, YesAgreesToTheStepAskedFor) {
  asking.ask("restore");
  type("yes");
  ASSERT_EQ(put.size(), 1U);
  EXPECT_EQ(put[0].step, "restore");
  EXPECT_TRUE(put[0].yes);
}

TEST_F(AskingHere, NoRejectsIt) {
  asking.ask("restore");
  type("no");
  ASSERT_EQ(put.size(), 1U);
  EXPECT_FALSE(put[0].yes);
}

TEST_F(AskingHere, NothingElseIsAnAnswer) {
  asking.ask("restore");
  for (const char* line : {"", "y", "YES", " yes", "yes please"}) type(line);
  EXPECT_TRUE(put.empty());
  EXPECT_THAT(out.text(), HasSubstr("'y' is neither yes nor no"));
}

TEST_F(AskingHere, WhatWasTypedBeforeTheQuestionIsNoAnswer) {
  lines.push_back("yes");
  asking.ask("restore");
  asking.listen();
  EXPECT_TRUE(put.empty());
}

TEST_F(AskingHere, OneYesAgreesOnce) {
  asking.ask("restore");
  type("yes");
  type("yes");
  EXPECT_EQ(put.size(), 1U);
}

TEST_F(AskingHere, ATaskIsDoneOrNotAndThenWhy) {
  using What = AskHere::What;
  asking.ask("fence", What::kIsItDone);
  for (const char* line : {"yes", "no", "no ", "not yet"}) type(line);
  EXPECT_TRUE(put.empty());
  EXPECT_THAT(out.text(), HasSubstr("'no' is neither done, nor no and why"));
  type("no  the switch has no power");
  ASSERT_EQ(put.size(), 1U);
  EXPECT_EQ(put[0].kind, run::Request::Kind::kAnswer);
  EXPECT_FALSE(put[0].yes);
  EXPECT_EQ(put[0].reason, "the switch has no power");
  asking.ask("cable", What::kIsItDone);
  type("done");
  ASSERT_EQ(put.size(), 2U);
  EXPECT_TRUE(put[1].yes);
}

TEST_F(AskingHere, WhetherItHappenedIsYesOrNo) {
  asking.ask("flush", AskHere::What::kDidItHappen);
  type("done");
  EXPECT_TRUE(put.empty());
  type("no");
  ASSERT_EQ(put.size(), 1U);
  EXPECT_EQ(put[0].kind, run::Request::Kind::kAnswer);
  EXPECT_FALSE(put[0].yes);
}

TEST_F(AskingHere, SeveralAreAskedOneAfterTheOther) {
  asking.ask("first");
  asking.ask("second", AskHere::What::kIsItDone);
  EXPECT_THAT(out.text(), testing::Not(HasSubstr("second")));
  type("yes");
  EXPECT_THAT(out.text(), HasSubstr("when second is done"));
  type("done");
  ASSERT_EQ(put.size(), 2U);
  EXPECT_EQ(put[1].step, "second");
  EXPECT_FALSE(asking.waits());
}

TEST_F(AskingHere, WhereNobodySitsNobodyIsAsked) {
  somebody = false;
  asking.ask("restore");
  type("yes");
  EXPECT_TRUE(put.empty());
  EXPECT_EQ(out.text(), "");
}

}  // namespace
}  // namespace daruma
