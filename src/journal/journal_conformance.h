// journal/journal_conformance.h: what every journal promises, as tests. A subclass gives the journal.
#pragma once

#include <gmock/gmock.h>

#include <thread>

#include "journal/journal.h"

namespace daruma {

inline std::vector<NewEvent> events_of(std::initializer_list<const char*> kinds) {
  std::vector<NewEvent> events;
  for (const char* kind : kinds) events.push_back({kind, Value(Value::Map{{"step", Value("restart")}})});
  return events;
}

template <class Fixture>
class JournalConformance : public testing::Test {
 protected:
  Journal& journal() { return fixture.journal(); }

  std::vector<std::string> kinds_of(const std::string& stream, uint64_t from = 1) {
    std::vector<std::string> kinds;
    const auto events = journal().read(stream, from);
    EXPECT_TRUE(events.ok()) << events.error().what;
    if (events.ok())
      for (const JournalEvent& event : *events) kinds.push_back(event.kind);
    return kinds;
  }

  Fixture fixture;
};

TYPED_TEST_SUITE_P(JournalConformance);

TYPED_TEST_P(JournalConformance, WhatWasAppendedIsRead) {
  const Value body(
      Value::Map{{"text", Value("復旧\n")}, {"count", Value(3)}, {"list", Value(Value::List{})}});
  const auto appended =
      this->journal().append("run/1", 0, {{"run_started", body}, {"step_started", Value()}});
  ASSERT_TRUE(appended.ok()) << appended.error().what;
  const auto read = this->journal().read("run/1");
  ASSERT_TRUE(read.ok()) << read.error().what;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].number, 1u);
  EXPECT_EQ((*read)[0].stream, "run/1");
  EXPECT_EQ((*read)[0].position, 1u);
  EXPECT_EQ((*read)[0].at, this->fixture.clock.now());
  EXPECT_EQ((*read)[0].kind, "run_started");
  EXPECT_EQ((*read)[0].body, body);
  EXPECT_EQ((*read)[1].position, 2u);
  EXPECT_TRUE((*read)[1].body.is_null());
  EXPECT_EQ((*appended)[1].number, (*read)[1].number);
  EXPECT_EQ((*appended)[0].body, (*read)[0].body);
}

TYPED_TEST_P(JournalConformance, AStreamIsReadFromAPositionOn) {
  ASSERT_TRUE(this->journal().append("run/1", 0, events_of({"a", "b", "c"})).ok());
  ASSERT_TRUE(this->journal().append("run/2", 0, events_of({"other"})).ok());
  EXPECT_THAT(this->kinds_of("run/1", 2), testing::ElementsAre("b", "c"));
  EXPECT_THAT(this->kinds_of("run/1", 4), testing::IsEmpty());
  EXPECT_THAT(this->kinds_of("run/3"), testing::IsEmpty());
}

TYPED_TEST_P(JournalConformance, WhoeverIsLateIsRefusedAndNothingIsAppended) {
  ASSERT_TRUE(this->journal().append("run/1", 0, events_of({"a"})).ok());
  const auto late = this->journal().append("run/1", 0, events_of({"b"}));
  ASSERT_TRUE(late.is(Errc::kRefused));
  EXPECT_EQ(late.error().what, "journal: 'run/1' ends at event 1, not at 0: somebody else appended");
  const auto early = this->journal().append("run/1", 2, events_of({"c"}));
  EXPECT_TRUE(early.is(Errc::kRefused));
  EXPECT_THAT(this->kinds_of("run/1"), testing::ElementsAre("a"));
  EXPECT_EQ(this->journal().head()->number, 1u);
}

TYPED_TEST_P(JournalConformance, StreamsComeTheOneBegunLastFirst) {
  for (const char* stream : {"run/1", "state/1", "run/2", "run/3"})
    ASSERT_TRUE(this->journal().append(stream, 0, events_of({"a"})).ok());
  ASSERT_TRUE(this->journal().append("run/1", 1, events_of({"b"})).ok());
  EXPECT_THAT(*this->journal().streams("run/", 10), testing::ElementsAre("run/3", "run/2", "run/1"));
  EXPECT_THAT(*this->journal().streams("run/", 2), testing::ElementsAre("run/3", "run/2"));
  EXPECT_THAT(*this->journal().streams("", 1), testing::ElementsAre("run/3"));
  EXPECT_THAT(*this->journal().streams("run/\x7f", 9), testing::IsEmpty());
}

