// run/safety_world.h: what the safety rules ask of the world, answered by looking at it: files, the
// repository, processes, servers. Only observes, and each answer within seconds.
//
// Threads: one. `world` and `config` must outlive it.
#pragma once

#include "run/runner.h"
#include "run/safety.h"

namespace daruma::run {

SafetyWorld real_safety_world(const RunnerWorld& world, const Config& config);

}  // namespace daruma::run
