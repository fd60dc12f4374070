// What a breaker costs a call that passes: admit() and record(), by one worker and by two at once.
//
// Data:  a closed breaker over plain memory, each thread a worker with a stripe of its own; results are good
//        and fast, but for `Failing`, where one in ten fails and the window is added up each time.
// Run:   script/bench --micro
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "breaker/breaker.h"
#include "breaker/stale_cache.h"

namespace daruma {
namespace {

enum class Window { kTime, kCalls };

BreakerSettings settings(Window window) {
  BreakerSettings settings;
  if (window == Window::kCalls) settings.window_calls = 100;
  return settings;
}

// One for all threads, as workers share one.
Breaker::Cells shared_cells(Window window) {
  struct alignas(64) Line {
    std::atomic<uint64_t> cells[8];
  };
  static std::vector<Line> lines[2] = {std::vector<Line>(200), std::vector<Line>(200)};
  return {lines[static_cast<size_t>(window)].front().cells, lines[0].size() * 8};
}

void pass(benchmark::State& state, Window window, int fails_each) {
  Breaker breaker("x", settings(window), shared_cells(window), static_cast<size_t>(state.thread_index()));
  MonoInstant now{100s};
  int call = 0;
  for (auto _ : state) {
    now = now + 100ns;
    const auto permit = breaker.admit(now);
    const bool failed = fails_each > 0 && ++call % fails_each == 0;
    breaker.record(*permit, failed ? Breaker::Outcome::kFailure : Breaker::Outcome::kSuccess, 1ms, now);
  }
  if (breaker.state() != BreakerState::kClosed) state.SkipWithError("the breaker is not closed any more");
}

void turned_away(benchmark::State& state) {
  std::vector<std::atomic<uint64_t>> cells(Breaker::cells_needed({}));
  Breaker breaker("x", {}, cells);
  breaker.force_open({});
  for (auto _ : state) benchmark::DoNotOptimize(breaker.admit({100s}));
}

void view(benchmark::State& state) {
  Breaker breaker("x", settings(Window::kTime), shared_cells(Window::kTime));
  for (auto _ : state) benchmark::DoNotOptimize(breaker.view({100s}));
}

void find_stale(benchmark::State& state) {
  StaleCache<std::shared_ptr<const std::string>> cache({});
  std::vector<std::string> keys;
  for (int i = 0; i < 5000; ++i) {
    keys.push_back("search/2024-06-21/2024-06-22/" + std::to_string(i));
    cache.put(keys.back(), std::make_shared<std::string>("rooms"), {100s});
  }
  size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(cache.find(keys[next = (next + 37) % keys.size()], {101s}));
}

BENCHMARK_CAPTURE(pass, window_of_time, Window::kTime, 0)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(pass, window_of_calls, Window::kCalls, 0)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(pass, window_of_time_failing, Window::kTime, 10)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(pass, window_of_calls_failing, Window::kCalls, 10)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(turned_away);
BENCHMARK(view);
BENCHMARK(find_stale);

}  // namespace
}  // namespace daruma
