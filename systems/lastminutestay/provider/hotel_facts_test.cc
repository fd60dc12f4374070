// Goal: the provider's answer is what the search expects of a third party, and its questions are bounded.
#include "lastminutestay/provider/hotel_facts.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace lastminutestay {
namespace {

TEST(HotelFacts, AreAsManyAsWereAskedForInTheirOrder) {
  const auto ids = parse_hotel_ids("12,7,1403");
  ASSERT_TRUE(ids.ok());
  const auto answer = boost::json::parse(hotel_facts_json(*ids));
  const auto& hotels = answer.at("hotels").as_array();
  ASSERT_EQ(hotels.size(), 3u);
  EXPECT_EQ(hotels[0].at("id"), 12);
  EXPECT_EQ(hotels[1].at("id"), 7);
  EXPECT_GE(hotels[2].at("rating").as_double(), 3.0);
  EXPECT_FALSE(hotels[2].at("hint").at("ja").as_string().empty());
}

TEST(HotelFacts, OfAHotelNeverChange) {
  const int32_t id[] = {99};
  EXPECT_EQ(hotel_facts_json(id), hotel_facts_json(id));
}

TEST(HotelFacts, WhatIsNoListOfHotelsIsRefused) {
  std::string many = "1";
  for (size_t i = 0; i < kHotelsPerQuestion; ++i) many += ",1";
  for (const std::string& text : {std::string(""), std::string("1,"), std::string(",1"), std::string("1;2"),
                                  std::string("-1"), std::string("0"), std::string("99999999999"), many})
    EXPECT_TRUE(parse_hotel_ids(text).is(daruma::Errc::kInvalid)) << text;
}

}  // namespace
}  // namespace lastminutestay
