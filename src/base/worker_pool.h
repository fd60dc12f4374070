// base/worker_pool.h: a fixed number of threads that run tasks; results come back as futures.
//
// Threads: submit from any thread. Destruction runs what was submitted, then joins.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"

namespace daruma {

class WorkerPool {
 public:
  explicit WorkerPool(unsigned workers) : tasks_(workers * 64) {
    for (unsigned i = 0; i < workers; ++i)
      threads_.emplace_back([this] {
        while (auto task = tasks_.pop()) (*task)();
      });
  }
  ~WorkerPool() { tasks_.close(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  template <class Work>
  auto submit(Work work) -> std::future<decltype(work())> {
    // Shared, because std::function must be copyable and a packaged task is not.
    auto task = std::make_shared<std::packaged_task<decltype(work())()>>(std::move(work));
    auto future = task->get_future();
    tasks_.push([task] { (*task)(); });
    return future;
  }

 private:
  BoundedQueue<std::function<void()>> tasks_;
  std::vector<std::jthread> threads_;
};

}  // namespace daruma
