// base/size.h: sizes for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace daruma {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// "512 B", "1.5 KiB", "23 MiB": three significant digits at most.
std::string human_bytes(uint64_t bytes);
// "512MiB", "2 GiB", "4096": KiB, MiB, GiB and TiB, or none. kInvalid: anything else, or more than 64 bits.
Result<uint64_t> parse_bytes(std::string_view text);

}  // namespace daruma
