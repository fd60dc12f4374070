// Goal: an answer is whole JSON, groups rooms by hotel, and says honestly when it is degraded.
#include "lastminutestay/api/search_answer.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace lastminutestay {
namespace {

using namespace std::chrono_literals;

const SearchRequest kRequest{*parse_date("2024-06-21"), *parse_date("2024-06-22"), 2, ""};

FreeRoom room(int32_t hotel, const std::string& id, int64_t total) {
  FreeRoom made;
  made.hotel = hotel;
  made.hotel_ja = "旅館 \"松風\"";
  made.hotel_en = "Ryokan \\ Matsukaze";
  made.id = id;
  made.sleeps = 2;
  made.total_yen = total;
  made.regular_yen = 10'000;
  return made;
}

boost::json::value body(const std::vector<FreeRoom>& rooms, const HotelFacts& facts = {}) {
  return boost::json::parse(search_body(kRequest, rooms, facts));
}

TEST(SearchAnswer, NamesEachHotelOnceInTheOrderOfItsFirstRoom) {
  const auto answer = body({room(7, "a", 5000), room(3, "b", 6000), room(7, "c", 7000)});
  ASSERT_EQ(answer.at("hotels").as_array().size(), 2u);
  EXPECT_EQ(answer.at("hotels").at(0).at("id"), 7);
  EXPECT_EQ(answer.at("hotels").at(0).at("rooms").as_array().size(), 2u);
  EXPECT_EQ(answer.at("hotels").at(1).at("rooms").at(0).at("roomId"), "b");
  EXPECT_EQ(answer.at("rooms"), 3);
  EXPECT_EQ(answer.at("degraded"), false);
}

TEST(SearchAnswer, SurvivesQuotesAndBackslashes) {
  const auto answer = body({room(7, "a", 5000)});
  EXPECT_EQ(answer.at("hotels").at(0).at("name").at("ja"), "旅館 \"松風\"");
  EXPECT_EQ(answer.at("hotels").at(0).at("name").at("en"), "Ryokan \\ Matsukaze");
}

TEST(SearchAnswer, TellsALastMinutePriceFromTheRegularOne) {
  const auto answer = body({room(7, "a", 5000), room(7, "b", 10'000)});
  EXPECT_EQ(answer.at("hotels").at(0).at("rooms").at(0).at("lastMinute"), true);
  EXPECT_EQ(answer.at("hotels").at(0).at("rooms").at(1).at("lastMinute"), false);
}

TEST(SearchAnswer, TakesFactsFromTheProviderAndGoesWithoutThem) {
  const auto facts =
      parse_hotel_facts(R"({"hotels":[{"id":7,"rating":4.5,"name":"not yours","reviews":12}]})");
  ASSERT_TRUE(facts.ok());
  const auto answer = body({room(7, "a", 5000), room(8, "b", 5000)}, *facts);
  EXPECT_EQ(answer.at("hotels").at(0).at("rating"), 4.5);
  EXPECT_EQ(answer.at("hotels").at(0).at("name").at("ja"), "旅館 \"松風\"");
  EXPECT_FALSE(answer.at("hotels").at(1).as_object().contains("rating"));
}

TEST(SearchAnswer, FactsThatAreNotAsAgreedAreRefused) {
  for (const char* json :
       {"", "[]", "{}", R"({"hotels":7})", R"({"hotels":[7]})", R"({"hotels":[{"id":"7"}]})"})
    EXPECT_TRUE(parse_hotel_facts(json).is(daruma::Errc::kInvalid)) << json;
}

TEST(SearchAnswer, ADegradedOneSaysItsAgeAndWhy) {
  const std::string whole = search_body(kRequest, {room(7, "a", 5000)}, {});
  const auto answer = boost::json::parse(degraded_body(whole, 40'900ms, "from the cache"));
  EXPECT_EQ(answer.at("degraded"), true);
  EXPECT_EQ(answer.at("ageSeconds"), 40);
  EXPECT_EQ(answer.at("reason"), "from the cache");
  EXPECT_EQ(answer.at("hotels"), boost::json::parse(whole).at("hotels"));
}

TEST(SearchAnswer, WithoutAnyRoomIsWholeToo) { EXPECT_EQ(body({}).at("hotels").as_array().size(), 0u); }

}  // namespace
}  // namespace lastminutestay
