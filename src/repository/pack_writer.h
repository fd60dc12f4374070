// repository/pack_writer.h: fills packs with records and makes them durable, one after another, behind the
// caller's back.
//
// Order:   objects become durable in the order in which they were handed over: frames before the maps that
// name them. Errors:  the first failed put is returned by every later call. Threads: one caller at a time;
// one thread of its own.
#pragma once

#include <atomic>
#include <optional>
#include <thread>

#include "base/bounded_queue.h"
#include "base/size.h"
#include "repository/repository.h"

namespace daruma {

// Puts objects in order, at most two waiting.
class Uploader {
 public:
  explicit Uploader(Repository& repository);
  ~Uploader();

  Status put(std::string name, Bytes object);
  // Waits until everything handed over is durable.
  Status drain();
  uint64_t bytes_put() const { return bytes_; }

 private:
  struct Item {
    std::string name;
    Bytes object;
  };
  struct Shared {
    uint64_t handed_over = 0;
    uint64_t done = 0;
    std::optional<Error> error;
  };
  Status status();

  Repository& repository_;
  std::atomic<uint64_t> bytes_{0};
  Guarded<Shared> shared_;
  BoundedQueue<Item> queue_{2};
  std::jthread thread_;
};

class PackWriter {
 public:
  // A pack is full when it has `pack_bytes`.
  PackWriter(Repository& repository, Uploader& uploader, uint64_t pack_bytes);

  // The record's place; it is readable once the pack is flushed and the uploader drained.
  Location append(BytesView record);
  bool full() const { return sealer_ && sealer_->size() >= pack_bytes_; }
  // Hands the open pack over, if it holds anything.
  Status flush();
  const std::vector<PackSize>& packs() const { return packs_; }

 private:
  Repository& repository_;
  Uploader& uploader_;
  const uint64_t pack_bytes_;
  std::optional<ObjectSealer> sealer_;
  std::vector<PackSize> packs_;
};

}  // namespace daruma
