// os/shared_memory.h: a file mapped into the memory of several processes at once.
//
// Who has it mapped is known by a shared lock on the file, which the kernel releases when the last process
// that has it (children from fork included) dies.
// Owns:    the mapping. It stays valid in children from fork.
// Threads: a plain value; what lies in the memory is the user's business.
#pragma once

#include <functional>
#include <span>

#include "os/descriptor.h"
#include "os/file_system.h"

namespace daruma {

class SharedMemory {
 public:
  using Prepare = std::function<void(std::span<std::byte>)>;
  // Maps `size` bytes of `file`, made where it is missing. Where nobody else has it mapped it is zeroed and
  // prepared before anybody else gets to see it. Its blocks are reserved, so that a full disk is an error
  // here and no signal later.
  // kUnavailable: somebody uses the file with another size. kNoSpace, kRefused, kNotFound as FileSystem has.
  static Result<SharedMemory> map(const Path& file, size_t size, const Prepare& prepare);
  // Memory that only this process and its children see.
  static SharedMemory anonymous(size_t size);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) = delete;
  ~SharedMemory();

  std::span<std::byte> bytes() const { return bytes_; }
  // True for the process that found it unused and prepared it.
  bool fresh() const { return fresh_; }

 private:
  SharedMemory(Descriptor file, std::span<std::byte> bytes, bool fresh)
      : file_(std::move(file)), bytes_(bytes), fresh_(fresh) {}

  Descriptor file_;  // holds the lock
  std::span<std::byte> bytes_;
  bool fresh_;
};

}  // namespace daruma
