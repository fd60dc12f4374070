// service/task.h: what a handler returns: a coroutine on the worker's one thread.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace daruma::service {

template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace daruma::service
