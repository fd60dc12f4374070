// A value and its text: equal values have equal bytes, and what a program prints never makes a text nobody
// can read.

#include "base/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace daruma {
namespace {

TEST(Value, ItsTextSortsTheKeysAndComesBack) {
  Value value;
  value.set("name", "auth").set("count", 3).set("share", 0.5).set("ok", true).set("none", Value());
  value.set("list", Value::List{1, "two", Value::Map{}});
  EXPECT_EQ(to_json(value),
            R"({"count":3,"list":[1,"two",{}],"name":"auth","none":null,"ok":true,"share":5E-1})");
  EXPECT_EQ(*parse_json(to_json(value)), value);
}

TEST(Value, AWholeNumberStaysWhole) {
  EXPECT_EQ(*parse_json("9007199254740993")->integer(), 9007199254740993);
  EXPECT_TRUE(parse_json("18446744073709551615").is(Errc::kInvalid));
}

TEST(Value, BytesThatAreNotTextAreReplaced) {
  EXPECT_EQ(to_json(Value("a\xFF\xC0\xAF\xED\xA0\x80z")),
            "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");
  EXPECT_EQ(to_json(Value("停止")), "\"停止\"");
}

TEST(Value, WhatIsNotJsonIsRefused) {
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "1 2"})
    EXPECT_TRUE(parse_json(text).is(Errc::kInvalid)) << text;
  EXPECT_TRUE(parse_json(std::string(100, '[') + std::string(100, ']')).is(Errc::kInvalid));
}

TEST(Value, LookingIntoAnotherKindFindsNothing) {
  const Value text("plain");
  EXPECT_EQ(text.find("key"), nullptr);
  EXPECT_EQ(text.text_at("key", "otherwise"), "otherwise");
  EXPECT_EQ(text.integer(), nullptr);
}

}  // namespace
}  // namespace daruma
