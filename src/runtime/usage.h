// runtime/usage.h: the memory and processor time of processes, as the kernel counts them.
//
// Threads: plain functions.
#pragma once

#include <vector>

#include "os/process_table.h"
#include "runtime/runtime.h"

namespace daruma::runtime {

Resources usage_of(const std::vector<ProcessInfo>& processes);
// Of these processes and all that stems from them.
Resources usage_of_families(const std::vector<int>& pids);

}  // namespace daruma::runtime
