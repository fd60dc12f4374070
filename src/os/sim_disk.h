// os/sim_disk.h: the simulated disk behind SimFileSystem: paths and names, counted calls and faults, power
// cuts.
//
// Threads: none; SimFileSystem holds its lock.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "os/errno.h"
#include "os/sim_file_system.h"
#include "os/sim_inode.h"

namespace daruma {

using SimFault = SimFileSystem::Fault;

Error sim_power_gone(std::string_view verb, const Path& path);

// Where a path leads: `inode` is null when `directory` has no such name; `name` is empty for "/" and after
// "." or "..".
struct SimPlace {
  SimInodePtr directory;
  std::string name;
  SimInodePtr inode;
};

struct SimDisk {
  SimInodePtr root = std::make_shared<SimInode>(SimInode{.type = FileType::kDirectory, .mode = 0755});
  std::vector<SimInodePtr> touched;  // what a power cut may change, and some that were synced since
  size_t touched_max = 64;           // when to forget those
  std::set<const SimInode*> locked;
  uint64_t seed = 0;
  uint64_t power_cuts = 0;
  uint64_t calls = 0;
  uint64_t fault_at = 0;  // the call that meets `fault`; 0: none
  SimFault fault = SimFault::kError;
  bool fault_met = false;
  bool power_is_gone = false;
  bool full = false;

  Result<SimPlace> locate(const Path& path, bool follow_last, std::string_view verb) const;
  // As locate, of something that is there.
  Result<SimPlace> find(const Path& path, bool follow_last, std::string_view verb) const;
  Result<SimInodePtr> find_directory(const Path& path, std::string_view verb) const;
  Status add_name(const Path& path, SimInodePtr inode, std::string_view verb);
  Status remove_name(const Path& path, bool directory);
  Status rename(const Path& from, const Path& to);

  std::optional<SimFault> count_call(bool needs_space);
  // Carries out a call that changes something, unless it meets a fault: `work` does it, `part` a part of it.
  template <class Work, class Part>
  Status change(std::string_view verb, const Path& path, bool needs_space, Work work, Part part);
  template <class Work>
  Status change(std::string_view verb, const Path& path, bool needs_space, Work work) {
    return change(verb, path, needs_space, work, [] {});
  }
  void touch(const SimInodePtr& inode);
  void sync_all();
  void cut_power();
};

template <class Work, class Part>
Status SimDisk::change(std::string_view verb, const Path& path, bool needs_space, Work work, Part part) {
  if (power_is_gone) return sim_power_gone(verb, path);
  const std::optional<SimFault> met = count_call(needs_space);
  if (met == SimFault::kError) return os_error(EIO, verb, path);
  if (met == SimFault::kFull || (full && needs_space)) {
    part();
    return os_error(ENOSPC, verb, path);
  }
  if (!met) return work();
  if (met == SimFault::kTorn) part();
  if (met == SimFault::kPower) static_cast<void>(work());  // nobody is left to hear of it
  power_is_gone = true;
  return sim_power_gone(verb, path);
}

}  // namespace daruma
