// service/lazy_timer.h: one timer for many deadlines, moved only when an earlier one is asked for.
//
// A deadline that is met costs a comparison: the timer is not told, and finds out when it fires. So it fires
// now and then for nothing, about once in the usual length of a deadline.
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "os/clock.h"

namespace daruma::service {

class LazyTimer {
 public:
  // `fired` looks for what is due and returns the next deadline there is, Deadline::never() for none.
  LazyTimer(boost::asio::io_context& io, const Clock& clock, std::function<Deadline()> fired)
      : state_(std::make_shared<State>(io, clock, std::move(fired))) {}
  ~LazyTimer() { stop(); }
  LazyTimer(const LazyTimer&) = delete;
  LazyTimer& operator=(const LazyTimer&) = delete;

  // Fires at `deadline` or before.
  void by(Deadline deadline) {
    if (deadline.at < state_->armed.at) State::arm(state_, deadline);
  }
  void stop() {
    state_->fired = nullptr;
    state_->timer.cancel();
  }

 private:
  // Shared with the handlers that the event loop still holds when the timer goes.
  struct State {
    State(boost::asio::io_context& io, const Clock& its_clock, std::function<Deadline()> its_fired)
        : timer(io), clock(its_clock), fired(std::move(its_fired)) {}

    static void arm(const std::shared_ptr<State>& self, Deadline deadline) {
      self->armed = deadline;
      self->timer.expires_after(deadline.left(self->clock.mono()));
      self->timer.async_wait([self](const boost::system::error_code& error) {
        if (error || !self->fired) return;
        self->armed = Deadline::never();
        // What fires may end the timer, and with it the function that runs.
        const std::function<Deadline()> fire = self->fired;
        const Deadline next = fire();
        if (self->fired && next.at < self->armed.at) arm(self, next);
      });
    }

    boost::asio::steady_timer timer;
    const Clock& clock;
    std::function<Deadline()> fired;
    Deadline armed = Deadline::never();
  };
  std::shared_ptr<State> state_;
};

}  // namespace daruma::service
