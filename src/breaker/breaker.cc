#include "breaker/breaker.h"

#include <fmt/format.h>

#include <utility>

#include "breaker/breaker_word.h"

namespace daruma {
namespace {

constexpr size_t kCacheLine = 8;  // cells
constexpr uint32_t kTrialsMax = 1000;
constexpr uint32_t kStripesMax = 64;
constexpr uint32_t kWindowCallsMax = 65'536;

struct ReasonRow {
  BreakerReason reason;
  BreakerState state;
  std::string_view name;
};
constexpr ReasonRow kReasons[] = {
    {BreakerReason::kStarted, BreakerState::kClosed, "nothing has changed since the start"},
    {BreakerReason::kTrialsPassed, BreakerState::kClosed, "every trial ended well"},
    {BreakerReason::kReset, BreakerState::kClosed, "reset by hand"},
    {BreakerReason::kAutomatic, BreakerState::kClosed, "automatic again by hand"},
    {BreakerReason::kFailureRate, BreakerState::kOpen, "the failure rate reached its limit"},
    {BreakerReason::kSlowRate, BreakerState::kOpen, "the rate of slow calls reached its limit"},
    {BreakerReason::kTrialFailed, BreakerState::kOpen, "a trial failed or was slow"},
    {BreakerReason::kTrialLost, BreakerState::kOpen, "a trial was not heard of in time"},
    {BreakerReason::kWaited, BreakerState::kHalfOpen, "it was open for long enough"},
    {BreakerReason::kForcedOpen, BreakerState::kForcedOpen, "forced open by hand"},
    {BreakerReason::kDisabled, BreakerState::kDisabled, "disabled by hand"},
    {BreakerReason::kMetricsOnly, BreakerState::kMetricsOnly, "told by hand only to measure"},
};
constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kReasons); ++i)
    if (static_cast<size_t>(kReasons[i].reason) != i) return false;
  return std::size(kReasons) <= 16;
}
static_assert(in_order(), "a row is found by its number, which has four bits");

const ReasonRow& row_of(BreakerReason reason) {
  const auto row = static_cast<size_t>(reason);
  DR_CHECK(row < std::size(kReasons));
  return kReasons[row];
}

size_t whole_lines(size_t cells) { return (cells + kCacheLine - 1) / kCacheLine * kCacheLine; }

// Where things lie in the cells: the state word, the trial slots, the calls turned away, the window.
size_t turned_away_at(const BreakerSettings& settings) { return kCacheLine + whole_lines(settings.trials); }
size_t window_at(const BreakerSettings& settings) {
  return turned_away_at(settings) + settings.stripes * kCacheLine;
}

Breaker::Cells checked(const BreakerSettings& settings, Breaker::Cells cells) {
  DR_CHECK(settings.check().ok());
  DR_CHECK(cells.size() >= Breaker::cells_needed(settings));
  return cells;
}

bool reaches(uint64_t part, uint64_t whole, double limit) {
  return static_cast<double>(part) / static_cast<double>(whole) >= limit;
}

}  // namespace

std::string_view name_of(BreakerState state) {
  constexpr std::string_view kNames[] = {"closed",      "open",     "half-open",
                                         "forced-open", "disabled", "metrics-only"};
  return kNames[static_cast<size_t>(state)];
}
std::string_view name_of(BreakerReason reason) { return row_of(reason).name; }
BreakerState state_of(BreakerReason reason) { return row_of(reason).state; }