TYPED_TEST_P(JournalConformance, TheHeadIsTheLastEventAndItsHash) {
  EXPECT_EQ(this->journal().head()->number, 0u);
  EXPECT_EQ(this->journal().head()->hash, EventHash{});
  ASSERT_TRUE(this->journal().append("run/1", 0, events_of({"a"})).ok());
  const JournalHead first = *this->journal().head();
  EXPECT_EQ(first.number, 1u);
  EXPECT_NE(first.hash, EventHash{});
  ASSERT_TRUE(this->journal().append("run/2", 0, events_of({"b", "c"})).ok());
  EXPECT_EQ(this->journal().head()->number, 3u);
  EXPECT_NE(this->journal().head()->hash, first.hash);
}

TYPED_TEST_P(JournalConformance, WhatCouldNotBeReadAgainIsNotAppended) {
  Value deep;
  for (int depth = 0; depth < 100; ++depth) deep = Value(Value::List{deep});
  EXPECT_TRUE(this->journal().append("run/1", 0, {{"a", deep}}).is(Errc::kInvalid));
  EXPECT_TRUE(this->journal().append("run 1", 0, events_of({"a"})).is(Errc::kInvalid));
  EXPECT_TRUE(this->journal().append("", 0, events_of({"a"})).is(Errc::kInvalid));
  EXPECT_TRUE(this->journal().append("run/1", 0, events_of({""})).is(Errc::kInvalid));
  EXPECT_EQ(this->journal().head()->number, 0u);
}

TYPED_TEST_P(JournalConformance, BytesThatAreNoTextAreGivenBackAsTheyAreRead) {
  const auto appended = this->journal().append("run/1", 0, {{"a", Value("\xff")}});
  ASSERT_TRUE(appended.ok());
  EXPECT_EQ((*appended)[0].body, Value("\xEF\xBF\xBD"));
  EXPECT_EQ((*this->journal().read("run/1"))[0].body, Value("\xEF\xBF\xBD"));
}

TYPED_TEST_P(JournalConformance, ManyThreadsAppendAndEveryEventIsThereOnce) {
  constexpr int kThreads = 8, kEach = 25;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([this, thread] {
        const std::string stream = "run/" + std::to_string(thread);
        for (uint64_t after = 0; after < kEach; ++after)
          EXPECT_TRUE(this->journal().append(stream, after, events_of({"a"})).ok());
      });
  }
  EXPECT_EQ(this->journal().head()->number, uint64_t{kThreads * kEach});
  for (int thread = 0; thread < kThreads; ++thread)
    EXPECT_EQ(this->kinds_of("run/" + std::to_string(thread)).size(), size_t{kEach});
}

TYPED_TEST_P(JournalConformance, OfManyThatWantOnePositionOneWins) {
  for (uint64_t after = 0; after < 10; ++after) {
    std::atomic<int> won = 0, refused = 0;
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < 6; ++thread)
        threads.emplace_back([&] {
          const auto answer = this->journal().append("run/1", after, events_of({"a"}));
          ++(answer.ok() ? won : refused);
          EXPECT_TRUE(answer.ok() || answer.is(Errc::kRefused));
        });
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(refused, 5);
  }
}

REGISTER_TYPED_TEST_SUITE_P(JournalConformance, WhatWasAppendedIsRead, AStreamIsReadFromAPositionOn,
                            WhoeverIsLateIsRefusedAndNothingIsAppended, StreamsComeTheOneBegunLastFirst,
                            TheHeadIsTheLastEventAndItsHash, WhatCouldNotBeReadAgainIsNotAppended,
                            BytesThatAreNoTextAreGivenBackAsTheyAreRead,
                            ManyThreadsAppendAndEveryEventIsThereOnce, OfManyThatWantOnePositionOneWins);

}  // namespace daruma
