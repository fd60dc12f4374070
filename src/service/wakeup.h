// service/wakeup.h: where one coroutine waits until somebody on the same thread wakes it.
//
// Owns:    the waiting coroutine, which mostly owns the Wakeup: whoever ends before it wakes drops.
// Threads: the worker's one.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "base/check.h"
#include "service/task.h"

namespace daruma::service {

class Wakeup {
 public:
  Wakeup() = default;
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  // Returns after wake(). At most one waits at a time.
  Task<void> wait() {
    Token token;
    return boost::asio::async_initiate<Token, void()>(
        [this](Handler handler) {
          DR_CHECK(!waiting_);
          waiting_.emplace(std::move(handler));
        },
        token);
  }
  // Resumes who waits, before this returns: it may destroy the Wakeup and all around it. Nothing without a
  // waiter.
  void wake() {
    if (!waiting_) return;
    Handler handler = std::move(*waiting_);
    waiting_.reset();
    handler();
  }
  // Destroys who waits, once the event loop gets to it.
  void drop() { waiting_.reset(); }

 private:
  using Token = boost::asio::use_awaitable_t<Task<void>::executor_type>;
  using Handler = boost::asio::async_result<Token, void()>::handler_type;
  std::optional<Handler> waiting_;
};

}  // namespace daruma::service
