// probe/http.h: one HTTP request, one answer. Nothing is followed, repeated or taken from a cache.
//
// TLS is checked against the system's certificates. A proxy that the environment names is not used: a check
// asks the service itself.
// Errors:  kInvalid (not a URL, or not http or https), kUnavailable (no answer; `what` names the URL and the
//          cause), kCancelled (the deadline passed, or a stop was asked for).
// Threads: any.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/size.h"
#include "os/clock.h"

namespace daruma::probe {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpQuestion {
  std::string method = "GET";
  std::string url = {};
  HttpHeaders headers = {};
  std::string body = {};
  uint64_t body_most = kMiB;  // of the answer; the rest is not read
};

struct HttpAnswer {
  int status = 0;
  HttpHeaders headers;
  std::string body;
  bool cut = false;  // the body was longer
  Duration took{};   // from the first byte asked to the last byte read

  // The first of this name, in any case; "" when there is none.
  std::string_view header(std::string_view name) const;
};

Result<HttpAnswer> ask_http(const HttpQuestion& question, Clock& clock, Deadline deadline,
                            const std::stop_token& stop = {});

// How long a TCP connection took. `address` is HOST:PORT, an IPv6 address in brackets. kUnavailable: nobody
// listens, or the name has no address.
Result<Duration> ask_tcp(const std::string& address, Clock& clock, Deadline deadline,
                         const std::stop_token& stop = {});

}  // namespace daruma::probe
