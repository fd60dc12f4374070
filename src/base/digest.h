// base/digest.h: SHA-256, for naming what must not change.
//
// Threads: pure functions.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace daruma {

using Sha256 = std::array<std::byte, 32>;

Sha256 sha256(BytesView bytes);
// 64 lower-case hex digits.
std::string sha256_hex(BytesView bytes);
inline std::string sha256_hex(std::string_view text) { return sha256_hex(as_bytes(text)); }

}  // namespace daruma
