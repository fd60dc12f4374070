#include "os/random.h"

#include <sys/random.h>

#include <algorithm>
#include <mutex>

#include "os/errno.h"
#include "os/split_mix.h"

namespace daruma {
namespace {

class KernelRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override {
    while (!out.empty()) {
      const ssize_t n = uninterrupted([&] { return ::getrandom(out.data(), out.size(), 0); });
      DR_CHECK(n > 0);  // with no flags it cannot fail on any kernel that has it
      out = out.subspan(static_cast<size_t>(n));
    }
  }
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : generator_(seed) {}

  void fill(std::span<std::byte> out) override {
    const std::lock_guard lock(mutex_);
    while (!out.empty()) {
      const uint64_t word = generator_.next();
      const size_t n = std::min(out.size(), sizeof word);
      std::memcpy(out.data(), &word, n);
      out = out.subspan(n);
    }
  }

 private:
  std::mutex mutex_;
  SplitMix generator_;
};

}  // namespace

std::unique_ptr<Random> real_random() { return std::make_unique<KernelRandom>(); }
std::unique_ptr<Random> seeded_random(uint64_t seed) { return std::make_unique<SeededRandom>(seed); }

}  // namespace daruma
