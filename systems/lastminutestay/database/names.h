// database/names.h: what hotels in Japan are called and where they stand, in Japanese and English, for
// made-up data.
//
// The hotels are invented; the places are real. Order matters: data generated with a seed depends on it.
// Threads: constants.
#pragma once

#include <span>
#include <string_view>

namespace lastminutestay {

struct Bilingual {
  std::string_view ja, en;
};

struct City {
  std::string_view code;  // begins the ids of rooms: "tyo"
  Bilingual prefecture, city;
  Bilingual areas[3];
  int price_percent;  // what a night costs, against the country's middle
  int weight;         // how many hotels, against the others
};
std::span<const City> cities();

// "Sakura" in "ホテルサクラ大通" / "Hotel Sakura Odori".
std::span<const Bilingual> brands();

// {brand} and {area} are replaced.
struct HotelStyle {
  Bilingual pattern;
  int stars;
  int price_percent;
  bool japanese;  // has rooms with tatami
};
std::span<const HotelStyle> hotel_styles();

struct RoomType {
  Bilingual name;
  int sleeps;
  int price_yen;  // before the hotel's and the city's percent
  bool japanese;
};
std::span<const RoomType> room_types();

std::span<const Bilingual> family_names();
std::span<const Bilingual> given_names();

}  // namespace lastminutestay
