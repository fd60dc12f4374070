// service/resolve.h: host names to addresses, without stopping the event loop.
//
// Errors:  kUnavailable: no such name, or no answer before the deadline.
// Threads: the worker's one; a name that is not an address is looked up in a thread of Asio's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "os/clock.h"
#include "service/task.h"

namespace daruma::service {

// At least one address; IPv4 first. An address comes back as it is, at once.
Task<Result<std::vector<std::string>>> resolve(boost::asio::io_context& io, std::string host,
                                               const Clock& clock, Deadline deadline);

}  // namespace daruma::service