Status BreakerSettings::check() const {
  const auto invalid = [](std::string what) { return Error{Errc::kInvalid, std::move(what)}; };
  const auto positive = [&](Duration value) { return value >= 1ms; };
  if (window_calls > kWindowCallsMax)
    return invalid(fmt::format("window_calls is {}, more than {}", window_calls, kWindowCallsMax));
  if (window_calls == 0 && !positive(window_time)) return invalid("window_time is shorter than 1 ms");
  if (minimum_calls == 0) return invalid("minimum_calls is 0: a rate of no calls says nothing");
  if (window_calls > 0 && minimum_calls > window_calls)
    return invalid(
        fmt::format("minimum_calls is {}, and the window holds only {}", minimum_calls, window_calls));
  if (!(failure_rate > 0)) return invalid(fmt::format("failure_rate is {}, not above 0", failure_rate));
  if (!(slow_rate > 0)) return invalid(fmt::format("slow_rate is {}, not above 0", slow_rate));
  if (!positive(open_for)) return invalid("open_for is shorter than 1 ms");
  if (open_for_max != Duration{} && open_for_max < open_for)
    return invalid("open_for_max is shorter than open_for");
  if (trials == 0 || trials > kTrialsMax)
    return invalid(fmt::format("trials is {}, not 1 to {}", trials, kTrialsMax));
  if (!positive(trial_time_max)) return invalid("trial_time_max is shorter than 1 ms");
  if (stripes == 0 || stripes > kStripesMax)
    return invalid(fmt::format("stripes is {}, not 1 to {}", stripes, kStripesMax));
  return {};
}

size_t Breaker::cells_needed(const BreakerSettings& settings) {
  return window_at(settings) + BreakerWindow::cells_needed(settings.window_calls, settings.stripes);
}

std::string Breaker::cells_name(std::string_view name, const BreakerSettings& settings) {
  const BreakerSettings& s = settings;
  return fmt::format("breaker {} {}/{}/{}/{}/{}/{}/{}/{}/{}/{}/{}", name, s.window_calls,
                     s.window_time.count(), s.minimum_calls, s.failure_rate, s.slow_rate,
                     s.slow_after.count(), s.open_for.count(), s.open_for_max.count(), s.trials,
                     s.trial_time_max.count(), s.stripes);
}

Breaker::Breaker(std::string name, const BreakerSettings& settings, Cells cells, size_t stripe,
                 Listener listener)
    : name_(std::move(name)),
      settings_(settings),
      listener_(std::move(listener)),
      word_(checked(settings, cells)[0]),
      trials_(cells.subspan(kCacheLine, settings.trials)),
      turned_away_(cells.subspan(turned_away_at(settings), settings.stripes * kCacheLine)),
      stripe_(stripe % settings.stripes),
      window_(settings.window_calls, settings.window_time, settings.stripes, stripe,
              cells.subspan(window_at(settings))) {}

std::optional<Breaker::Permit> Breaker::admit(MonoInstant now) {
  while (true) {
    const uint64_t word = version();
    std::optional<Permit> permit;
    switch (BreakerWord::of(word).state()) {
      case BreakerState::kClosed:
      case BreakerState::kDisabled:
      case BreakerState::kMetricsOnly:
        return Permit{false, 0, word};
      case BreakerState::kForcedOpen:
        break;
      case BreakerState::kOpen:
        if (now < try_again_at(word)) break;
        change(word, BreakerReason::kWaited, now);
        continue;
      case BreakerState::kHalfOpen:
        if (settle_trials(word, now)) continue;
        permit = take_trial(word, now);
        if (permit || version() == word) break;
        continue;
    }
    if (!permit) turned_away_[stripe_ * kCacheLine].fetch_add(1, std::memory_order_relaxed);
    return permit;
  }
}

void Breaker::record(const Permit& permit, Outcome outcome, Duration took, MonoInstant now) {
  if (version() != permit.ticket) return;
  const BreakerWord word = BreakerWord::of(permit.ticket);
  if (word.state() == BreakerState::kDisabled) return;
  // A trial whose time was over has failed at that time already, whatever it brings now.
  if (permit.trial && settle_trials(permit.ticket, now)) return;
  const bool failed = outcome == Outcome::kFailure;
  const bool slow = took >= settings_.slow_after;
  window_.add(word.generation, failed, slow, now);
  if (permit.trial)
    end_trial(permit, !failed && !(slow && settings_.slow_rate <= 1), now);
  else if ((failed || slow) && word.state() == BreakerState::kClosed)
    open_if_bad(permit.ticket, now);
}

