// api/booking_request.h: what POST /api/bookings asks for.
//
//   {"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2}
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "lastminutestay/common/date.h"

namespace lastminutestay {

struct BookingRequest {
  std::string room;
  Date check_in, check_out;
  int64_t guests = 0;

  // SHA-256 of what is asked for, in hex: the same request has the same, however its JSON was written.
  std::string hash() const;
};

// kInvalid: the body is no JSON object. kRefused: it is one, and a field is missing, of the wrong kind, or
// breaks a rule; the message names it.
daruma::Result<BookingRequest> parse_booking(std::string_view body, Date today);

// 1 to 200 printable ASCII characters without space.
bool is_idempotency_key(std::string_view text);
// As PostgreSQL prints it: "0191c0d2-5d77-4ef2-8a49-72eba9887a6b".
bool is_uuid(std::string_view text);

}  // namespace lastminutestay
