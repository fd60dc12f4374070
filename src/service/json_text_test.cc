// Every text becomes a JSON string that a strict parser reads back as the same text.
#include "service/json_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace daruma::service {
namespace {

std::string written(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}
std::string read_back(std::string_view text) {
  boost::system::error_code failure;
  const boost::json::value value = boost::json::parse(written(text), failure);
  return failure ? "error: " + failure.message() : std::string(value.as_string());
}

TEST(JsonText, PlainTextStandsAsItIs) {
  EXPECT_EQ(written(""), R"("")");
  EXPECT_EQ(written("GET /api/hotels"), R"("GET /api/hotels")");
  EXPECT_EQ(written("予約 ☃ 🏨"), R"("予約 ☃ 🏨")");
}

TEST(JsonText, WhatJsonForbidsIsEscaped) {
  EXPECT_EQ(written("a\"b\\c\nd\te"), R"("a\"b\\c\nd\te")");
  EXPECT_EQ(written(std::string_view("\0\x1f\r", 3)), R"("\u0000\u001f\u000d")");
}

TEST(JsonText, EveryByteIsReadBack) {
  for (int byte = 0; byte < 0x80; ++byte) {
    const std::string text(3, static_cast<char>(byte));
    EXPECT_EQ(read_back(text), text) << byte;
  }
}

TEST(JsonText, WhatIsNotUtf8IsReplaced) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(read_back("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(read_back("\x80"), bad);
  EXPECT_EQ(read_back("\xC0\xAF"), bad + bad);                      // '/' written too long
  EXPECT_EQ(read_back("\xE0\x80\x80"), bad + bad + bad);            // the same with three bytes
  EXPECT_EQ(read_back("\xED\xA0\x80"), bad + bad + bad);            // half of a surrogate pair
  EXPECT_EQ(read_back("\xF4\x90\x80\x80"), bad + bad + bad + bad);  // past U+10FFFF
  EXPECT_EQ(read_back("\xE4\xBA"), bad + bad);                      // cut
  EXPECT_EQ(read_back("\xE4\xBA\""), bad + bad + "\"");
  EXPECT_EQ(valid_utf8("\xE4\xBA 亜\xFF"), bad + bad + " 亜" + bad);
}

TEST(JsonText, TheFirstAndLastOfEachLengthAreKept) {
  for (const std::string text : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                 "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_EQ(read_back(text), text);
}

}  // namespace
}  // namespace daruma::service
