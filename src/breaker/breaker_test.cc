// The breaker's states, one sentence at a time, on a hand-driven clock.
#include "breaker/breaker.h"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

namespace daruma {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Outcome = Breaker::Outcome;

class BreakerTest : public testing::Test {
 protected:
  // Small numbers, so that the tests stay short.
  static BreakerSettings settings() {
    return {.window_time = 10s, .minimum_calls = 4, .open_for = 5s, .trials = 2, .trial_time_max = 3s};
  }
  void with(BreakerSettings changed) {
    cells_ = std::vector<std::atomic<uint64_t>>(Breaker::cells_needed(changed));
    events.clear();
    breaker_ = another(changed);
  }
  template <class Change>
  void setting(Change change) {
    BreakerSettings changed = settings();
    change(changed);
    with(changed);
  }
  // As another worker has it: an object of its own over the same cells.
  std::unique_ptr<Breaker> another(const BreakerSettings& changed, size_t stripe = 0) {
    return std::make_unique<Breaker>(
        "HotelDataAPI", changed, cells_, stripe, [this](const BreakerChange& change) {
          events.push_back(std::string(name_of(change.from)) + " -> " + std::string(name_of(change.to)) +
                           ": " + std::string(name_of(change.reason)));
        });
  }
  void SetUp() override { with(settings()); }

  void pass(Duration time) { now = now + time; }
  std::optional<Breaker::Permit> admit() { return breaker_->admit(now); }
  void end(const std::optional<Breaker::Permit>& permit, Outcome outcome, Duration took = 1ms) {
    ASSERT_TRUE(permit.has_value()) << "the call was not permitted";
    breaker_->record(*permit, outcome, took, now);
  }
  void succeed(int times = 1) {
    for (int i = 0; i < times; ++i) end(admit(), Outcome::kSuccess);
  }
  void fail(int times = 1) {
    for (int i = 0; i < times; ++i) end(admit(), Outcome::kFailure);
  }
  void slow(int times = 1) {
    for (int i = 0; i < times; ++i) end(admit(), Outcome::kSuccess, 1s);
  }
  void open() {
    fail(4);
    ASSERT_EQ(state(), "open");
  }
  void half_open() {
    open();
    pass(5s);
  }
  std::string state() const { return std::string(name_of(breaker_->state())); }
  BreakerView view() const { return breaker_->view(now); }
  Breaker& breaker() { return *breaker_; }

  MonoInstant now{100s};
  std::vector<std::string> events;

