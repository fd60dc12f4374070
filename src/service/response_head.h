// service/response_head.h: status line and headers of an answer, as bytes; and the names requests go by.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/random.h"
#include "service/http.h"

namespace daruma::service {

struct HeadFacts {
  std::string_view request_id;
  std::string_view date;
  uint64_t body_size = 0;
  bool close = false;      // the connection ends after this answer
  bool say_alive = false;  // HTTP/1.0 must be told that it goes on
};

// Appends to `out`. Control characters in a header's value become spaces: a value cannot end its line.
void append_head(std::string& out, const Response& response, const HeadFacts& facts);

// True where the status forbids a body, and so a length.
bool is_bodiless(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(Instant now);

// Adds "requestId" to a problem's body.
void name_request(Response& problem, std::string_view request_id);

// Ids that no other worker gives: a random start, then a count. 15 characters, which need no allocation.
class RequestIds {
 public:
  explicit RequestIds(Random& random);
  void next(std::string& id);

 private:
  std::string prefix_;
  uint64_t count_ = 0;
};

}  // namespace daruma::service
