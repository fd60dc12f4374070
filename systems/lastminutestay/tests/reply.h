// tests/reply.h: an answer of the backend, as tests look at it.
//
// Threads: plain values.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lastminutestay {

struct Reply {
  int status = 0;  // 0: no answer, or a broken one
  std::map<std::string, std::string> headers;
  std::string body;

  boost::json::value json() const;
  std::string header(const std::string& name) const;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// One request on a connection of its own, to a port of this host.
Reply ask_port(int port, const std::string& method, const std::string& target, const std::string& body = "",
               const Headers& headers = {});

}  // namespace lastminutestay