 private:
  std::vector<std::atomic<uint64_t>> cells_;
  std::unique_ptr<Breaker> breaker_;
};

// --- closed

TEST_F(BreakerTest, CellsOfZeroAreAClosedBreakerThatPermitsEverything) {
  EXPECT_EQ(state(), "closed");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(admit());
  EXPECT_FALSE(view().since.has_value());
}

TEST_F(BreakerTest, OpensWhenTheFailureRateIsReached) {
  succeed(2);
  fail(1);
  EXPECT_EQ(state(), "closed");
  fail(1);
  EXPECT_EQ(state(), "open");
  EXPECT_THAT(events, ElementsAre("closed -> open: the failure rate reached its limit"));
}

TEST_F(BreakerTest, FewerCallsThanTheMinimumDecideNothing) {
  fail(3);
  EXPECT_EQ(state(), "closed");
  EXPECT_FALSE(view().failure_rate.has_value());
  fail(1);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, AGoodResultNeverOpens) {
  fail(3);
  succeed(1);
  EXPECT_EQ(state(), "closed");
  EXPECT_EQ(view().failure_rate, 0.75);
  fail(1);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, OpensWhenTheRateOfSlowCallsIsReached) {
  setting([](BreakerSettings& s) { s.slow_rate = 0.8; });
  succeed(1);
  slow(3);
  EXPECT_EQ(state(), "closed");
  slow(1);
  EXPECT_EQ(state(), "open");
  EXPECT_THAT(events, ElementsAre("closed -> open: the rate of slow calls reached its limit"));
}

TEST_F(BreakerTest, ACallIsSlowFromItsLimitOn) {
  for (int i = 0; i < 8; ++i) end(admit(), Outcome::kSuccess, 1s - 1ns);
  EXPECT_EQ(view().slow_rate, 0.0);
  end(admit(), Outcome::kSuccess, 1s);
  EXPECT_EQ(view().counts.slow, 1u);
}

TEST_F(BreakerTest, AFailureThatWasSlowCountsAsBoth) {
  end(admit(), Outcome::kFailure, 2s);
  EXPECT_EQ(view().counts, (BreakerCounts{1, 1, 1}));
}

TEST_F(BreakerTest, ARateAboveOneNeverOpens) {
  setting([](BreakerSettings& s) { s.failure_rate = s.slow_rate = 1.1; });
  for (int i = 0; i < 100; ++i) end(admit(), Outcome::kFailure, 2s);
  EXPECT_EQ(state(), "closed");
}

TEST_F(BreakerTest, ARateOfThreeTenthsIsReachedByThreeOfTen) {
  setting([](BreakerSettings& s) { s.failure_rate = 0.3, s.minimum_calls = 10; });
  succeed(7);
  fail(2);
  EXPECT_EQ(state(), "closed");
  fail(1);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, ADroppedPermitCountsAsNoCall) {
  fail(3);
  for (int i = 0; i < 10; ++i) breaker().drop(*admit());
  EXPECT_EQ(view().counts, (BreakerCounts{3, 3, 0}));
}

// --- the window

TEST_F(BreakerTest, AWindowOfTimeForgetsInStepsOfATenth) {
  now = {100s};
  fail(3);
  pass(9s);
  EXPECT_EQ(view().counts.calls, 3u);
  pass(1s - 1ns);
  EXPECT_EQ(view().counts.calls, 3u);
  pass(1ns);
  EXPECT_EQ(view().counts.calls, 0u);
  fail(3);
  EXPECT_EQ(state(), "closed");
}

TEST_F(BreakerTest, AWindowOfTimeIsEmptyAfterAnyPauseThatIsLongerThanIt) {
  for (const Duration pause : {10s, 11s, 100s, 1h + 0s, 48h + 0s, 1000h + 0s}) {
    fail(3);
    pass(pause);
    EXPECT_EQ(view().counts.calls, 0u);
  }
  EXPECT_EQ(state(), "closed");
}

TEST_F(BreakerTest, AReadingOfTheClockThatIsALittleOldCountsAndSpoilsNothing) {
  fail(2);
  pass(1s);
  fail(1);
  pass(-1s);
  succeed(1);
  EXPECT_EQ(view().counts, (BreakerCounts{4, 3, 0}));
}

TEST_F(BreakerTest, AResultOlderThanTheWindowIsNotCounted) {
  now = {120s};
  succeed(1);
  now = {110s};
  fail(3);
  now = {120s};
  EXPECT_EQ(view().counts, (BreakerCounts{1, 0, 0}));
}

TEST_F(BreakerTest, AWindowOfCallsHoldsExactlyTheLastOnes) {
  for (const uint32_t size : {5u, 16u, 17u, 100u}) {
    setting([&](BreakerSettings& s) { s.window_calls = size, s.failure_rate = s.slow_rate = 1.1; });
    fail(2);
    slow(static_cast<int>(size) - 2);
    EXPECT_EQ(view().counts, (BreakerCounts{size, 2, size - 2})) << size;
    succeed(1);
    EXPECT_EQ(view().counts, (BreakerCounts{size, 1, size - 2})) << size;
    succeed(static_cast<int>(size));
    EXPECT_EQ(view().counts, (BreakerCounts{size, 0, 0})) << size;
  }
}

TEST_F(BreakerTest, AWindowOfCallsDoesNotForgetWithTime) {
  setting([](BreakerSettings& s) { s.window_calls = 10; });
  fail(3);
  pass(1000h);
  fail(1);
  EXPECT_EQ(state(), "open");
}

// --- open

TEST_F(BreakerTest, OpenItPermitsNothingAndCountsWhatItTurnsAway) {
  open();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(admit());
  EXPECT_EQ(view().not_permitted, 3u);
  EXPECT_EQ(view().try_again_at, now + 5s);
}

TEST_F(BreakerTest, OpenItShowsTheCountsThatOpenedIt) {
  succeed(1);
  fail(3);
  pass(1h);
  EXPECT_EQ(view().counts, (BreakerCounts{4, 3, 0}));
  EXPECT_EQ(view().failure_rate, 0.75);
  EXPECT_EQ(view().since, MonoInstant{100s});
}

TEST_F(BreakerTest, IsHalfOpenWithTheFirstCallAfterItsTimeAndNotBefore) {
  open();
  pass(5s - 1ns);
  EXPECT_FALSE(admit());
  pass(1ns);
  EXPECT_EQ(state(), "open");
  EXPECT_TRUE(admit()->trial);
  EXPECT_EQ(state(), "half-open");
  EXPECT_THAT(events, testing::Contains("open -> half-open: it was open for long enough"));
}

TEST_F(BreakerTest, NeverTriesTooEarlyWhereTheChangeFellBetweenTwoMilliseconds) {
  pass(1us);
  open();
  pass(5s);
  EXPECT_FALSE(admit());
  pass(1ms - 1us);
  EXPECT_TRUE(admit());
}

TEST_F(BreakerTest, AResultFromBeforeTheChangeDoesNotCount) {
  const auto early = admit(), late = admit();
  open();
  end(early, Outcome::kSuccess);
  pass(5s);
  const auto trial = admit();
  end(late, Outcome::kFailure);
  EXPECT_EQ(state(), "half-open");
  end(trial, Outcome::kSuccess);
  EXPECT_EQ(view().trials_passed, 1u);
}

// --- half-open

TEST_F(BreakerTest, ClosesWithAnEmptyWindowWhenAllTrialsEndWell) {
  half_open();
  const auto first = admit(), second = admit();
  end(first, Outcome::kSuccess);
  EXPECT_EQ(state(), "half-open");
  end(second, Outcome::kSuccess);
  EXPECT_EQ(state(), "closed");
  EXPECT_EQ(view().counts.calls, 0u);
  EXPECT_EQ(events.back(), "half-open -> closed: every trial ended well");
}

TEST_F(BreakerTest, PermitsNoMoreTrialsThanSet) {
  half_open();
  EXPECT_TRUE(admit());
  EXPECT_TRUE(admit());
  EXPECT_FALSE(admit());
  EXPECT_EQ(view().trials_running, 2u);
  EXPECT_EQ(view().not_permitted, 1u);
}

TEST_F(BreakerTest, ATrialThatEndedWellIsNotReplacedByAnother) {
  half_open();
  succeed(1);
  EXPECT_TRUE(admit());
  EXPECT_FALSE(admit());
}

TEST_F(BreakerTest, OpensAgainWithTheFirstTrialThatFails) {
  half_open();
  const auto first = admit(), second = admit();
  end(first, Outcome::kSuccess);
  end(second, Outcome::kFailure);
  EXPECT_EQ(state(), "open");
  EXPECT_EQ(view().try_again_at, now + 5s);
  EXPECT_EQ(events.back(), "half-open -> open: a trial failed or was slow");
  EXPECT_EQ(view().counts, (BreakerCounts{2, 1, 0}));
}

TEST_F(BreakerTest, OpensAgainWithATrialThatIsSlow) {
  half_open();
  slow(1);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, ASlowTrialIsGoodWhereSlowCallsDoNotMatter) {
  setting([](BreakerSettings& s) { s.slow_rate = 1.1; });
  half_open();
  slow(2);
  EXPECT_EQ(state(), "closed");
}

TEST_F(BreakerTest, ADroppedTrialMayBeHadByAnother) {
  half_open();
  const auto dropped = admit();
  admit();
  EXPECT_FALSE(admit());
  breaker().drop(*dropped);
  EXPECT_TRUE(admit());
}

TEST_F(BreakerTest, ATrialNotHeardOfHasFailedAtItsDeadline) {
  half_open();
  const auto lost = admit();
  pass(3s - 1ns);
  EXPECT_TRUE(admit()->trial);
  pass(1ns);
  EXPECT_FALSE(admit());
  EXPECT_EQ(state(), "open");
  EXPECT_EQ(events.back(), "half-open -> open: a trial was not heard of in time");
  EXPECT_EQ(view().since, now);
  end(lost, Outcome::kSuccess);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, ALostTrialNoticedLateCountsFromItsDeadline) {
  half_open();
  admit();
  pass(3s + 5s);
  EXPECT_TRUE(admit()->trial);
  EXPECT_THAT(events, ElementsAre("closed -> open: the failure rate reached its limit",
                                  "open -> half-open: it was open for long enough",
                                  "half-open -> open: a trial was not heard of in time",
                                  "open -> half-open: it was open for long enough"));
}

TEST_F(BreakerTest, ATrialThatEndsWellTooLateHasFailed) {
  half_open();
  const auto late = admit();
  pass(3s);
  end(late, Outcome::kSuccess);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, ATrialOfAnEarlierHalfOpenTimeIsForgotten) {
  half_open();
  const auto old = admit();
  admit();
  breaker().reset(now);
  half_open();
  EXPECT_TRUE(admit());
  end(old, Outcome::kFailure);
  breaker().drop(*old);
  EXPECT_EQ(view().trials_running, 1u);
  succeed(1);
  EXPECT_EQ(state(), "half-open");
}

// --- back-off

TEST_F(BreakerTest, StaysOpenTwiceAsLongWithEachOpeningInARowUpToALimit) {
  setting([](BreakerSettings& s) { s.open_for_max = 18s; });
  open();
  std::vector<Duration> pauses;
  for (int i = 0; i < 4; ++i) {
    pauses.push_back(*view().try_again_at - now);
    now = *view().try_again_at;
    fail(1);
  }
  EXPECT_THAT(pauses, ElementsAre(5s, 10s, 18s, 18s));
}

TEST_F(BreakerTest, ItsPatienceIsNewOnceItWasClosed) {
  setting([](BreakerSettings& s) { s.open_for_max = 18s; });
  half_open();
  fail(1);
  pass(10s);
  succeed(2);
  open();
  EXPECT_EQ(*view().try_again_at - now, 5s);
}

TEST_F(BreakerTest, WithoutALimitForIncreaseItStaysOpenEquallyLong) {
  open();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(*view().try_again_at - now, 5s);
    pass(5s);
    fail(1);
  }
}

