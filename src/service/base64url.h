// service/base64url.h: base64 as tokens have it: the alphabet that is safe in URLs, no padding.
//
// Source:  RFC 4648, section 5; RFC 7515, section 2.
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace daruma::service {

std::string to_base64url(BytesView bytes);
// kInvalid: a character outside the alphabet ('=' and line ends included), a length that cannot be, or bits
// set behind the last byte: each byte string has one text only.
Result<std::string> from_base64url(std::string_view text);

}  // namespace daruma::service
