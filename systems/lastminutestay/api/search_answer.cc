#include "lastminutestay/api/search_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

#include "base/check.h"

namespace lastminutestay {
namespace {

constexpr std::string_view kWhole = R"({"degraded":false,)";

std::string quoted(const std::string& text) { return boost::json::serialize(boost::json::string_view(text)); }

std::string both(const std::string& ja, const std::string& en) {
  return fmt::format(R"({{"ja":{},"en":{}}})", quoted(ja), quoted(en));
}

void add_room(std::string& json, const FreeRoom& room) {
  fmt::format_to(std::back_inserter(json),
                 R"({{"roomId":{},"type":{},"sleeps":{},"total":{},"regularTotal":{},"lastMinute":{}}})",
                 quoted(room.id), both(room.type_ja, room.type_en), room.sleeps, room.total_yen,
                 room.regular_yen, room.total_yen < room.regular_yen);
}

void add_hotel(std::string& json, const std::vector<FreeRoom>& rooms, int32_t hotel,
               const HotelFacts& facts) {
  const auto first =
      std::find_if(rooms.begin(), rooms.end(), [&](const FreeRoom& room) { return room.hotel == hotel; });
  fmt::format_to(std::back_inserter(json),
                 R"({{"id":{},"name":{},"prefecture":{},"city":{},"area":{},"stars":{},)", hotel,
                 both(first->hotel_ja, first->hotel_en), both(first->prefecture_ja, first->prefecture_en),
                 both(first->city_ja, first->city_en), both(first->area_ja, first->area_en), first->stars);
  if (const auto known = facts.find(hotel); known != facts.end() && !known->second.empty())
    json += known->second + ",";
  json += R"("rooms":[)";
  for (auto room = first; room != rooms.end(); ++room) {
    if (room->hotel != hotel) continue;
    if (json.back() == '}') json += ',';
    add_room(json, *room);
  }
  json += "]}";
}

}  // namespace

std::vector<int32_t> hotels_of(const std::vector<FreeRoom>& rooms) {
  std::vector<int32_t> hotels;
  for (const FreeRoom& room : rooms)
    if (std::find(hotels.begin(), hotels.end(), room.hotel) == hotels.end()) hotels.push_back(room.hotel);
  return hotels;
}

std::string search_body(const SearchRequest& request, const std::vector<FreeRoom>& rooms,
                        const HotelFacts& facts) {
  std::string json(kWhole);
  json.reserve(1024 + rooms.size() * 800);
  fmt::format_to(
      std::back_inserter(json),
      R"("checkIn":"{}","checkOut":"{}","nights":{},"guests":{},"currency":"JPY","rooms":{},"hotels":[)",
      to_text(request.check_in), to_text(request.check_out),
      nights_between(request.check_in, request.check_out), request.guests, rooms.size());
  for (const int32_t hotel : hotels_of(rooms)) {
    if (json.back() == '}') json += ',';
    add_hotel(json, rooms, hotel, facts);
  }
  json += "]}";
  json.shrink_to_fit();
  return json;
}

std::string degraded_body(std::string_view body, daruma::Duration age, std::string_view reason) {
  DR_CHECK(body.starts_with(kWhole));
  return fmt::format(R"({{"degraded":true,"ageSeconds":{},"reason":"{}",{})",
                     std::chrono::duration_cast<std::chrono::seconds>(age).count(), reason,
                     body.substr(kWhole.size()));
}

}  // namespace lastminutestay
