#include "service/shared_region.h"

#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <unordered_map>

#include "os/shared_memory.h"

namespace daruma::service {
namespace {

// Layout, all offsets multiples of 64: the Head; then blocks, one for each name: a Block, the name, padding;
// its cells, padding. `used` is where the next block goes; it moves only when a block is complete, so whoever
// dies while making one leaves nothing behind.
constexpr size_t kSize = 4 << 20;
constexpr size_t kLine = 64;

struct Head {
  std::atomic<uint64_t> used;  // 0: the lock is not made yet
  pthread_mutex_t lock;
};

struct Block {
  uint32_t name_size;
  uint32_t cells;
};

constexpr size_t rounded(size_t size) { return (size + kLine - 1) / kLine * kLine; }
constexpr size_t kFirst = rounded(sizeof(Head));

size_t cells_at(const Block& block) { return rounded(sizeof(Block) + block.name_size); }
size_t size_of(const Block& block) { return cells_at(block) + rounded(block.cells * sizeof(Cell)); }

// Shared by processes, and taken over from one that died holding it.
void make_lock(pthread_mutex_t& lock) {
  pthread_mutexattr_t kind;
  DR_CHECK(pthread_mutexattr_init(&kind) == 0);
  DR_CHECK(pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0);
  DR_CHECK(pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0);
  DR_CHECK(pthread_mutex_init(&lock, &kind) == 0);
  pthread_mutexattr_destroy(&kind);
}

class Locked {
 public:
  explicit Locked(pthread_mutex_t& lock) : lock_(lock) {
    const int result = pthread_mutex_lock(&lock_);
    if (result == EOWNERDEAD) DR_CHECK(pthread_mutex_consistent(&lock_) == 0);
    DR_CHECK(result == 0 || result == EOWNERDEAD);
  }
  ~Locked() { pthread_mutex_unlock(&lock_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  pthread_mutex_t& lock_;
};

class MappedRegion final : public SharedRegion {
 public:
  explicit MappedRegion(SharedMemory memory) : memory_(std::move(memory)) {}

  static void prepare(std::span<std::byte> memory) {
    Head* head = new (memory.data()) Head;
    make_lock(head->lock);
    head->used.store(kFirst, std::memory_order_release);
  }

  bool usable() const {
    const uint64_t used = head().used.load(std::memory_order_acquire);
    return used >= kFirst && used <= kSize;
  }

  Result<std::span<Cell>> cells(std::string_view name, size_t count) override {
    const Locked locked(head().lock);
    learn();
    const auto known = known_.find(key_of(name, count));
    if (known != known_.end()) return cells_of(known->second);

    const Block block{static_cast<uint32_t>(name.size()), static_cast<uint32_t>(count)};
    const size_t at = head().used.load(std::memory_order_relaxed);
    if (name.size() > kSize || count > kSize || size_of(block) > kSize - at)
      return Error{Errc::kNoSpace,
                   "the memory shared by the workers is full: no room for '" + std::string(name) + "'"};
    std::memcpy(bytes(at), &block, sizeof block);
    std::memcpy(bytes(at) + sizeof block, name.data(), name.size());
    for (size_t i = 0; i < count; ++i) new (bytes(at) + cells_at(block) + i * sizeof(Cell)) Cell(0);
    head().used.store(at + size_of(block), std::memory_order_release);
    learn();
    return cells_of(at);
  }

  void each(const std::function<void(std::string_view, std::span<Cell>)>& visit) override {
    const size_t end = head().used.load(std::memory_order_acquire);
    for (size_t at = kFirst; at < end; at += size_of(block(at))) visit(name_of(at), cells_of(at));
  }

  bool fresh() const override { return memory_.fresh(); }

 private:
  char* bytes(size_t at) const { return reinterpret_cast<char*>(memory_.bytes().data()) + at; }
  Head& head() const { return *reinterpret_cast<Head*>(bytes(0)); }
  const Block& block(size_t at) const { return *reinterpret_cast<const Block*>(bytes(at)); }
  std::string_view name_of(size_t at) const { return {bytes(at) + sizeof(Block), block(at).name_size}; }
  std::span<Cell> cells_of(size_t at) const {
    return {reinterpret_cast<Cell*>(bytes(at + cells_at(block(at)))), block(at).cells};
  }
  static std::string key_of(std::string_view name, size_t count) {
    return std::string(name) + '\0' + std::to_string(count);
  }

  // What others have made meanwhile. Under the lock, which also guards `known_` from our own threads.
  void learn() {
    const size_t end = head().used.load(std::memory_order_acquire);
    for (; learned_ < end; learned_ += size_of(block(learned_)))
      known_.emplace(key_of(name_of(learned_), block(learned_).cells), learned_);
  }

  SharedMemory memory_;
  std::unordered_map<std::string, size_t> known_;
  size_t learned_ = kFirst;
};

}  // namespace

Result<std::unique_ptr<SharedRegion>> SharedRegion::open(const Path& file) {
  auto memory = SharedMemory::map(file, kSize, &MappedRegion::prepare);
  if (!memory.ok()) {
    Error error = std::move(memory).error();
    error.code = Errc::kUnavailable;
    return std::move(error).in("memory shared by the workers");
  }
  auto region = std::make_unique<MappedRegion>(*std::move(memory));
  if (!region->usable())
    return Error{Errc::kUnavailable, "'" + file.native() + "' is not memory shared by workers",
                 "start again: it is made anew when nobody uses it"};
  return std::unique_ptr<SharedRegion>(std::move(region));
}

std::unique_ptr<SharedRegion> SharedRegion::private_memory() {
  auto memory = SharedMemory::anonymous(kSize);
  MappedRegion::prepare(memory.bytes());
  return std::make_unique<MappedRegion>(std::move(memory));
}

}  // namespace daruma::service
