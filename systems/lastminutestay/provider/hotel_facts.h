// provider/hotel_facts.h: what HotelDataAPI knows about a hotel: rating, photos, amenities, a last-minute
// hint.
//
// Made up from the id, so the same id always has the same facts.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lastminutestay {

constexpr size_t kHotelsPerQuestion = 100;

// "12,7,1403": at least one, at most kHotelsPerQuestion. kInvalid otherwise, naming what is wrong.
daruma::Result<std::vector<int32_t>> parse_hotel_ids(std::string_view text);

// {"hotels":[{"id":12,"rating":4.3,"reviews":812,"photos":[…],"amenities":[…],"hint":{"ja":…,"en":…}}]}
std::string hotel_facts_json(std::span<const int32_t> ids);

}  // namespace lastminutestay
