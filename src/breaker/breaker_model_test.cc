// The breaker against a reference that a reader can check: lists instead of bits, one thread, no cells.
// Method: RapidCheck makes settings and a story of calls, results, pauses and orders by hand; after every
//         step both must be in the same state, with the same counts, and have permitted the same. A failing
//         story is shrunk and printed with the seed: run it again with RC_PARAMS="seed=…".
#if __has_include(<rapidcheck.h>)
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

#include "breaker/breaker.h"

namespace daruma {
namespace {

using State = BreakerState;

class Reference {
 public:
  struct Permit {
    size_t era = 0;
    std::optional<size_t> trial;
  };

  explicit Reference(const BreakerSettings& settings) : settings_(settings) {}

  std::optional<Permit> admit(MonoInstant now) {
    if (state_ == State::kHalfOpen) judge(now);
    if (state_ == State::kOpen && now >= since_ + pause()) go(State::kHalfOpen, now);
    if (state_ == State::kOpen || state_ == State::kForcedOpen) return std::nullopt;
    if (state_ != State::kHalfOpen) return Permit{era_, {}};
    if (running() + passed() == settings_.trials) return std::nullopt;
    trials_.push_back({whole_ms(now + settings_.trial_time_max), Trial::kRunning});
    return Permit{era_, trials_.size() - 1};
  }

  void record(const Permit& permit, bool failed, bool slow, MonoInstant now) {
    if (permit.era != era_ || state_ == State::kDisabled) return;
    if (permit.trial) judge(now);
    if (permit.era != era_) return;
    calls_.push_back({now, failed, slow});
    if (permit.trial) {
      if (failed || (slow && settings_.slow_rate <= 1)) return go(State::kOpen, now);
      trials_[*permit.trial].second = Trial::kPassed;
      return judge(now);
    }
    if (state_ != State::kClosed || (!failed && !slow)) return;
    const BreakerCounts counts = this->counts(now);
    const auto reaches = [&](uint64_t part, double limit) {
      return static_cast<double>(part) / static_cast<double>(counts.calls) >= limit;
    };
    if (counts.calls >= settings_.minimum_calls &&
        (reaches(counts.failures, settings_.failure_rate) || reaches(counts.slow, settings_.slow_rate)))
      go(State::kOpen, now);
  }

  void drop(const Permit& permit) {
    if (permit.era == era_ && permit.trial) trials_[*permit.trial].second = Trial::kDropped;
  }

  void order(State to, MonoInstant now) {
    if (to != state_ || to == State::kClosed) go(to, now);
  }
  void automatic(MonoInstant now) {
    if (state_ == State::kForcedOpen || state_ == State::kDisabled || state_ == State::kMetricsOnly)
      go(State::kClosed, now);
  }

  State state() const { return state_; }
  std::optional<MonoInstant> try_again_at() const {
    if (state_ != State::kOpen) return std::nullopt;
    return since_ + pause();
  }
  uint32_t running() const { return in(Trial::kRunning); }
  uint32_t passed() const { return in(Trial::kPassed); }

  BreakerCounts counts(MonoInstant now) const {
    if (state_ == State::kOpen) now = since_;
    const auto tenth_of = [&](MonoInstant at) { return at.since_start / (settings_.window_time / 10); };
    const std::vector<Call>& calls = state_ == State::kOpen ? before_ : calls_;
    BreakerCounts counts;
    for (size_t i = 0; i < calls.size(); ++i) {
      const bool in_window = settings_.window_calls > 0 ? calls.size() - i <= settings_.window_calls
                                                        : tenth_of(now) - tenth_of(calls[i].at) < 10;
      if (!in_window) continue;
      ++counts.calls;
      counts.failures += calls[i].failed;
      counts.slow += calls[i].slow;
    }
    return counts;
  }

 private:
  struct Call {
    MonoInstant at;
    bool failed, slow;
  };
  enum class Trial { kRunning, kPassed, kDropped };

  uint32_t in(Trial status) const {
    if (state_ != State::kHalfOpen) return 0;
    uint32_t count = 0;
    for (const auto& trial : trials_) count += trial.second == status;
    return count;
  }
  // Moments that are kept are rounded up.
  static MonoInstant whole_ms(MonoInstant at) {
    return {std::chrono::ceil<std::chrono::milliseconds>(at.since_start)};
  }
  // A trial lost, or all passed.
  void judge(MonoInstant now) {
    if (passed() == settings_.trials) return go(State::kClosed, now);
    std::optional<MonoInstant> lost;
    for (const auto& [deadline, status] : trials_)
      if (status == Trial::kRunning && now >= deadline) lost = std::min(lost.value_or(deadline), deadline);
    if (lost) go(State::kOpen, *lost);
  }
  void go(State to, MonoInstant now) {
    openings_ = to == State::kOpen ? openings_ + 1 : to == State::kHalfOpen ? openings_ : 0;
    state_ = to;
    since_ = whole_ms(now);
    ++era_;
    before_ = std::exchange(calls_, {});
    trials_.clear();
  }
  Duration pause() const {
    Duration pause = settings_.open_for;
    for (int i = 1; i < openings_; ++i) pause = std::min(pause * 2, std::max(pause, settings_.open_for_max));
    return pause;
  }

  const BreakerSettings settings_;
  State state_ = State::kClosed;
  MonoInstant since_;
  size_t era_ = 0;
  int openings_ = 0;
  std::vector<Call> calls_, before_;
  std::vector<std::pair<MonoInstant, Trial>> trials_;
};

// One step of a story. What each number means depends on the kind of step.
struct Step {
  int kind = 0;
  int number = 0;