// --- by hand

TEST_F(BreakerTest, AResetClosesAndForgets) {
  open();
  breaker().reset(now);
  EXPECT_EQ(state(), "closed");
  EXPECT_EQ(events.back(), "open -> closed: reset by hand");
  fail(3);
  EXPECT_EQ(state(), "closed");
}

TEST_F(BreakerTest, AResetOfAClosedBreakerForgetsItsWindow) {
  fail(3);
  const auto early = admit();
  breaker().reset(now);
  fail(3);
  end(early, Outcome::kFailure);
  EXPECT_EQ(view().counts.calls, 3u);
  EXPECT_EQ(state(), "closed");
}

TEST_F(BreakerTest, ForcedOpenItStaysOpen) {
  breaker().force_open(now);
  pass(1000h);
  EXPECT_FALSE(admit());
  EXPECT_EQ(state(), "forced-open");
  EXPECT_FALSE(view().try_again_at.has_value());
  EXPECT_EQ(view().not_permitted, 1u);
}

TEST_F(BreakerTest, DisabledItPermitsEverythingAndCountsNothing) {
  open();
  breaker().disable(now);
  fail(100);
  EXPECT_EQ(state(), "disabled");
  EXPECT_EQ(view().counts, BreakerCounts{});
}

TEST_F(BreakerTest, ToldOnlyToMeasureItCountsAndNeverOpens) {
  breaker().only_measure(now);
  fail(100);
  EXPECT_EQ(state(), "metrics-only");
  EXPECT_EQ(view().failure_rate, 1.0);
}

