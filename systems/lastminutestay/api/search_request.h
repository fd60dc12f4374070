// api/search_request.h: what GET /api/hotels/search asks for.
//
//   checkIn, checkOut   days (YYYY-MM-DD), checkIn today or later, checkOut after it
//   guests              1 to 10
//   city                optional: a city's name in Japanese or English
// Threads: pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "lastminutestay/common/date.h"
#include "service/http.h"

namespace lastminutestay {

constexpr int kNightsMax = 30;
constexpr int kDaysAheadMax = 400;
constexpr int kGuestsMax = 10;

struct SearchRequest {
  Date check_in, check_out;
  int guests = 0;
  std::string city;  // "" for everywhere

  // Names it among all searches: "2024-06-21/2024-06-22/2/".
  std::string key() const;
};

// kInvalid: says which parameter is wrong, its value, and what it should be.
daruma::Result<SearchRequest> parse_search(const daruma::service::Request& request, Date today);

// What search and booking both want of a stay. kInvalid: names the field, its value and the rule.
daruma::Status check_stay(Date check_in, Date check_out, int64_t guests, Date today);

}  // namespace lastminutestay
