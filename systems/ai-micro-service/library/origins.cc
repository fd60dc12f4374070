#include "library/origins.h"

#include <algorithm>
#include <map>

namespace aimicro {

using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::service::Handler;
using daruma::service::InstantHandler;
using daruma::service::Method;
using daruma::service::Request;
using daruma::service::Response;
using daruma::service::Route;
using daruma::service::Task;

namespace {

constexpr std::string_view kHeadersTaken =
    "Authorization, Content-Type, If-Match, If-None-Match, Range, X-Request-Id";
constexpr std::string_view kHeadersShown =
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Retry-After, X-Request-Id";

// scheme://host[:port], lower case, nothing after it.
bool is_origin(std::string_view text) {
  const size_t scheme = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  if (scheme == 0 || text.size() == scheme) return false;
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(scheme), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']';
  });
}

}  // namespace

Result<Origins> Origins::parse(std::string_view list) {
  Origins origins;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view origin = list.substr(0, comma);
    while (origin.starts_with(' ')) origin.remove_prefix(1);
    while (origin.ends_with(' ')) origin.remove_suffix(1);
    if (!is_origin(origin))
      return Error{Errc::kInvalid, "origins: '" + std::string(origin) + "' is not an origin",
                   "write it as a browser sends it: https://app.example.com"};
    origins.origins_.emplace_back(origin);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return origins;
}

bool Origins::allowed(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

void Origins::mark(const Request& request, Response& response) const {
  response.headers.push_back({"Vary", "Origin"});
  const std::string_view origin = request.header("Origin");
  if (!allowed(origin)) return;
  response.headers.push_back({"Access-Control-Allow-Origin", std::string(origin)});
  response.headers.push_back({"Access-Control-Allow-Credentials", "true"});
  response.headers.push_back({"Access-Control-Expose-Headers", std::string(kHeadersShown)});
}

Response Origins::preflight(const Request& request, const std::string& methods) const {
  Response response;
  response.status = 204;
  response.content_type = "";
  response.headers.push_back({"Allow", methods + ", OPTIONS"});
  mark(request, response);
  if (!allowed(request.header("Origin"))) return response;
  response.headers.push_back({"Access-Control-Allow-Methods", methods});
  response.headers.push_back({"Access-Control-Allow-Headers", std::string(kHeadersTaken)});
  response.headers.push_back({"Access-Control-Max-Age", "600"});
  return response;
}

void Origins::add_routes(daruma::service::Router& router, std::vector<Route> routes) const {
  std::map<std::string, std::string> methods_of;
  for (Route& route : routes) {
    std::string& methods = methods_of[route.pattern];
    methods += methods.empty() ? "" : ", ";
    methods += route.method == Method::kGet ? "GET, HEAD" : daruma::service::name_of(route.method);
    if (route.handle)
      route.handle = [this, inner = std::move(route.handle)](Request& request) -> Task<Response> {
        Response response = co_await inner(request);
        mark(request, response);
        co_return response;
      };
    if (route.handle_at_once)
      route.handle_at_once = [this, inner = std::move(route.handle_at_once)](Request& request) {
        Response response = inner(request);
        mark(request, response);
        return response;
      };
    router.add(std::move(route));
  }
  router.mark_own_answers([this](const Request& request, Response& response) { mark(request, response); });
  for (const auto& [pattern, methods] : methods_of) {
    Route route;
    route.method = Method::kOptions;
    route.pattern = pattern;
    route.name = "preflight";
    route.handle_at_once = [this, allow = methods](Request& request) { return preflight(request, allow); };
    router.add(std::move(route));
  }
}

}  // namespace aimicro
