// library/origins.h: which web pages may call an API from a browser (CORS): the fronts, and nobody else.
//
// Source:  the Fetch standard, CORS protocol.
// Threads: immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/router.h"

namespace aimicro {

class Origins {
 public:
  // `list`: "http://localhost:3002,http://localhost:3003". kInvalid: something that is not an origin; "*" is
  // none.
  static daruma::Result<Origins> parse(std::string_view list);

  bool allowed(std::string_view origin) const;
  // Adds the routes so that the pages of these origins may call them, and for each path the answer to a
  // browser's question beforehand (preflight). Pages may read what the server says by itself (404, 413, …) too.
  void add_routes(daruma::service::Router& router, std::vector<daruma::service::Route> routes) const;

 private:
  void mark(const daruma::service::Request& request, daruma::service::Response& response) const;
  daruma::service::Response preflight(const daruma::service::Request& request,
                                      const std::string& methods) const;
  std::vector<std::string> origins_;
};

}  // namespace aimicro
