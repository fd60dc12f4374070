// service/task.h: what a handler returns: a coroutine on the worker's one thread.
//
// g++ 12 evaluates a co_await on the right of && or || in the condition of a loop even when the left decides:
// await into a variable first.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace daruma::service {

template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace daruma::service
