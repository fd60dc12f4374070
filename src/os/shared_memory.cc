#include "os/shared_memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "os/errno.h"

namespace daruma {
namespace {

std::span<std::byte> mapped(int fd, size_t size, int flags) {
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) return {};
  return {static_cast<std::byte*>(memory), size};
}

// True: nobody else had it, and now it is all zeros.
Result<bool> clear_if_unused(int fd, size_t size, const Path& file) {
  if (uninterrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return os_error(errno, "lock", file);
    return false;
  }
  if (::ftruncate(fd, 0) != 0) return os_error(errno, "empty", file);
  if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(size)); error != 0)
    return os_error(error, "reserve space for", file);
  return true;
}

}  // namespace

Result<SharedMemory> SharedMemory::map(const Path& file, size_t size, const Prepare& prepare) {
  Descriptor fd(
      uninterrupted([&] { return ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); }));
  if (!fd.valid()) return os_error(errno, "open", file);
  DR_TRY(const bool fresh, clear_if_unused(fd.get(), size, file));
  const auto lock_shared = [number = fd.get()] {
    return uninterrupted([&] { return ::flock(number, LOCK_SH); }) == 0;
  };
  if (!fresh && !lock_shared()) return os_error(errno, "lock", file);  // waits for whoever prepares it

  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return os_error(errno, "look at", file);
  if (static_cast<size_t>(info.st_size) != size)
    return Error{Errc::kUnavailable, "'" + file.native() + "' is in use with another size",
                 "stop the other version of this program, then start again"};
  const auto bytes = mapped(fd.get(), size, MAP_SHARED);
  if (bytes.empty()) return os_error(errno, "map", file);
  SharedMemory memory(std::move(fd), bytes, fresh);
  if (fresh) {
    prepare(bytes);
    // The kernel gives the one lock up before it gives the other: somebody else may prepare it once more in
    // between, which is harmless as nobody has used it yet.
    if (!lock_shared()) return os_error(errno, "lock", file);
  }
  return memory;
}

SharedMemory SharedMemory::anonymous(size_t size) {
  const auto bytes = mapped(-1, size, MAP_SHARED | MAP_ANONYMOUS);
  DR_CHECK(!bytes.empty());  // as with any memory: without it nothing goes on
  return {Descriptor(), bytes, true};
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : file_(std::move(other.file_)), bytes_(std::exchange(other.bytes_, {})), fresh_(other.fresh_) {}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace daruma
