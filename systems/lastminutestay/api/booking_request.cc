#include "lastminutestay/api/booking_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/digest.h"
#include "lastminutestay/api/search_request.h"

namespace lastminutestay {
namespace {

using daruma::Errc;
using daruma::Error;
using daruma::Result;

constexpr size_t kRoomMax = 100;  // bytes

Error wrong(std::string_view field, std::string_view want) {
  return {Errc::kRefused, fmt::format("{}: want {}", field, want)};
}

Result<std::string> text_of(const boost::json::object& object, const char* field, std::string_view want) {
  const boost::json::value* value = object.if_contains(field);
  if (value == nullptr || !value->is_string()) return wrong(field, want);
  return std::string(value->get_string());
}

Result<Date> date_of(const boost::json::object& object, const char* field) {
  constexpr std::string_view kWant = "a day that exists, as \"YYYY-MM-DD\"";
  DR_TRY(const std::string text, text_of(object, field, kWant));
  if (const auto date = parse_date(text)) return *date;
  return wrong(field, kWant);
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

std::string BookingRequest::hash() const {
  return daruma::sha256_hex(
      fmt::format("{}\n{}\n{}\n{}", room, to_text(check_in), to_text(check_out), guests));
}

Result<BookingRequest> parse_booking(std::string_view body, Date today) {
  boost::system::error_code malformed;
  const boost::json::value json = boost::json::parse({body.data(), body.size()}, malformed);
  const boost::json::object* object = malformed ? nullptr : json.if_object();
  if (object == nullptr)
    return Error{Errc::kInvalid,
                 "the body is not a JSON object: want {\"roomId\":…,\"checkIn\":…,\"checkOut\":…,"
                 "\"guests\":…}"};
  BookingRequest wanted;
  DR_TRY(wanted.room, text_of(*object, "roomId", "the id of a room, as a string"));
  if (wanted.room.empty() || wanted.room.size() > kRoomMax || wanted.room.find('\0') != std::string::npos)
    return wrong("roomId", fmt::format("1 to {} bytes", kRoomMax));
  DR_TRY(wanted.check_in, date_of(*object, "checkIn"));
  DR_TRY(wanted.check_out, date_of(*object, "checkOut"));
  const boost::json::value* guests = object->if_contains("guests");
  if (guests == nullptr || !guests->is_int64()) return wrong("guests", "a whole number");
  wanted.guests = guests->get_int64();
  if (auto fits = check_stay(wanted.check_in, wanted.check_out, wanted.guests, today); !fits.ok())
    return Error{Errc::kRefused, fits.error().what};
  return wanted;
}

bool is_idempotency_key(std::string_view text) {
  return !text.empty() && text.size() <= 200 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !is_hex(text[i])) return false;
  return true;
}

}  // namespace lastminutestay
