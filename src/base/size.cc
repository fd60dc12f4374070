#include "base/size.h"

#include <algorithm>
#include <charconv>
#include <utility>

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

Result<uint64_t> parse_bytes(std::string_view text) {
  static constexpr std::pair<std::string_view, uint64_t> kUnits[] = {
      {"", 1}, {"B", 1}, {"KiB", kKiB}, {"MiB", kMiB}, {"GiB", kGiB}, {"TiB", 1024 * kGiB}};
  uint64_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<size_t>(rest - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto* known = std::ranges::find(kUnits, unit, &std::pair<std::string_view, uint64_t>::first);
  if (failure != std::errc() || known == std::end(kUnits) || number > UINT64_MAX / known->second)
    return Error{Errc::kInvalid, fmt::format("'{}' is not a size", text),
                 "write a whole number and KiB, MiB, GiB or TiB, as in 512MiB"};
  return number * known->second;
}

}  // namespace daruma
