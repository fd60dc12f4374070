// The journal in memory keeps the promises of any journal, and fails as it is told to.
#include "journal/journal_conformance.h"

namespace daruma {
namespace {

struct Memory {
  Journal& journal() { return memory; }
  ManualClock clock;
  MemoryJournal memory{clock};
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, JournalConformance, Memory);

class MemoryJournalFaults : public testing::Test {
 protected:
  void fail(bool before) {
    journal_.fault = [before](bool now) {
      return now == before ? Status(Error{Errc::kUnavailable, "planted"}) : Status();
    };
  }
  ManualClock clock_;
  MemoryJournal journal_{clock_};
};

TEST_F(MemoryJournalFaults, AFaultBeforeLeavesNothingBehind) {
  fail(true);
  EXPECT_TRUE(journal_.append("run/1", 0, events_of({"a"})).is(Errc::kUnavailable));
  EXPECT_EQ(journal_.head()->number, 0u);
}

TEST_F(MemoryJournalFaults, AFaultAfterLosesTheAnswerOnly) {
  fail(false);
  EXPECT_TRUE(journal_.append("run/1", 0, events_of({"a"})).is(Errc::kUnavailable));
  EXPECT_EQ(journal_.head()->number, 1u);
}

}  // namespace
}  // namespace daruma
