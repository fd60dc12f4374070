// service/http_client.h: asks another HTTP service, over a few kept connections, with deadlines and bounds.
//
// Speaks HTTP/1.1 without TLS. Follows no redirections.
// Errors:  kUnavailable: no connection, the deadline passed, too many at a time, the answer broke off or is
//          larger than `answer_max`; kInvalid: a line break in the target or a header. A status of 500 and
//          above is an answer, not an error.
// Source:  RFC 9112.
// Metrics: http_client_requests_total{peer,outcome}, http_client_request_duration_seconds{peer}.
// Threads: the worker's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/clock.h"
#include "service/http.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/task.h"

namespace daruma::service {

struct HttpClientSettings {
  std::string name = "HTTP";  // of the service asked, in logs and metrics
  std::string host = "127.0.0.1";
  int port = 80;
  size_t connections_max = 64;  // more at a time: kUnavailable at once
  size_t answer_max = 4 << 20;  // bytes
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::string content_type;
};

class HttpClient {
 public:
  static std::unique_ptr<HttpClient> create(boost::asio::io_context& io, HttpClientSettings settings,
                                            const Clock& clock, Log& log, Metrics& metrics);
  virtual ~HttpClient() = default;
  // `target`: path and query, encoded. `headers`: besides Host and Content-Length. The deadline is for all of
  // it, the connection and a second try included. A kept connection that turns out closed is replaced by a
  // new one, once (only for GET and HEAD, or when nothing was sent).
  virtual Task<Result<HttpAnswer>> ask(Method method, std::string target, std::vector<Header> headers,
                                       std::string body, Deadline deadline) = 0;
};

}  // namespace daruma::service
