// probe/system.h: how busy and how full this machine is.
//
// Source:  /proc/loadavg and /proc/meminfo, proc(5).
// Errors:  kFailed: the kernel's answer cannot be read; else as FileSystem.
// Threads: any.
#pragma once

#include "os/file_system.h"

namespace daruma::probe {

struct SystemReading {
  double load_1m = 0, load_5m = 0, load_15m = 0;  // runnable tasks
  uint64_t memory_bytes = 0;
  uint64_t memory_available_bytes = 0;  // without swapping
};
Result<SystemReading> read_system(FileSystem& fs);

struct DiskReading {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;  // for an unprivileged writer

  double used_percent() const;
};
// Of the file system that holds `path`.
Result<DiskReading> read_disk(FileSystem& fs, const Path& path);

}  // namespace daruma::probe
