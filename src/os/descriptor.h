// os/descriptor.h: a file descriptor that closes itself. For src/os, and where src/service hands sockets on.
//
// Owns:    the descriptor.
// Threads: a plain value.
#pragma once

#include <unistd.h>

#include <utility>

namespace daruma {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  int get() const { return number_; }
  // Somebody else's from now on.
  int release() { return std::exchange(number_, -1); }
  bool valid() const { return number_ >= 0; }
  void reset() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

}  // namespace daruma
