#include "library/json.h"

#include <gmock/gmock.h>

namespace aimicro {
namespace {

std::string fault_of(std::string_view body) {
  const auto fields = read_fields(body, {"email", "password"}, {"name"});
  return fields.ok() ? "" : fields.error().what;
}

TEST(ReadFields, GivesTheTextsOfAnObject) {
  const auto fields =
      read_fields(R"({"email":"a@b","password":"p\u00e9\n","name":"遥"})", {"email", "password"}, {"name"});
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->at("password"), "pé\n");
  EXPECT_EQ(fields->at("name"), "遥");
}

TEST(ReadFields, SaysWhatIsWrongAndNoValue) {
  EXPECT_EQ(fault_of("{"), "the body is not a JSON object");
  EXPECT_EQ(fault_of("[]"), "the body is not a JSON object");
  EXPECT_EQ(fault_of(R"({"email":"a"} x)"), "the body is not a JSON object");
  EXPECT_EQ(fault_of(R"({"email":"a"})"), "the field 'password' is missing");
  EXPECT_EQ(fault_of(R"({"email":1,"password":"secret"})"), "the field 'email' must be a text");
  EXPECT_EQ(fault_of(R"({"email":"a","password":"secret","x":"y"})"), "the field 'x' is not known here");
  EXPECT_EQ(fault_of(R"({"email":"a\u0000b","password":"secret"})"), "the field 'email' has a zero byte");
}

TEST(JsonObject, EscapesWhatItIsGiven) {
  EXPECT_EQ(JsonObject().add("a\"b", "line\nbreak").add_number("n", -3).add_list("l", {"x", "\\"}).text(),
            R"({"a\"b":"line\nbreak","n":-3,"l":["x","\\"]})");
  EXPECT_EQ(JsonObject().text(), "{}");
}

}  // namespace
}  // namespace aimicro