TEST_F(BreakerTest, AutomaticAgainItIsClosedWithAnEmptyWindow) {
  breaker().only_measure(now);
  fail(100);
  breaker().automatic(now);
  EXPECT_EQ(state(), "closed");
  EXPECT_EQ(view().counts.calls, 0u);
  open();
}

TEST_F(BreakerTest, AutomaticChangesNothingWhereItIsAlready) {
  open();
  breaker().automatic(now);
  EXPECT_EQ(state(), "open");
}

TEST_F(BreakerTest, ToldWhatItDoesAlreadyItChangesNothing) {
  breaker().force_open(now);
  const uint64_t version = breaker().version();
  pass(1s);
  breaker().force_open(now);
  EXPECT_EQ(breaker().version(), version);
  EXPECT_EQ(events.size(), 1u);
}

// --- who is told

TEST_F(BreakerTest, AChangeTellsTheCountsThatMadeIt) {
  std::vector<std::atomic<uint64_t>> cells(Breaker::cells_needed(settings()));
  std::vector<BreakerChange> changes;
  Breaker told("x", settings(), cells, 0, [&](const BreakerChange& change) { changes.push_back(change); });
  for (int i = 0; i < 4; ++i) told.record(*told.admit(now), Outcome::kFailure, 1ms, now);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].breaker, "x");
  EXPECT_EQ(changes[0].counts, (BreakerCounts{4, 4, 0}));
  EXPECT_EQ(changes[0].at, now);
}

