// os/process_table.h: the processes of this machine, as the kernel lists them, and signals that never reach
// a wrong one.
//
// A pid alone names nobody: it is given away again. A pid and its start time name one process until the next
// boot, and a signal goes through a descriptor of that very process.
// Source:  proc(5), pidfd_open(2).
// Threads: plain functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace daruma {

struct ProcessId {
  int pid = 0;
  uint64_t start_ticks = 0;  // clock ticks since boot

  auto operator<=>(const ProcessId&) const = default;
};

struct ProcessInfo {
  ProcessId id;
  int parent = 0;
  int session = 0;
  std::string name;    // of its program, at most 15 bytes
  bool ended = false;  // nobody has asked for its exit status yet
  uint64_t resident_bytes = 0;
  Duration cpu{};  // used so far, with that of its children that ended
};

// nullopt: there is no such process.
std::optional<ProcessInfo> process_info(int pid);
// All that this process may see, those that ended left out.
std::vector<ProcessInfo> all_processes();
// Those of `all` that stem from `ancestor`, itself left out.
std::vector<ProcessInfo> descendants_of(int ancestor, const std::vector<ProcessInfo>& all);

// It runs: it exists, is the one meant, and has not ended.
bool is_running(const ProcessId& id);
// False: it is gone, or not ours to signal.
bool send_signal(const ProcessId& id, int signal);
// It was started with this variable ("NAME=VALUE") in its environment. False also where that cannot be seen.
bool started_with(int pid, const std::string& variable);
// Its standard output or error is this pipe.
bool writes_to_pipe(int pid, uint64_t pipe_inode);
// It has a handler for the signal, ignores it, or reads it from a descriptor: it does not simply end by it.
bool handles_signal(int pid, int signal);

// Differs after every boot of the machine.
std::string boot_id();

}  // namespace daruma
