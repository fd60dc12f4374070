// The journal: events a second that are durable when append() returns, by how many append at once; opening it
// and reading a run of 10,000 steps.
//
// Data:  events as a step makes them (about 150 bytes of JSON). The file lies in the system's temporary
//        directory: the disk there is what is measured. `append_raw_sync` is the disk alone: one page written
//        and synced.
// Run:   script/bench --micro
#include <benchmark/benchmark.h>

#include "journal/journal.h"
#include "os/scratch_dir.h"

namespace daruma {
namespace {

constexpr uint64_t kEventsOfRun = 40'000;  // 10,000 steps, four events each
const std::string kRun = "run/2026-11-22-postgres-corruption-1";

NewEvent step_event(uint64_t number) {
  return {"step_ended",
          Value(Value::Map{{"step", "restore/" + std::to_string(number)},
                           {"attempt", 1},
                           {"outcome", "succeeded"},
                           {"outputs", Value(Value::Map{{"rows", number}, {"file", "/var/lib/daruma"}})},
                           {"took", 12.5}})};
}

struct Shared {
  ScratchDir scratch;
  std::unique_ptr<Clock> clock = real_clock();
  std::unique_ptr<Journal> journal = *open_journal(scratch.fs(), *clock, scratch.path() / "journal.db");
};
std::unique_ptr<Shared> shared;

// Each thread appends to a stream of its own, one event at a time, and waits for each.
void append(benchmark::State& state) {
  const std::string stream = "run/" + std::to_string(state.thread_index());
  uint64_t position = 0;
  for (auto _ : state) {
    const auto appended = shared->journal->append(stream, position, {step_event(position)});
    if (!appended.ok()) return state.SkipWithError(appended.error().what.c_str());
    ++position;
  }
  state.SetItemsProcessed(static_cast<int64_t>(position));
}
BENCHMARK(append)
    ->Setup([](const benchmark::State&) { shared = std::make_unique<Shared>(); })
    ->Teardown([](const benchmark::State&) { shared.reset(); })
    ->Threads(1)
    ->Threads(16)
    ->Threads(64)
    ->UseRealTime();

void append_raw_sync(benchmark::State& state) {
  ScratchDir scratch;
  const auto file = *scratch.fs().create(scratch.path() / "raw");
  const Bytes page(4096, std::byte{7});
  uint64_t at = 0;
  for (auto _ : state) {
    if (!file->write_at(at, page).ok() || !file->sync().ok()) return state.SkipWithError("write failed");
    at += page.size();
  }
}
BENCHMARK(append_raw_sync)->UseRealTime();

void open_and_read_a_long_run(benchmark::State& state) {
  Shared world;
  for (uint64_t after = 0; after < kEventsOfRun;) {
    std::vector<NewEvent> events;
    for (uint64_t i = 0; i < 1000; ++i) events.push_back(step_event(after + i));
    after = world.journal->append(kRun, after, events)->back().position;
  }
  world.journal.reset();
  for (auto _ : state) {
    const auto journal = *open_journal(world.scratch.fs(), *world.clock, world.scratch.path() / "journal.db");
    const auto events = *journal->read(kRun);
    if (events.size() != kEventsOfRun) return state.SkipWithError("events are missing");
  }
}
BENCHMARK(open_and_read_a_long_run)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace daruma
