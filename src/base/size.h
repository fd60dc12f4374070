// base/size.h: sizes for people.
#pragma once

#include <cstdint>
#include <string>

namespace daruma {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// "512 B", "1.5 KiB", "23 MiB": three significant digits at most.
std::string human_bytes(uint64_t bytes);

}  // namespace daruma