void Breaker::drop(const Permit& permit) {
  if (!permit.trial) return;
  std::atomic<uint64_t>& cell = trials_[permit.slot];
  uint64_t seen = cell.load(std::memory_order_acquire);
  const TrialSlot slot = TrialSlot::of(seen);
  if (slot.status_in(BreakerWord::of(permit.ticket).generation) == TrialSlot::Status::kRunning)
    cell.compare_exchange_strong(seen, TrialSlot{}.packed(), std::memory_order_acq_rel);
}

void Breaker::open_if_bad(uint64_t word, MonoInstant now) {
  const BreakerCounts counts = window_.total(BreakerWord::of(word).generation, now);
  if (counts.calls < settings_.minimum_calls) return;
  if (reaches(counts.failures, counts.calls, settings_.failure_rate))
    change(word, BreakerReason::kFailureRate, now);
  else if (reaches(counts.slow, counts.calls, settings_.slow_rate))
    change(word, BreakerReason::kSlowRate, now);
}

// A slot of an older half-open time is free. One of a newer means that `word` is not the state any more.
std::optional<Breaker::Permit> Breaker::take_trial(uint64_t word, MonoInstant now) {
  const uint16_t generation = BreakerWord::of(word).generation;
  const TrialSlot mine{TrialSlot::Status::kRunning, generation, whole_ms(now + settings_.trial_time_max)};
  for (uint32_t i = 0; i < trials_.size(); ++i) {
    uint64_t seen = trials_[i].load(std::memory_order_acquire);
    const TrialSlot slot = TrialSlot::of(seen);
    if (slot.status != TrialSlot::Status::kFree && slot.newer_than(generation)) return std::nullopt;
    if (slot.status_in(generation) != TrialSlot::Status::kFree) continue;
    if (trials_[i].compare_exchange_strong(seen, mine.packed(), std::memory_order_acq_rel))
      return Permit{true, i, word};
  }
  return std::nullopt;
}

void Breaker::end_trial(const Permit& permit, bool well, MonoInstant now) {
  if (!well) {
    change(permit.ticket, BreakerReason::kTrialFailed, now);
    return;
  }
  const uint16_t generation = BreakerWord::of(permit.ticket).generation;
  std::atomic<uint64_t>& cell = trials_[permit.slot];
  uint64_t seen = cell.load(std::memory_order_acquire);
  TrialSlot slot = TrialSlot::of(seen);
  if (slot.status_in(generation) != TrialSlot::Status::kRunning) return;
  slot.status = TrialSlot::Status::kPassed;
  cell.compare_exchange_strong(seen, slot.packed(), std::memory_order_acq_rel);
  settle_trials(permit.ticket, now);
}

// Draws the consequence where all trials have passed or one is lost; true when the state is not `word` any
// more. Not only whoever ends a trial does this: he may have died just before.
bool Breaker::settle_trials(uint64_t word, MonoInstant now) {
  const uint16_t generation = BreakerWord::of(word).generation;
  size_t passed = 0;
  std::optional<uint64_t> lost_at;
  for (const auto& cell : trials_) {
    const TrialSlot slot = TrialSlot::of(cell.load(std::memory_order_acquire));
    const TrialSlot::Status status = slot.status_in(generation);
    if (status == TrialSlot::Status::kPassed) ++passed;
    if (status == TrialSlot::Status::kRunning && now >= from_ms(slot.deadline_ms))
      lost_at = std::min(lost_at.value_or(slot.deadline_ms), slot.deadline_ms);
  }
  if (passed == trials_.size()) return change(word, BreakerReason::kTrialsPassed, now), true;
  if (lost_at) return change(word, BreakerReason::kTrialLost, from_ms(*lost_at)), true;
  return version() != word;
}

