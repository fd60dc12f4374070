#include "lastminutestay/provider/hotel_facts.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

#include "os/split_mix.h"

namespace lastminutestay {
namespace {

using daruma::Errc;
using daruma::Error;
using daruma::Result;

constexpr const char* kAmenities[] = {"wifi",    "onsen", "breakfast",    "parking",
                                      "laundry", "gym",   "barrier-free", "pets"};

struct Hint {
  const char *ja, *en;
};
constexpr Hint kHints[] = {
    {"本日の予約、残りわずかです", "Few rooms left for tonight"},
    {"18時までのご予約でレイトチェックアウト", "Late check-out when booked by 18:00"},
    {"直前割：朝食付き", "Last-minute deal: breakfast included"},
    {"駅から徒歩5分", "Five minutes' walk from the station"},
};

std::string amenities_of(daruma::SplitMix& chance) {
  std::string list;
  for (const char* amenity : kAmenities)
    if (chance.below(2) == 0) list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", amenity);
  return list;
}

std::string facts_of(int32_t id) {
  daruma::SplitMix chance(static_cast<uint64_t>(id) * 1'000'003);
  const double rating = 3.0 + static_cast<double>(chance.below(20)) / 10;
  const auto reviews = 8 + chance.below(2400);
  const Hint& hint = kHints[chance.below(std::size(kHints))];
  return fmt::format(
      R"({{"id":{0},"rating":{1:.1f},"reviews":{2},"photos":["/photos/{0}/1.jpg","/photos/{0}/2.jpg"],)"
      R"("amenities":[{3}],"hint":{{"ja":"{4}","en":"{5}"}}}})",
      id, rating, reviews, amenities_of(chance), hint.ja, hint.en);
}

Error bad_ids(std::string_view text) {
  return {Errc::kInvalid, fmt::format("ids '{}': want 1 to {} hotel numbers with commas between them",
                                      text.substr(0, 60), kHotelsPerQuestion)};
}

}  // namespace

Result<std::vector<int32_t>> parse_hotel_ids(std::string_view text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (ids.size() < kHotelsPerQuestion) {
    int32_t id = 0;
    const auto [after, wrong] = std::from_chars(at, end, id);
    if (wrong != std::errc{} || id <= 0) return bad_ids(text);
    ids.push_back(id);
    if (after == end) return ids;
    if (*after != ',') return bad_ids(text);
    at = after + 1;
  }
  return bad_ids(text);
}

std::string hotel_facts_json(std::span<const int32_t> ids) {
  std::string json = R"({"hotels":[)";
  for (const int32_t id : ids) {
    if (json.back() == '}') json += ',';
    json += facts_of(id);
  }
  return json + "]}";
}

}  // namespace lastminutestay
