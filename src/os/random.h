// os/random.h: randomness, for keys and ids.
//
// Threads: may be used from any thread.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/id.h"

namespace daruma {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> out) = 0;

  template <class IdType>
  IdType id() {
    IdType id;
    fill(id.bytes);
    return id;
  }
};

// The kernel's, fit for keys.
std::unique_ptr<Random> real_random();

// Reproducible from its seed, for tests and golden files. Never for a key that protects anything.
std::unique_ptr<Random> seeded_random(uint64_t seed);

}  // namespace daruma