// Does nothing when somebody else was quicker.
bool Breaker::change(uint64_t word, BreakerReason reason, MonoInstant at) {
  const BreakerWord old = BreakerWord::of(word);
  const BreakerWord next = old.next(reason, at);
  const BreakerCounts counts = listener_ ? counts_of(word, at) : BreakerCounts{};
  if (!word_.compare_exchange_strong(word, next.packed(), std::memory_order_acq_rel)) return false;
  if (listener_) listener_({name_, old.state(), next.state(), reason, from_ms(next.at_ms), counts});
  return true;
}

// A reset always forgets; being told to do what it does already changes nothing.
void Breaker::by_hand(BreakerReason reason, MonoInstant now) {
  while (true) {
    const uint64_t word = version();
    const BreakerReason old = BreakerWord::of(word).reason;
    if (old == reason && reason != BreakerReason::kReset) return;
    if (change(word, reason, now)) return;
  }
}

void Breaker::reset(MonoInstant now) { by_hand(BreakerReason::kReset, now); }
void Breaker::force_open(MonoInstant now) { by_hand(BreakerReason::kForcedOpen, now); }
void Breaker::disable(MonoInstant now) { by_hand(BreakerReason::kDisabled, now); }
void Breaker::only_measure(MonoInstant now) { by_hand(BreakerReason::kMetricsOnly, now); }

void Breaker::automatic(MonoInstant now) {
  while (true) {
    const uint64_t word = version();
    const BreakerState state = BreakerWord::of(word).state();
    if (state != BreakerState::kForcedOpen && state != BreakerState::kDisabled &&
        state != BreakerState::kMetricsOnly)
      return;
    if (change(word, BreakerReason::kAutomatic, now)) return;
  }
}

BreakerState Breaker::state() const { return BreakerWord::of(version()).state(); }

MonoInstant Breaker::try_again_at(uint64_t word) const {
  const BreakerWord state = BreakerWord::of(word);
  Duration pause = settings_.open_for;
  for (uint64_t i = 1; i < state.openings && pause < settings_.open_for_max; ++i)
    pause = std::min(pause * 2, settings_.open_for_max);
  return from_ms(state.at_ms) + pause;
}

// While open nothing is counted: the window that opened it stands as it was at that moment.
BreakerCounts Breaker::counts_of(uint64_t word, MonoInstant now) const {
  const BreakerWord state = BreakerWord::of(word);
  if (state.state() != BreakerState::kOpen) return window_.total(state.generation, now);
  return window_.total(static_cast<uint16_t>(state.generation - 1), from_ms(state.at_ms));
}

BreakerView Breaker::view(MonoInstant now) const {
  const uint64_t word = version();
  const BreakerWord state = BreakerWord::of(word);
  BreakerView view;
  view.state = state.state();
  view.reason = state.reason;
  if (word != 0) view.since = from_ms(state.at_ms);
  if (view.state == BreakerState::kOpen) view.try_again_at = try_again_at(word);
  view.counts = counts_of(word, now);
  if (view.counts.calls >= settings_.minimum_calls) {
    const auto calls = static_cast<double>(view.counts.calls);
    view.failure_rate = static_cast<double>(view.counts.failures) / calls;
    view.slow_rate = static_cast<double>(view.counts.slow) / calls;
  }
  if (view.state == BreakerState::kHalfOpen)
    for (const auto& cell : trials_) {
      const auto status = TrialSlot::of(cell.load(std::memory_order_acquire)).status_in(state.generation);
      if (status == TrialSlot::Status::kRunning) ++view.trials_running;
      if (status == TrialSlot::Status::kPassed) ++view.trials_passed;
    }
  for (size_t i = 0; i < settings_.stripes; ++i)
    view.not_permitted += turned_away_[i * kCacheLine].load(std::memory_order_relaxed);
  return view;
}

}  // namespace daruma
