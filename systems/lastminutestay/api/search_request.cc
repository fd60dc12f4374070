#include "lastminutestay/api/search_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "service/json_text.h"

namespace lastminutestay {
namespace {

using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::Status;
using daruma::service::Request;

constexpr size_t kCityMax = 60;  // bytes

Result<std::string> needed(const Request& request, const char* name) {
  auto value = request.parameter(name);
  if (value && !value->empty()) return *std::move(value);
  return Error{Errc::kInvalid,
               fmt::format("{} is missing: want ?checkIn=YYYY-MM-DD&checkOut=YYYY-MM-DD&guests=N"
                           " (in a shell, put the URL in quotes: '&' ends the command there)",
                           name)};
}

Result<Date> date_of(const Request& request, const char* name) {
  DR_TRY(const std::string text, needed(request, name));
  if (const auto date = parse_date(text)) return *date;
  return Error{Errc::kInvalid,
               fmt::format("{} '{}': want a day that exists, as YYYY-MM-DD", name, text.substr(0, 40))};
}

Result<int> guests_of(const Request& request) {
  DR_TRY(const std::string text, needed(request, "guests"));
  int guests = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), guests);
  if (wrong == std::errc{} && end == text.data() + text.size()) return guests;
  return Error{Errc::kInvalid,
               fmt::format("guests '{}': want a number, 1 to {}", text.substr(0, 40), kGuestsMax)};
}

bool is_name(const std::string& text) {
  return text.size() <= kCityMax && daruma::service::valid_utf8(text) == text &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

}  // namespace

std::string SearchRequest::key() const {
  std::string key;
  key.reserve(24 + city.size());
  key += to_text(check_in);
  key += '/';
  key += to_text(check_out);
  key += '/';
  key += std::to_string(guests);
  key += '/';
  return key += city;
}

Status check_stay(Date check_in, Date check_out, int64_t guests, Date today) {
  if (check_in < today)
    return Error{Errc::kInvalid,
                 fmt::format("checkIn {} is past: today is {}", to_text(check_in), to_text(today))};
  if (check_out <= check_in)
    return Error{Errc::kInvalid,
                 fmt::format("checkOut {} is not after checkIn {}", to_text(check_out), to_text(check_in))};
  if (nights_between(check_in, check_out) > kNightsMax)
    return Error{Errc::kInvalid, fmt::format("{} nights: at most {} at a time",
                                             nights_between(check_in, check_out), kNightsMax)};
  if (nights_between(today, check_in) > kDaysAheadMax)
    return Error{Errc::kInvalid,
                 fmt::format("checkIn {}: at most {} days ahead", to_text(check_in), kDaysAheadMax)};
  if (guests < 1 || guests > kGuestsMax)
    return Error{Errc::kInvalid, fmt::format("guests {}: want a number, 1 to {}", guests, kGuestsMax)};
  return {};
}

Result<SearchRequest> parse_search(const Request& request, Date today) {
  SearchRequest wanted;
  DR_TRY(wanted.check_in, date_of(request, "checkIn"));
  DR_TRY(wanted.check_out, date_of(request, "checkOut"));
  DR_TRY(wanted.guests, guests_of(request));
  wanted.city = request.parameter("city").value_or("");
  if (!is_name(wanted.city))
    return Error{Errc::kInvalid, fmt::format("city: want a name of at most {} bytes, in UTF-8", kCityMax)};
  DR_OK(check_stay(wanted.check_in, wanted.check_out, wanted.guests, today));
  return wanted;
}

}  // namespace lastminutestay
