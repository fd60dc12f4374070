// tests/support/small_disk.h: a file system of its own in memory, of a size that can be changed, to fill up.
//
// It is mounted in a mount namespace that the test program makes for itself: it ends with the program, and
// nobody else sees it; programs started from the same thread do.
// Threads: the thread that makes it, and before that starts others.
#pragma once

#include <cstdint>

#include "os/file_system.h"

namespace daruma {

class SmallDisk {
 public:
  // Root alone may mount, and not in every container.
  static bool possible();
  // Over `directory`, which is empty and stays its owner's.
  SmallDisk(Path directory, uint64_t mib);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  void resize_kib(uint64_t kib);  // not below what is used
  uint64_t used_kib() const;

 private:
  Path directory_;
};

}  // namespace daruma
