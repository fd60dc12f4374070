#include "lastminutestay/common/date.h"

namespace lastminutestay {
namespace {

// Digits only: no sign, no space.
std::optional<int> number_of(std::string_view digits) {
  int number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::optional<Date> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number_of(text.substr(0, 4));
  const auto month = number_of(text.substr(5, 2));
  const auto day = number_of(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return Date(date);
}

std::string to_text(Date date) {
  const std::chrono::year_month_day day(date);
  std::string text = "0000-00-00";  // for every search: faster than formatting
  const auto put = [&](size_t end, unsigned number) {
    for (; number > 0; number /= 10) text[--end] = static_cast<char>('0' + number % 10);
  };
  put(4, static_cast<unsigned>(static_cast<int>(day.year())));
  put(7, static_cast<unsigned>(day.month()));
  put(10, static_cast<unsigned>(day.day()));
  return text;
}

Date day_in_japan(daruma::Instant now) {
  constexpr std::chrono::hours kAhead{9};
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(now.micros) + kAhead));
}

}  // namespace lastminutestay
