#include "support/small_disk.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "fmt/format.h"

namespace daruma {

namespace {

// True when this program has a mount namespace of its own.
bool separate() {
  static const bool done =
      ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return done;
}

}  // namespace

bool SmallDisk::possible() { return ::geteuid() == 0 && separate(); }

SmallDisk::SmallDisk(Path directory, uint64_t mib) : directory_(std::move(directory)) {
  struct stat owner {};
  DR_CHECK(::stat(directory_.c_str(), &owner) == 0);
  const std::string options = fmt::format("size={}m,mode=700,uid={},gid={}", mib, owner.st_uid, owner.st_gid);
  DR_CHECK(::mount("tmpfs", directory_.c_str(), "tmpfs", 0, options.c_str()) == 0);
}

SmallDisk::~SmallDisk() { ::umount2(directory_.c_str(), MNT_DETACH); }

void SmallDisk::resize_kib(uint64_t kib) {
  const std::string options = fmt::format("size={}k", kib);
  DR_CHECK(::mount(nullptr, directory_.c_str(), nullptr, MS_REMOUNT, options.c_str()) == 0);
}

uint64_t SmallDisk::used_kib() const {
  struct statvfs info {};
  DR_CHECK(::statvfs(directory_.c_str(), &info) == 0);
  return (info.f_blocks - info.f_bfree) * info.f_frsize / 1024;
}

}  // namespace daruma
