// Goal: the manual's body is understood, and whatever is wrong with another is named.
#include "lastminutestay/api/booking_request.h"

#include <gmock/gmock.h>

namespace lastminutestay {
namespace {

using daruma::Errc;
using testing::HasSubstr;

const Date kToday = *parse_date("2024-06-20");
constexpr const char* kManuals =
    R"({"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2})";

TEST(BookingRequest, TheManualsBodyBooksTwoForOneNight) {
  const auto wanted = parse_booking(kManuals, kToday);
  ASSERT_TRUE(wanted.ok());
  EXPECT_EQ(wanted->room, "test-room-id");
  EXPECT_EQ(nights_between(wanted->check_in, wanted->check_out), 1);
  EXPECT_EQ(wanted->guests, 2);
}

TEST(BookingRequest, TheHashIsOfWhatIsAskedNotOfHowItIsWritten) {
  const auto other =
      R"({ "guests" : 2, "checkOut":"2024-06-22", "checkIn":"2024-06-21", "roomId":"test-room-id" })";
  EXPECT_EQ(parse_booking(kManuals, kToday)->hash(), parse_booking(other, kToday)->hash());
  const auto three = R"({"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":3})";
  EXPECT_NE(parse_booking(kManuals, kToday)->hash(), parse_booking(three, kToday)->hash());
  EXPECT_EQ(parse_booking(three, kToday)->hash().size(), 64u);
}

TEST(BookingRequest, WhatIsNoObjectIsMalformed) {
  for (const char* body : {"", "{", "[]", "7", "{\"roomId\":}", "\xff"})
    EXPECT_TRUE(parse_booking(body, kToday).is(Errc::kInvalid)) << body;
}

TEST(BookingRequest, AFieldThatIsWrongIsNamed) {
  const std::pair<const char*, const char*> kWrong[] = {
      {R"({"checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2})", "roomId"},
      {R"({"roomId":"","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2})", "roomId"},
      {R"({"roomId":"a\u0000b","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2})", "roomId"},
      {R"({"roomId":"a","checkIn":20240621,"checkOut":"2024-06-22","guests":2})", "checkIn"},
      {R"({"roomId":"a","checkIn":"2024-06-21","checkOut":"2024-06-32","guests":2})", "checkOut"},
      {R"({"roomId":"a","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":"2"})", "guests"},
      {R"({"roomId":"a","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2.5})", "guests"},
      {R"({"roomId":"a","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":0})", "guests"},
      {R"({"roomId":"a","checkIn":"2024-06-21","checkOut":"2024-06-21","guests":2})", "checkOut"},
      {R"({"roomId":"a","checkIn":"2024-06-01","checkOut":"2024-06-21","guests":2})", "is past"},
  };
  for (const auto& [body, named] : kWrong) {
    const auto parsed = parse_booking(body, kToday);
    ASSERT_TRUE(parsed.is(Errc::kRefused)) << body;
    EXPECT_THAT(parsed.error().what, HasSubstr(named)) << body;
  }
}

TEST(BookingRequest, KeysAndIdsHaveTheirShapes) {
  EXPECT_TRUE(is_idempotency_key("7f3c-order-12"));
  for (const std::string& key :
       {std::string(""), std::string("a b"), std::string("a\n"), std::string("é"), std::string(201, 'a')})
    EXPECT_FALSE(is_idempotency_key(key)) << key;
  EXPECT_TRUE(is_uuid("0191c0d2-5d77-4ef2-8a49-72eba9887a6b"));
  for (const char* id :
       {"", "0191c0d2", "0191c0d2-5d77-4ef2-8a49-72eba9887a6g", "0191c0d2x5d77-4ef2-8a49-72eba9887a6b"})
    EXPECT_FALSE(is_uuid(id)) << id;
}

}  // namespace
}  // namespace lastminutestay
