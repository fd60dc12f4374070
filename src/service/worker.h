// service/worker.h: one worker of a service: a forked process with one thread and one event loop.
//
// Orders come over `control` as messages: kStop, kDrain, kReopen; the supervisor hears kReady, or kFailed
// and the reason. A worker whose supervisor is gone drains and ends: nobody would replace it, and it would
// keep the port. SIGTERM and SIGINT stop it, SIGUSR1 opens the logs anew.
// Threads: one.
#pragma once

#include <string_view>

#include "os/descriptor.h"
#include "service/program.h"

namespace daruma::service {

inline constexpr std::string_view kStop = "stop";      // ends soon: idle connections at once
inline constexpr std::string_view kDrain = "drain";    // others go on: connections are let go gently
inline constexpr std::string_view kReopen = "reopen";  // the logs
inline constexpr std::string_view kReady = "ready";
inline constexpr std::string_view kFailed = "failed: ";

struct WorkerStart {
  const Program& program;
  const Settings& settings;
  SharedRegion& region;
  Descriptor listener;
  Descriptor control;
  size_t slot = 0;
};

// To the end of the process.
[[noreturn]] void run_worker(WorkerStart start);

}  // namespace daruma::service
