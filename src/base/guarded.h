// base/guarded.h: a value that can only be reached while its mutex is held.
// Threads: that is its purpose.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace daruma {

template <class T>
class Guarded {
 public:
  // Access for as long as it lives.
  class Access {
   public:
    explicit Access(Guarded& owner) : lock_(owner.mutex_), owner_(owner) {}
    T& operator*() { return owner_.value_; }
    T* operator->() { return &owner_.value_; }
    // Waits until `ready` holds; `ready` runs with the lock held.
    template <class Ready>
    void wait(Ready ready) {
      owner_.changed_.wait(lock_, std::move(ready));
    }

   private:
    std::unique_lock<std::mutex> lock_;
    Guarded& owner_;
  };

  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}
  Access lock() { return Access(*this); }
  void notify_all() { changed_.notify_all(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  T value_{};
};

}  // namespace daruma
