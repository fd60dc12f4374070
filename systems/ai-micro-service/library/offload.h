// library/offload.h: work that would hold up the event loop (hashing passwords, waiting for a disk) on a few
// threads of its own, with a bounded queue: what does not fit is refused at once, never queued without end.
//
// Threads: run() from the worker's one; the work itself runs on another and must touch nothing of the
//          worker's.
// Owns:    its threads; destruction lets what runs end, and drops what waits.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <optional>

#include "base/result.h"
#include "service/task.h"

namespace aimicro {

class Offload {
 public:
  Offload(unsigned threads, size_t waiting_max) : pool_(threads), outstanding_max_(threads + waiting_max) {}
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  // kUnavailable: too much is waiting.
  template <class T>
  daruma::service::Task<daruma::Result<T>> run(std::function<T()> work) {
    std::optional<T> value;
    // Named, and not made inside the co_await: g++ 12 destroys such a closure twice.
    std::function<void()> task = [&value, work = std::move(work)] { value.emplace(work()); };
    const bool ran = co_await run_erased(std::move(task));
    if (!ran) co_return daruma::Error{daruma::Errc::kUnavailable, "too much work is waiting already"};
    co_return *std::move(value);
  }
  size_t outstanding() const { return outstanding_; }

 private:
  // False when it does not fit.
  daruma::service::Task<bool> run_erased(std::function<void()> work);

  boost::asio::thread_pool pool_;
  const size_t outstanding_max_;
  size_t outstanding_ = 0;  // the event loop's alone
};

}  // namespace aimicro
