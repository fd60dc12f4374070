// A run of 10,000 steps, opened from its journal: read, checked event by event, and folded.
#include <benchmark/benchmark.h>

#include <fmt/format.h>

#include "base/check.h"
#include "os/file_system.h"
#include "os/scratch_dir.h"
#include "run/engine.h"

namespace daruma::run {
namespace {

constexpr int kSteps = 10'000;

RunCreated long_run() {
  Plan plan;
  plan.name = "long";
  plan.title = {"長い", "long"};
  for (int i = 0; i < kSteps; ++i) {
    Step step;
    step.id = fmt::format("step-{}", i);
    step.action = {"exec", {{"command", Value::List{"true"}}}};
    if (i > 0) step.needs = {fmt::format("step-{}", i - 1)};
    plan.steps.push_back(std::move(step));
  }
  const auto frozen = freeze(plan, {}, [](std::string_view) { return Error{Errc::kNotFound, ""}; });
  DR_CHECK(frozen.ok());
  RunCreated created;
  created.plan = *frozen;
  created.by = {0, "bench", {}};
  return created;
}

void BM_OpenARunOf10000Steps(benchmark::State& bench) {
  const ScratchDir scratch;
  const auto fs = real_file_system();
  const auto clock = real_clock();
  const Path file = scratch.path() / "journal.db";
  {
    const auto journal = open_journal(*fs, *clock, file);
    DR_CHECK(journal.ok());
    std::vector<NewEvent> events{to_event(long_run()), to_event(EngineTook{1, 1})};
    for (int i = 0; i < kSteps; ++i) {
      const std::string id = fmt::format("step-{}", i);
      events.push_back(to_event(StepStarted{id, 1, Verb::kAct, 1, Value::Map()}));
      StepEnded ended;
      ended.step = id, ended.attempt = 1, ended.epoch = 1, ended.outcome = Outcome::kSucceeded;
      events.push_back(to_event(ended));
    }
    DR_CHECK((*journal)->append(stream_of("long"), 0, events).ok());
  }
  for (auto _ : bench) {
    const auto journal = open_journal(*fs, *clock, file);
    DR_CHECK(journal.ok());
    const auto state = load_run(**journal, "long", find_step_type);
    DR_CHECK(state.ok());
    DR_CHECK(state->at(fmt::format("step-{}", kSteps - 1)).phase == StepPhase::kSucceeded);
  }
}
BENCHMARK(BM_OpenARunOf10000Steps)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace daruma::run
