#include "runtime/usage.h"

namespace daruma::runtime {

Resources usage_of(const std::vector<ProcessInfo>& processes) {
  Resources used;
  for (const ProcessInfo& process : processes) {
    used.memory_bytes += process.resident_bytes;
    used.cpu += process.cpu;
    ++used.processes;
  }
  return used;
}

Resources usage_of_families(const std::vector<int>& pids) {
  const auto all = all_processes();
  std::vector<ProcessInfo> members;
  for (const int pid : pids) {
    if (auto main = process_info(pid)) members.push_back(*std::move(main));
    for (ProcessInfo& process : descendants_of(pid, all)) members.push_back(std::move(process));
  }
  return usage_of(members);
}

}  // namespace daruma::runtime
