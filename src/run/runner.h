// run/runner.h: the small process in which an attempt acts, and which outlives the engine.
//
//   engine --starts--> `daruma __step DIR` (runner) --starts--> `daruma __act DIR` (worker)
//
// The worker calls the step's type. The runner holds the attempt's lock, bounds time and output, takes
// secrets out of what the worker prints before it reaches the disk, and records the outcome durably. When it
// dies, the kernel ends the worker with it.
// Threads: none; these are the main functions of processes.
#pragma once

#include <memory>

#include "run/attempt.h"
#include "run/engine.h"
#include "run/run_place.h"
#include "run/step_type.h"

namespace daruma::run {

struct RunnerWorld {
  FileSystem& fs;
  Clock& clock;
  ProcessRunner& processes;
  Path daruma_program;  // ourselves
};

// `daruma __step DIR`: leaves the caller once the attempt is in its hands, and returns its exit code there:
// 0 it acts, 1 not, and why is printed. Goes on in a process of its own until the outcome is recorded.
int run_step(const RunnerWorld& world, const Path& attempt);
// `daruma __act DIR`: the worker.
int act_step(const RunnerWorld& world, const Path& attempt, std::stop_token stop);

// Hands that start runners. With a hash the steps act by the run's copy of `config`.
std::unique_ptr<Hands> runner_hands(const RunnerWorld& world, const RunPlace& place, std::string run,
                                    Path config, std::string config_hash = {});

}  // namespace daruma::run
