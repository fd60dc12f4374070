// One breaker's cells, used by two threads and by two processes, one of which dies.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "breaker/breaker.h"

namespace daruma {
namespace {

using Outcome = Breaker::Outcome;

constexpr MonoInstant kNow{100s};
constexpr int kCalls = 2'000;

BreakerSettings settings() {
  return {.minimum_calls = 10, .open_for = 5s, .trials = 3, .trial_time_max = 3s, .stripes = 2};
}

// Memory that a forked child shares.
class SharedCells {
 public:
  explicit SharedCells(size_t count)
      : bytes_(count * sizeof(Cell)),
        memory_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
        cells_(static_cast<Cell*>(memory_), count) {
    DR_CHECK(memory_ != MAP_FAILED);
  }
  ~SharedCells() { munmap(memory_, bytes_); }
  SharedCells(const SharedCells&) = delete;
  SharedCells& operator=(const SharedCells&) = delete;
  Breaker::Cells cells() const { return cells_; }

 private:
  using Cell = std::atomic<uint64_t>;
  size_t bytes_;
  void* memory_;
  Breaker::Cells cells_;
};

// Runs `work` in a child, which then dies without any farewell.
template <class Work>
void in_a_process_that_dies(Work work) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    work();
    ::kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

void call(Breaker& breaker, Outcome outcome, int times = 1) {
  for (int i = 0; i < times; ++i)
    if (const auto permit = breaker.admit(kNow)) breaker.record(*permit, outcome, 1ms, kNow);
}

// Where two threads meet, so closely that what they do next collides.
class Meeting {
 public:
  void wait() {
    const int mine = ++arrived_;
    const int both = (mine + 1) / 2 * 2;
    for (int spins = 0; arrived_ < both; ++spins)
      if (spins > 1000) std::this_thread::yield();
  }

 private:
  std::atomic<int> arrived_{0};
};

template <class One, class Two>
void together(One one, Two two) {
  Meeting start;
  std::thread other([&] { start.wait(), two(); });
  start.wait(), one();
  other.join();
}

struct Shared : testing::TestWithParam<bool> {
  static BreakerSettings window() {
    BreakerSettings changed = settings();
    if (GetParam()) changed.window_calls = 20 * kCalls;
    return changed;
  }
  SharedCells shared{Breaker::cells_needed(window())};
  Breaker ours{"x", window(), shared.cells(), 0};
};
INSTANTIATE_TEST_SUITE_P(Window, Shared, testing::Bool(),
                         [](const auto& window) { return window.param ? "OfCalls" : "OfTime"; });

TEST_P(Shared, TwoThreadsLoseNoCall) {
  Breaker theirs("x", window(), shared.cells(), 1);
  const auto work = [](Breaker& breaker) {
    for (int i = 0; i < kCalls; ++i) call(breaker, i % 4 == 0 ? Outcome::kFailure : Outcome::kSuccess);
  };
  together([&] { work(ours); }, [&] { work(theirs); });
  EXPECT_EQ(ours.view(kNow).counts, (BreakerCounts{2 * kCalls, kCalls / 2, 0}));
}

TEST_P(Shared, TwoThreadsOnOneStripeLoseNoCallEither) {
  const auto work = [&] { call(ours, Outcome::kSuccess, 10 * kCalls); };
  together(work, work);
  EXPECT_EQ(ours.view(kNow).counts.calls, size_t{20 * kCalls});
}

// Two threads at an open breaker at once whose time has come: never more trials than set, and exactly one
// change each way, round after round.
TEST_P(Shared, TwoThreadsShareTheTrials) {
  std::atomic<int> changes{0}, trials{0};
  const auto listener = [&](const BreakerChange&) { ++changes; };
  Breaker one("x", window(), shared.cells(), 0, listener), two("x", window(), shared.cells(), 1, listener);
  Meeting prepared, tried;
  const auto try_it = [&](Breaker& breaker) {
    prepared.wait();
    for (int i = 0; i < 5; ++i)
      if (breaker.admit(kNow + 5s)) ++trials;
    tried.wait();
  };
  constexpr int kRounds = 3000;
  std::thread other([&] {
    for (int round = 0; round < kRounds; ++round) try_it(two);
  });
  for (int round = 0; round < kRounds; ++round) {
    one.reset(kNow);
    call(one, Outcome::kFailure, 10);
    trials = changes = 0;
    try_it(one);
    EXPECT_EQ(trials, 3);
    EXPECT_EQ(changes, 1) << "half-open";
  }
  other.join();
}

TEST_P(Shared, ABreakerOpenedByOneProcessIsOpenForTheOther) {
  in_a_process_that_dies([&] {
    Breaker theirs("x", window(), shared.cells(), 1);
    call(theirs, Outcome::kFailure, 5);
  });
  EXPECT_EQ(ours.state(), BreakerState::kClosed);
  call(ours, Outcome::kFailure, 5);
  EXPECT_EQ(ours.state(), BreakerState::kOpen);
  in_a_process_that_dies([&] {
    Breaker theirs("x", window(), shared.cells(), 1);
    theirs.admit(kNow);
  });
  EXPECT_EQ(ours.view(kNow).not_permitted, 1u);
}

TEST_P(Shared, ATrialThatDiedWithItsProcessFailsInTime) {
  call(ours, Outcome::kFailure, 10);
  in_a_process_that_dies([&] {
    Breaker theirs("x", window(), shared.cells(), 1);
    theirs.admit(kNow + 5s);
  });
  EXPECT_EQ(ours.view(kNow).trials_running, 1u);
  EXPECT_TRUE(ours.admit(kNow + 6s));
  EXPECT_FALSE(ours.admit(kNow + 8s));
  EXPECT_EQ(ours.view(kNow + 8s).reason, BreakerReason::kTrialLost);
}

TEST_P(Shared, TwoProcessesCallingAtOnceLoseNoCall) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  Breaker mine("x", window(), shared.cells(), child == 0 ? 1 : 0);
  call(mine, Outcome::kSuccess, kCalls);
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(mine.view(kNow).counts.calls, size_t{2 * kCalls});
}

}  // namespace
}  // namespace daruma
