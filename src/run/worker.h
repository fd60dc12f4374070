// run/worker.h: what a worker needs of its world: the configuration, the runtime of each service, and
// secrets.
//
// Threads: plain functions.
#pragma once

#include "run/attempt.h"
#include "run/runner.h"
#include "run/step_type.h"

namespace daruma::run {

// What an attempt acts by: the copy of daruma.yaml that its run keeps, its relative paths standing where the
// file stood; the file itself where there is no copy. kCorrupt: the copy is not what the run began with.
Result<Config> config_of(FileSystem& fs, const Assignment& assignment);

// The values of every secret that the attempt's configuration or inputs refer to, as far as they can be read.
std::vector<std::string> secrets_of(FileSystem& fs, const Assignment& assignment);

// The context of a step in this world. `config` must outlive it.
StepContext context_for(const RunnerWorld& world, const Config& config, const Assignment& assignment,
                        const Path& directory, std::stop_token stop);

}  // namespace daruma::run
