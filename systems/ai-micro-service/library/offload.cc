#include "library/offload.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace aimicro {

Offload::~Offload() {
  pool_.stop();
  pool_.join();
}

daruma::service::Task<bool> Offload::run_erased(std::function<void()> work) {
  if (outstanding_ >= outstanding_max_) co_return false;
  ++outstanding_;
  const auto loop = co_await boost::asio::this_coro::executor;
  auto initiate = [this, loop](auto handler, std::function<void()> task) {
    // The loop must not end while the answer is on its way.
    auto open = boost::asio::make_work_guard(loop);
    boost::asio::post(
        pool_, [handler = std::move(handler), task = std::move(task), open = std::move(open)]() mutable {
          task();
          boost::asio::post(open.get_executor(), std::move(handler));
        });
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      initiate, boost::asio::use_awaitable, std::move(work));
  --outstanding_;
  co_return true;
}

}  // namespace aimicro
