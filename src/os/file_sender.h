// os/file_sender.h: the bytes of a file into a socket, without passing through our memory (sendfile).
//
// Owns:    the open file; what it holds stays readable when its name is taken away.
// Threads: one at a time.
#pragma once

#include "os/descriptor.h"
#include "os/file_system.h"

namespace daruma {

class FileSender {
 public:
  FileSender() = default;
  // kInvalid: not a plain file. Else as FileSystem has it.
  static Result<FileSender> open(const Path& path);

  uint64_t size() const { return size_; }  // when it was opened
  // Sends up to `size` bytes from `offset` into the non-blocking socket: how many were taken, 0 when it takes
  // none now. kFailed: the peer is gone, or the file ends before `offset`, or cannot be read.
  Result<size_t> send(int socket, uint64_t offset, uint64_t size) const;

 private:
  FileSender(Descriptor file, uint64_t size) : file_(std::move(file)), size_(size) {}

  Descriptor file_;
  uint64_t size_ = 0;
};

}  // namespace daruma
