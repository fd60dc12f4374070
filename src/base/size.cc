#include "base/size.h"

#include <fmt/format.h>

namespace daruma {

std::string human_bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  const int fraction_digits = value < 9.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, fraction_digits, kUnits[unit]);
}

}  // namespace daruma
