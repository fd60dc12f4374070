// base/base64.h: bytes as text.
//
// Format:  RFC 4648, section 4, padded. For URLs: service/base64url.h.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace daruma {

std::string to_base64(std::string_view bytes);

}  // namespace daruma