  friend void showValue(const Step& step, std::ostream& out) {
    out << fmt::format("{}:{}", step.kind, step.number);
  }
};

class Story {
 public:
  explicit Story(const BreakerSettings& settings)
      : settings_(settings),
        cells_(Breaker::cells_needed(settings)),
        one_("x", settings, cells_, 0),
        two_("x", settings, cells_, 1),
        reference_(settings) {}

  void play(const Step& step) {
    Breaker& breaker = step.number % 2 == 0 ? one_ : two_;
    if (step.kind < 40)
      admit(breaker);
    else if (step.kind < 80)
      record(breaker, step.number);
    else if (step.kind < 84)
      drop(breaker, step.number);
    else if (step.kind < 97)
      now_ = now_ + pause(step.number);
    else
      order(breaker, step.number);
    compare();
  }

 private:
  // Often exactly where something ends; now and then longer than everything.
  static Duration pause(int number) {
    if (number % 10 == 0) return std::chrono::milliseconds(number * 50);
    return std::chrono::milliseconds(number % 7 * 5) + (number == 99 ? 1ns : 0ns);
  }

  struct Open {
    Breaker::Permit ours;
    Reference::Permit theirs;
  };

  void admit(Breaker& breaker) {
    const auto ours = breaker.admit(now_);
    const auto theirs = reference_.admit(now_);
    RC_ASSERT(ours.has_value() == theirs.has_value());
    if (!ours) return;
    RC_ASSERT(ours->trial == theirs->trial.has_value());
    open_.push_back({*ours, *theirs});
  }
  std::optional<Open> take(int number) {
    if (open_.empty()) return std::nullopt;
    const auto place = open_.begin() + number % static_cast<int>(open_.size());
    const Open taken = *place;
    open_.erase(place);
    return taken;
  }
  void record(Breaker& breaker, int number) {
    const auto permit = take(number);
    if (!permit) return;
    const bool failed = number % 3 == 0, slow = number % 5 == 0;
    breaker.record(permit->ours, failed ? Breaker::Outcome::kFailure : Breaker::Outcome::kSuccess,
                   slow ? settings_.slow_after : settings_.slow_after - 1ns, now_);
    reference_.record(permit->theirs, failed, slow, now_);
  }
  void drop(Breaker& breaker, int number) {
    const auto permit = take(number);
    if (!permit) return;
    breaker.drop(permit->ours);
    reference_.drop(permit->theirs);
  }
  void order(Breaker& breaker, int number) {
    switch (number % 5) {
      case 0:
        return breaker.reset(now_), reference_.order(State::kClosed, now_);
      case 1:
        return breaker.force_open(now_), reference_.order(State::kForcedOpen, now_);
      case 2:
        return breaker.disable(now_), reference_.order(State::kDisabled, now_);
      case 3:
        return breaker.only_measure(now_), reference_.order(State::kMetricsOnly, now_);
      default:
        return breaker.automatic(now_), reference_.automatic(now_);
    }
  }
  void compare() {
    const BreakerView view = one_.view(now_);
    RC_ASSERT(name_of(view.state) == name_of(reference_.state()));
    const BreakerCounts counts = reference_.counts(now_);
    RC_ASSERT(view.counts.calls == counts.calls);
    RC_ASSERT(view.counts.failures == counts.failures);
    RC_ASSERT(view.counts.slow == counts.slow);
    RC_ASSERT(view.try_again_at == reference_.try_again_at());
    RC_ASSERT(view.trials_running == reference_.running());
    RC_ASSERT(view.trials_passed == reference_.passed());
  }

  const BreakerSettings settings_;
  std::vector<std::atomic<uint64_t>> cells_;
  Breaker one_, two_;
  Reference reference_;
  MonoInstant now_{5s};
  std::vector<Open> open_;
};

BreakerSettings some_settings() {
  BreakerSettings settings;
  settings.window_calls = *rc::gen::element(0u, 0u, 1u, 5u, 16u, 40u).as("window_calls");
  settings.window_time = *rc::gen::element<Duration>(100ms, 1s, 10s).as("window_time");
  settings.minimum_calls =
      *rc::gen::inRange(1u, settings.window_calls > 0 ? std::min(settings.window_calls, 5u) + 1 : 6u)
           .as("minimum_calls");
  settings.failure_rate = *rc::gen::element(0.1, 0.3, 0.5, 1.0, 2.0).as("failure_rate");
  settings.slow_rate = *rc::gen::element(0.3, 0.8, 1.0, 2.0).as("slow_rate");
  settings.open_for = *rc::gen::element<Duration>(10ms, 1s).as("open_for");
  settings.open_for_max = *rc::gen::element<Duration>(0s, 1s, 3s).as("open_for_max");
  settings.trials = *rc::gen::inRange(1u, 4u).as("trials");
  settings.trial_time_max = *rc::gen::element<Duration>(20ms, 1s).as("trial_time_max");
  settings.stripes = *rc::gen::inRange(1u, 4u).as("stripes");
  return settings;
}

TEST(BreakerModel, EveryStoryGoesAsInTheReference) {
  const bool held = rc::check([] {
    const BreakerSettings settings = some_settings();
    RC_ASSERT(settings.check().ok());
    const auto step = rc::gen::build<Step>(rc::gen::set(&Step::kind, rc::gen::inRange(0, 100)),
                                           rc::gen::set(&Step::number, rc::gen::inRange(0, 100)));
    const auto steps = *rc::gen::scale(30.0, rc::gen::container<std::vector<Step>>(step));
    Story story(settings);
    for (const Step& each : steps) story.play(each);
    RC_CLASSIFY(steps.size() > 1000, "long");
  });
  EXPECT_TRUE(held) << "the story that fails is above";
}

}  // namespace
}  // namespace daruma
#endif
