// runtime/leftovers.h: what still runs of a service whose shim was killed, and how it is ended.
//
// A process is taken for the service's own only on proof: the mark of that shim in its environment, the
// shim's pipe as its output, or the recorded pid together with its start time. What only shares a session
// with it may be anybody's by now.
// Threads: plain functions.
#pragma once

#include <vector>

#include "os/clock.h"
#include "runtime/service_folder.h"

namespace daruma::runtime {

struct Leftovers {
  std::vector<ProcessInfo> proven;
  std::vector<ProcessInfo> doubtful;
};

// Of the shim that wrote this record, which must be dead. None where the machine was booted since.
Leftovers find_leftovers(const ServiceRecord& record);

// SIGTERM, and SIGKILL after `grace`; returns when all that is proven is gone.
// kRefused: something doubtful is there; `what` names it. kCancelled: something proven stays.
Status end_leftovers(Clock& clock, const ServiceRecord& record, Duration grace, Deadline deadline);

// "redis-server (4711), sh (4712)".
std::string names_of(const std::vector<ProcessInfo>& processes);

}  // namespace daruma::runtime
