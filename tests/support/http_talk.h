// tests/support/http_talk.h: asks an HTTP service on this host, one connection a question, and takes what
// comes.
//
// For tests that care what stands in the answer: nothing is followed, decoded or retried.
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace daruma {

using TalkHeaders = std::vector<std::pair<std::string, std::string>>;

struct TalkAnswer {
  int status = 0;  // 0: no answer
  TalkHeaders headers;
  std::string body;
  // The first of this name, in any case; "" when there is none.
  std::string header(std::string_view name) const;
};

// Waits at most 30 s. No answer at all is status 0 with the cause as body.
TalkAnswer talk(int port, const std::string& method, const std::string& target,
                const TalkHeaders& headers = {}, std::string_view body = "");
// The bytes as they are; returns all that comes until the other side closes.
std::string talk_raw(int port, std::string_view bytes);

}  // namespace daruma
