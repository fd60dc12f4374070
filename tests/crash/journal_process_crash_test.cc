// Real processes at one journal: killed at any moment they lose nothing they were told is durable; of two
// that want the same place in a stream one gets it; a full disk stops them before anything is appended.
//
// The moment of a kill is after so many acknowledgements, drawn from a seed, while others are under way.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <map>
#include <random>
#include <thread>

#include "journal/journal.h"
#include "os/descriptor.h"
#include "os/scratch_dir.h"
#include "support/small_disk.h"

namespace daruma {
namespace {

// One acknowledged append, as a child tells it: a write this small to a pipe is whole.
struct Told {
  uint32_t stream = 0;
  uint64_t position = 0;
};

// A child that works at the journal and tells of each acknowledgement through a pipe.
class Child {
 public:
  template <class Work>
  explicit Child(Work work) {
    int ends[2];
    DR_CHECK(::pipe(ends) == 0);
    pid_ = ::fork();
    DR_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::close(ends[0]);
      work(ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    pipe_ = Descriptor(ends[0]);
  }
  ~Child() { kill(); }

  bool next(Told& told) { return ::read(pipe_.get(), &told, sizeof told) == sizeof told; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  Descriptor pipe_;
};

std::string stream_of(uint32_t number) { return "run/" + std::to_string(number); }

std::vector<NewEvent> some_events() {
  return {{"step_started", Value(Value::Map{{"step", Value("restart")}})}, {"step_ended", Value()}};
}

class JournalProcesses : public testing::Test {
 protected:
  Path file() const { return scratch_.path() / "journal.db"; }
  std::unique_ptr<Journal> open() {
    auto journal = open_journal(scratch_.fs(), *clock_, file());
    EXPECT_TRUE(journal.ok()) << journal.error().what;
    return journal.ok() ? *std::move(journal) : nullptr;
  }

  // Appends to its own stream, after what is there, for ever.
  static void append_for_ever(Journal& journal, uint32_t stream, int pipe) {
    uint64_t position = journal.read(stream_of(stream))->size();
    for (;;) {
      const auto appended = journal.append(stream_of(stream), position, some_events());
      if (!appended.ok()) ::_exit(1);
      position = appended->back().position;
      const Told told{stream, position};
      if (::write(pipe, &told, sizeof told) != sizeof told) ::_exit(1);
    }
  }

  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
};

TEST_F(JournalProcesses, KilledAtAnyMomentNothingAcknowledgedIsLost) {
  std::mt19937 random(testing::UnitTest::GetInstance()->random_seed());
  std::map<uint32_t, uint64_t> acknowledged;
  for (int round = 0; round < 12; ++round) {
    Child child([&](int pipe) {
      const auto journal = open();
      std::vector<std::jthread> threads;
      for (uint32_t stream = 0; stream < 3; ++stream)
        threads.emplace_back([&, stream] { append_for_ever(*journal, stream, pipe); });
    });
    Told told;
    for (auto left = random() % 20; left > 0 && child.next(told); --left)
      acknowledged[told.stream] = told.position;
    child.kill();
    while (child.next(told)) acknowledged[told.stream] = told.position;

    const auto checked = check_journal(scratch_.fs(), file(), {});
    if (checked.is(Errc::kNotFound)) continue;  // killed before the journal was made
    ASSERT_TRUE(checked.ok()) << checked.error().what;
    const auto journal = open();
    for (const auto& [stream, position] : acknowledged) {
      const auto events = *journal->read(stream_of(stream));
      ASSERT_GE(events.size(), position);
      ASSERT_EQ(events.size() % 2, 0u) << "half of an append is there";
    }
  }
  EXPECT_FALSE(acknowledged.empty());
}

TEST_F(JournalProcesses, OfTwoThatWantOnePlaceOneGetsIt) {
  constexpr uint64_t kPlaces = 40;
  open();
  const auto work = [&](int pipe) {
    const auto journal = open();
    for (uint64_t after = 0; after < kPlaces; ++after) {
      const auto appended = journal->append("run/1", after, {{"claimed", Value(::getpid())}});
      if (appended.is(Errc::kRefused)) continue;
      const Told told{appended.ok() ? 1u : 0u, after + 1};
      if (::write(pipe, &told, sizeof told) != sizeof told) ::_exit(1);
    }
  };
  std::map<uint64_t, int> winners;
  {
    Child one(work), other(work);
    for (Child* child : {&one, &other})
      for (Told told; child->next(told);) {
        EXPECT_EQ(told.stream, 1u) << "an append failed otherwise than by being refused";
        ++winners[told.position];
      }
  }
  EXPECT_EQ(winners.size(), kPlaces);
  for (const auto& [place, count] : winners) EXPECT_EQ(count, 1) << place;
  EXPECT_EQ(*check_journal(scratch_.fs(), file(), {}), kPlaces);
}

TEST_F(JournalProcesses, AFullDiskIsSaidAndNothingIsAppended) {
  if (!SmallDisk::possible()) GTEST_SKIP() << "needs root and a mount namespace";
  const Path folder = scratch_.path() / "small";
  ASSERT_TRUE(scratch_.fs().create_dir(folder).ok());
  SmallDisk disk(folder, 1);
  const Path file = folder / "journal.db";
  const auto journal = *open_journal(scratch_.fs(), *clock_, file);
  const std::vector<NewEvent> large = {{"step_ended", Value(std::string(30'000, 'x'))}};
  uint64_t appended = 0;
  Status full;
  while (full.ok() && appended < 1000) {
    const auto answer = journal->append("run/1", appended, large);
    if (answer.ok())
      ++appended;
    else
      full = answer.error();
  }
  ASSERT_TRUE(full.is(Errc::kNoSpace)) << full.error().what;
  EXPECT_EQ(journal->head()->number, appended);
  EXPECT_EQ(journal->read("run/1")->size(), appended);

  disk.resize_kib(4096);
  const auto again = journal->append("run/1", appended, large);
  ASSERT_TRUE(again.ok()) << again.error().what;
  EXPECT_EQ(*check_journal(scratch_.fs(), file, *journal->head()), appended + 1);
}

}  // namespace
}  // namespace daruma
