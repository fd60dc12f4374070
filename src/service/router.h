// service/router.h: the table of routes, and which of them a request means.
//
// Patterns: "/api/bookings/{id}": a segment in braces takes any one segment that is not empty.
// Where several patterns fit, the one with the literal segment wins, from the left. What a segment holds is
// decoded, so it may contain '/'; one that does not decode fits nothing.
// HEAD is answered by GET's handler, without the body. Another method on a known path is 405 with Allow;
// OPTIONS answers 204 with Allow.
// Threads: built before the server starts, then only read.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "service/http.h"
#include "service/task.h"

namespace daruma::service {

using Handler = std::function<Task<Response>(Request&)>;
// For what answers without waiting: saves a coroutine per request.
using InstantHandler = std::function<Response(Request&)>;

struct Route {
  Method method = Method::kGet;
  std::string pattern;
  std::string name;  // the label `route` of metrics and logs: "search", "booking.create"
  Handler handle = {};
  InstantHandler handle_at_once = {};  // instead of `handle`
  // Tried before `handle`: what can be answered at once is; nullopt goes on to `handle`.
  std::function<std::optional<Response>(Request&)> try_at_once = {};
  size_t body_max = 64 << 10;  // larger: 413
  Duration time_max = 10s;     // longer: 503
};

class Router {
 public:
  // A pattern that is malformed, or a second route for the same method and pattern, is a bug.
  void add(Route route);

  // Called for answers that the server gives by itself (404, 405, 408, 413, 500, 503, …): adds what handlers
  // add to theirs, such as the headers that let a page of another origin read them. The request has no
  // headers where its head did not arrive or was not understood.
  using Marker = std::function<void(const Request&, Response&)>;
  void mark_own_answers(Marker marker) { marker_ = std::move(marker); }
  void mark(const Request& request, Response& response) const {
    if (marker_) marker_(request, response);
  }

  struct Match {
    const Route* route = nullptr;  // null: nothing matches
    std::vector<std::pair<std::string_view, std::string>> path_parameters;
    std::string allow;  // the path is known, the method is not: "GET, HEAD, OPTIONS"
  };
  Match match(Method method, std::string_view path) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  static constexpr size_t kMethods = 7;
  static constexpr size_t kNone = SIZE_MAX;
  struct Pattern {
    std::vector<std::string> segments;   // a parameter: its name
    std::vector<bool> free;              // this segment is a parameter
    std::array<size_t, kMethods> route;  // per method, an index into routes_
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  Pattern& pattern_of(const std::string& text);
  void allow(const Pattern& pattern, std::array<bool, kMethods>& allowed) const;

  Marker marker_;
  std::vector<Route> routes_;
  std::unordered_map<std::string, Pattern, Hash, std::equal_to<>> literal_;  // without parameters, by path
  std::vector<Pattern> free_;  // with parameters; those with literal segments further left first
};

}  // namespace daruma::service
