// Many questions, one deadline: whoever does not answer is left behind, and nobody waits for it.
#include "watch/ask_all.h"

#include <gmock/gmock.h>

#include <latch>
#include <memory>

namespace daruma::watch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Time that stands still until as many have answered as there are answers to come, and is then over.
class PatientClock final : public Clock {
 public:
  explicit PatientClock(ptrdiff_t answers) : answered(answers) {}
  Instant now() const override { return inner_.now(); }
  MonoInstant mono() const override { return inner_.mono(); }
  bool pause(Duration duration, std::stop_token stop) override {
    answered.wait();
    paused += duration;
    return inner_.pause(duration, std::move(stop));
  }

  std::latch answered;
  Duration paused{};

 private:
  ManualClock inner_;
};

Answer note(const std::string& text) {
  return [text](Facts& facts) { facts.unseen.push_back(text); };
}

// What threads that are left behind still use.
struct Forever {
  std::latch end{1};
};

class AskAll : public testing::Test {
 protected:
  ~AskAll() override { forever_->end.count_down(); }

  // `heard` is counted down once the answer is given and its thread is done.
  void answers(const std::string& text, std::latch* heard = nullptr) {
    const auto tell = [heard](const int*) {
      if (heard) heard->count_down();
    };
    static const int kNothing = 0;
    questions.push_back({[text, done = std::shared_ptr<const int>(&kNothing, tell)] { return note(text); },
                         note(text + " is silent")});
  }
  void hangs(const std::string& text) {
    questions.push_back({[forever = forever_, text] {
                           forever->end.wait();
                           return note(text);
                         },
                         note(text + " is silent")});
  }

  std::vector<Question> questions;
  Facts facts;

 private:
  std::shared_ptr<Forever> forever_ = std::make_shared<Forever>();
};

TEST_F(AskAll, WhereAllAnswerNobodyIsLeftBehind) {
  for (const char* name : {"a", "b", "c"}) answers(name);
  const auto clock = real_clock();
  EXPECT_TRUE(ask_all(std::move(questions), facts, *clock, Deadline::never()));
  EXPECT_THAT(facts.unseen, ElementsAre("a", "b", "c"));
}

TEST_F(AskAll, WithEveryTargetHangingItEndsAtTheDeadline) {
  for (int target = 0; target < 50; ++target) hangs("x");
  PatientClock clock(0);
  EXPECT_FALSE(ask_all(std::move(questions), facts, clock, clock.after(4s)));
  EXPECT_EQ(facts.unseen.size(), 50u);
  EXPECT_EQ(clock.paused, 4s);
}

TEST_F(AskAll, WhatHangsTakesNothingFromWhatAnswers) {
  PatientClock clock(2);
  hangs("a");
  answers("b", &clock.answered);
  answers("c", &clock.answered);
  EXPECT_FALSE(ask_all(std::move(questions), facts, clock, clock.after(4s)));
  EXPECT_THAT(facts.unseen, ElementsAre("a is silent", "b", "c"));
}

TEST_F(AskAll, NoQuestionsNeedNoTime) {
  PatientClock clock(1);  // would wait for ever
  EXPECT_TRUE(ask_all({}, facts, clock, clock.after(4s)));
  EXPECT_THAT(facts.unseen, IsEmpty());
}

}  // namespace
}  // namespace daruma::watch
