// service/server.h: HTTP/1.1 on a listening socket, for one worker.
//
// Bounds, each with its answer: header size (16 KiB, 431), body size (the route's, 413), time for the
// header (408; slow clients are cut off), time between requests, time of a handler (the route's, 503),
// number of connections (the rest waits in the kernel's queue), pipelined requests (answered in order, one
// at a time). A malformed request is 400 and the connection closes. What a handler throws is a bug: 500,
// logged, the connection closes. Every answer carries X-Request-Id and is logged and counted
// (http_requests_total{route,status}, http_request_duration_seconds{route}, http_connections,
// http_requests_in_flight).
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <span>

#include "os/clock.h"
#include "os/random.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/router.h"

namespace daruma::service {

struct ServerSettings {
  size_t connections_max = 10'000;
  size_t header_max = 16 << 10;
  Duration header_time_max = 10s;
  Duration idle_time_max = 60s;
  Duration write_time_max = 30s;  // for the peer to take an answer's next piece
  // Where several workers share the listening socket: one cell each, with 1 + its connections, 0: takes none.
  // Who has more than another lets it go first, for a few milliseconds. Empty: nobody else accepts.
  std::span<Cell> balance = {};
  size_t slot = 0;  // ours
};

class Server {
 public:
  // `listener`: a listening TCP socket; the server works on a duplicate of it.
  static Result<std::unique_ptr<Server>> create(boost::asio::io_context& io, int listener,
                                                const Router& router, ServerSettings settings,
                                                const Clock& clock, Random& random, Log& log,
                                                Metrics& metrics);
  virtual ~Server() = default;
  virtual void start() = 0;
  // Takes no new connections (those queued stay in the kernel for whoever else listens); every connection
  // ends after the answer to the request it is in ("Connection: close"), idle ones after `linger`,
  // everything at the deadline.
  virtual Task<void> drain(Duration linger, Deadline deadline) = 0;
  virtual size_t connections() const = 0;
};

// Binds and listens. kUnavailable: the address is in use or not ours.
Result<int> listen_on(const std::string& host, int port);

}  // namespace daruma::service
