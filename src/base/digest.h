// base/digest.h: SHA-256, for naming what must not change.
//
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace daruma {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
// Of 64 lower-case letters and digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace daruma
