// service/http.h: a request as a handler sees it, and the response it gives. No sockets and no Beast in here.
//
// Source:  RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 9457 (problem+json).
// Owns:    a Request's views point into the connection's buffer: they live until the handler has ended.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace daruma::service {

enum class Method : uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };
std::string_view name_of(Method method);  // "GET"

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  Method method = Method::kGet;
  std::string_view path;   // as sent, without the query
  std::string_view query;  // as sent, without '?'
  std::string_view body;
  std::vector<std::pair<std::string_view, std::string_view>> headers;     // in the order sent
  std::vector<std::pair<std::string_view, std::string>> path_parameters;  // "{id}" of the route, decoded
  std::string id;               // X-Request-Id where the client sent a sane one, else made by the server
  std::string client;           // address of the peer
  bool from_this_host = false;  // the peer is loopback, and no proxy says that it speaks for somebody
  Deadline deadline;            // when the server answers 503 for the handler

  // The first header of this name, in any case; "" when there is none.
  std::string_view header(std::string_view name) const;
  // The first query parameter of this name, decoded; nullopt when absent or wrongly encoded.
  std::optional<std::string> parameter(std::string_view name) const;
  // "{id}" of the route. A name that is not in the route's pattern is a bug.
  const std::string& path_parameter(std::string_view name) const;
};

// A piece of a file, sent without passing through memory as a whole.
struct FileBody {
  std::string path;
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";  // "" together with an empty body: none is sent
  std::string body = {};
  std::shared_ptr<const std::string> shared_body = {};  // instead of `body`: bytes kept in a cache
  std::optional<FileBody> file = {};                    // instead of `body`
  std::vector<Header> headers = {};  // Content-Length, Date, X-Request-Id are the server's business
  bool degraded = false;             // a fallback's: the access log says so
};

Response json(int status, std::string body);
Response text(int status, std::string body);
// application/problem+json {"type":"about:blank","title":…,"status":…,"detail":…}; the server adds
// "requestId". `detail` names the thing, the value and what to do; it must hold no secret.
Response problem(int status, std::string_view detail);
std::string_view reason_of(int status);  // "Not Found"

// Percent-decoding of RFC 3986; with `plus_is_space` as forms and query strings have it. kInvalid: a cut or
// wrong escape, or a decoded zero byte.
Result<std::string> url_decode(std::string_view text, bool plus_is_space = true);

}  // namespace daruma::service
