#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <optional>

namespace daruma {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

// Reads exactly `digits` decimal digits off the front of `text`.
std::optional<int> take_number(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Minutes east of UTC.
std::optional<int> take_zone(std::string_view& text) {
  if (take_char(text, "Zz")) return 0;
  const bool west = !text.empty() && text.front() == '-';
  if (!take_char(text, "+-")) return std::nullopt;
  const auto hours = take_number(text, 2);
  const bool hours_alone = text.empty();  // as PostgreSQL prints whole hours
  take_char(text, ":");
  const auto minutes = hours_alone ? std::optional<int>(0) : take_number(text, 2);
  if (!hours || !minutes || *hours > 15 || *minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * (*hours * 60 + *minutes);
}

std::optional<int64_t> take_fraction_micros(std::string_view& text) {
  int64_t micros = 0;
  int digits = 0;
  for (; !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())); text.remove_prefix(1))
    if (digits++ < 6) micros = micros * 10 + (text.front() - '0');
  if (digits == 0) return std::nullopt;
  for (; digits < 6; ++digits) micros *= 10;
  return micros;
}

std::optional<Instant> parse_instant(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || !take_char(text, "-")) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take_char(text, "-")) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !take_char(text, "Tt ")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take_char(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take_char(text, ":")) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second) return std::nullopt;
  const auto micros = take_char(text, ".,") ? take_fraction_micros(text) : std::optional<int64_t>(0);
  take_char(text, " ");
  const auto zone = take_zone(text);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!micros || !zone || !text.empty() || !date.ok() || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  const int64_t seconds = int64_t{sys_days(date).time_since_epoch().count()} * 86400 + *hour * 3600 +
                          (*minute - *zone) * 60 + *second;
  return Instant{seconds * 1'000'000 + *micros};
}

}  // namespace

std::string to_rfc3339(Instant instant) {
  const std::chrono::sys_time<std::chrono::microseconds> when{std::chrono::microseconds(instant.micros)};
  const auto midnight = std::chrono::floor<days>(when);
  const std::chrono::year_month_day date{midnight};
  const int64_t of_day = (when - midnight).count();
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                of_day / 3'600'000'000, of_day / 60'000'000 % 60, of_day / 1'000'000 % 60);
  if (of_day % 1'000'000 != 0) out += fmt::format(".{:06}", of_day % 1'000'000);
  return out + "Z";
}

Result<Instant> parse_rfc3339(std::string_view text) {
  if (const auto instant = parse_instant(text)) return *instant;
  return Error{Errc::kInvalid, fmt::format("'{}' is not a time", text),
               "write it with its zone, as in 2026-11-22T10:42:07Z or 2026-11-22T19:42:07+09:00"};
}

Result<Duration> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    Duration size;
  };
  static constexpr std::array<Unit, 7> kUnits{
      {{"ms", 1ms}, {"us", 1us}, {"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}, {"w", 168h}}};
  const Error invalid{Errc::kInvalid, fmt::format("'{}' is not a duration", text),
                      "write a number with its unit, as in 250ms, 90s, 6h, 7d or 1h30m"};
  if (text.empty()) return invalid;
  Duration total{0};
  while (!text.empty()) {
    int64_t count = 0;
    size_t digits = 0;
    for (; digits < text.size() && digits < 9 && text[digits] >= '0' && text[digits] <= '9'; ++digits)
      count = count * 10 + (text[digits] - '0');
    text.remove_prefix(digits);
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits)
      if (text.starts_with(candidate.name) && (!unit || candidate.name.size() > unit->name.size()))
        unit = &candidate;
    if (digits == 0 || !unit || count > Duration::max() / unit->size) return invalid;
    text.remove_prefix(unit->name.size());
    if (Duration::max() - total < count * unit->size) return invalid;
    total += count * unit->size;
  }
  return total;
}

std::string human_duration(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = std::chrono::round<std::chrono::seconds>(duration).count();
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 48 * 3600) return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {} h", whole / 86400, whole / 3600 % 24);
}

}  // namespace daruma
