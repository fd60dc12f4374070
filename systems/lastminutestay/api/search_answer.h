// api/search_answer.h: the body of a search's answer.
//
// {"degraded":false,"checkIn":…,"checkOut":…,"nights":…,"guests":…,"currency":"JPY","hotels":[{"id":…,
//  "name":{"ja":…,"en":…},…,"rating":…,"rooms":[{"roomId":…,"total":…,"regularTotal":…,"lastMinute":…}]}]}
// A degraded one begins {"degraded":true,"ageSeconds":40,"reason":… instead; the rest is the same.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lastminutestay/api/hotel_data.h"
#include "lastminutestay/api/search_request.h"

namespace lastminutestay {

// A free room with its hotel, in the order in which the answer shows them.
struct FreeRoom {
  int32_t hotel = 0;
  std::string hotel_ja, hotel_en, prefecture_ja, prefecture_en, city_ja, city_en, area_ja, area_en;
  int64_t stars = 0;
  std::string id, type_ja, type_en;
  int64_t sleeps = 0, total_yen = 0, regular_yen = 0;
};

// Each hotel once, where its first room stands.
std::vector<int32_t> hotels_of(const std::vector<FreeRoom>& rooms);

// `facts`: what HotelDataAPI said; a hotel that is not in there goes without.
std::string search_body(const SearchRequest& request, const std::vector<FreeRoom>& rooms,
                        const HotelFacts& facts);

// The same answer, marked: `body` came from search_body.
std::string degraded_body(std::string_view body, daruma::Duration age, std::string_view reason);

}  // namespace lastminutestay
