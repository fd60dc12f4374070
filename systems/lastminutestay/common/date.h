// common/date.h: calendar days as hotels count them: a stay is the nights from check-in to the day before
// check-out.
//
// Threads: pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace lastminutestay {

using Date = std::chrono::sys_days;

// "2024-06-21": exactly ten characters and a day that exists; nullopt otherwise.
std::optional<Date> parse_date(std::string_view text);
std::string to_text(Date date);

// The day it is in Japan (UTC+9, without daylight saving) at `now`.
Date day_in_japan(daruma::Instant now);

inline int nights_between(Date check_in, Date check_out) {
  return static_cast<int>((check_out - check_in).count());
}

}  // namespace lastminutestay
