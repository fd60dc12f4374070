// os/split_mix.h: SplitMix64 (Steele, Lea, Flood 2014), the generator behind everything reproducible.
//
// Threads: a plain value.
#pragma once

#include <cstdint>

namespace daruma {

class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 to limit - 1; the tiny bias of the remainder does not matter here.
  uint64_t below(uint64_t limit) { return next() % limit; }

 private:
  uint64_t state_;
};

}  // namespace daruma
