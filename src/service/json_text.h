// service/json_text.h: strings as JSON wants them, for lines and answers that are put together by hand.
//
// Source:  RFC 8259, section 7; Unicode 15, table 3-7 (well-formed UTF-8).
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>

namespace daruma::service {

// Appends `text` quoted and escaped. What is not UTF-8 becomes U+FFFD, byte by byte. A carriage return
// becomes \u000d, never \r: so a word is in the JSON exactly where it is in the text.
void append_json_string(std::string& out, std::string_view text);

// `text` with what is not UTF-8 replaced in the same way.
std::string valid_utf8(std::string_view text);

}  // namespace daruma::service