TEST_F(BreakerTest, AnotherWorkerSeesTheSameStateAndNoticesTheChangeByTheVersion) {
  const auto other = another(settings(), 1);
  const uint64_t version = other->version();
  fail(2);
  EXPECT_EQ(other->version(), version);
  for (int i = 0; i < 2; ++i) other->record(*other->admit(now), Outcome::kFailure, 1ms, now);
  EXPECT_NE(breaker().version(), version);
  EXPECT_FALSE(admit());
  EXPECT_FALSE(other->admit(now));
  EXPECT_EQ(other->view(now).not_permitted, 2u);
  EXPECT_EQ(events.size(), 1u);
}

TEST_F(BreakerTest, MoreWorkersThanStripesShareThem) {
  BreakerSettings few = settings();
  few.stripes = 2;
  with(few);
  for (size_t worker = 0; worker < 4; ++worker) {
    const auto other = another(few, worker);
    other->record(*other->admit(now), Outcome::kFailure, 1ms, now);
  }
  EXPECT_EQ(view().counts.calls, 4u);
  EXPECT_EQ(state(), "open");
}

// --- settings

TEST_F(BreakerTest, SettingsThatMakeNoSenseAreNamed) {
  const auto fault = [](auto change) {
    BreakerSettings changed;
    change(changed);
    const Status status = changed.check();
    return status.ok() ? "" : status.error().what;
  };
  EXPECT_THAT(fault([](auto&) {}), IsEmpty());
  EXPECT_THAT(fault([](auto& s) { s.window_time = 0s; }), HasSubstr("window_time"));
  EXPECT_THAT(fault([](auto& s) { s.window_calls = 70'000; }), HasSubstr("window_calls is 70000"));
  EXPECT_THAT(fault([](auto& s) { s.minimum_calls = 0; }), HasSubstr("minimum_calls"));
  EXPECT_THAT(fault([](auto& s) { s.window_calls = 10; }),
              "minimum_calls is 20, and the window holds only 10");
  EXPECT_THAT(fault([](auto& s) { s.failure_rate = 0; }), "failure_rate is 0, not above 0");
  EXPECT_THAT(fault([](auto& s) { s.slow_rate = -1; }), HasSubstr("slow_rate"));
  EXPECT_THAT(fault([](auto& s) { s.open_for = 0s; }), HasSubstr("open_for"));
  EXPECT_THAT(fault([](auto& s) { s.open_for_max = 1s; }), HasSubstr("open_for_max"));
  EXPECT_THAT(fault([](auto& s) { s.trials = 0; }), "trials is 0, not 1 to 1000");
  EXPECT_THAT(fault([](auto& s) { s.trial_time_max = 0s; }), HasSubstr("trial_time_max"));
  EXPECT_THAT(fault([](auto& s) { s.stripes = 65; }), "stripes is 65, not 1 to 64");
}

TEST_F(BreakerTest, BreakersThatCountDifferentlyGetCellsOfDifferentNames) {
  BreakerSettings other = settings();
  EXPECT_EQ(Breaker::cells_name("x", settings()), Breaker::cells_name("x", other));
  EXPECT_NE(Breaker::cells_name("x", settings()), Breaker::cells_name("y", settings()));
  other.slow_rate = 0.9;
  EXPECT_NE(Breaker::cells_name("x", settings()), Breaker::cells_name("x", other));
}

}  // namespace
}  // namespace daruma
