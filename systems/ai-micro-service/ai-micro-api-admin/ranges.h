// ai-micro-api-admin/ranges.h: which bytes of a document a request asks for.
//
// Source:  RFC 9110, sections 13 (conditions) and 14 (ranges). One range is served; of several, the whole is.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string_view>

namespace aimicro {

struct ByteRange {
  enum class Kind { kWhole, kPart, kUnsatisfiable } kind = Kind::kWhole;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// `range`: the header's value, "" for none. `if_range`: the value of If-Range; a range counts only when it is
// "" or equals `etag`. What is malformed is ignored, as the standard says.
ByteRange range_of(std::string_view range, std::string_view if_range, std::string_view etag, uint64_t size);

// True when If-None-Match names this tag, or "*". Weak tags count: for this question they may.
bool none_match_names(std::string_view if_none_match, std::string_view etag);

}  // namespace aimicro
