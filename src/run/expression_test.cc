// What conditions and references mean, and how their mistakes are told.

#include "run/expression.h"

#include <gtest/gtest.h>

namespace daruma::run {
namespace {

std::optional<Value> known(std::string_view name) {
  if (name == "service") return "auth-service";
  if (name == "lines") return 100;
  if (name == "share") return 0.5;
  if (name == "age") return "90s";
  if (name == "files") return Value::List{"a", 2};
  if (name == "steps.healthy.failed") return true;
  if (name == "steps.restart.failed") return false;
  if (name == "steps.skipped-one.file") return Value();
  return std::nullopt;
}

// "true", "false", or what is wrong.
std::string answer(const std::string& condition) {
  const auto expression = Expression::parse(condition);
  if (!expression.ok()) return expression.error().what;
  const auto holds = expression->holds(known);
  if (!holds.ok()) return holds.error().what;
  return *holds ? "true" : "false";
}

TEST(Conditions, ReferToWhatIsKnown) {
  EXPECT_EQ(answer("steps.healthy.failed"), "true");
  EXPECT_EQ(answer("not steps.healthy.failed"), "false");
  EXPECT_EQ(answer("service == 'auth-service'"), "true");
  EXPECT_EQ(answer("lines >= 100 and lines < 101"), "true");
  EXPECT_EQ(answer("share > 0.4"), "true");
}

TEST(Conditions, OrBindsWeakerThanAndAndNotBindsToAComparison) {
  EXPECT_EQ(answer("true or true and false"), "true");
  EXPECT_EQ(answer("(true or true) and false"), "false");
  EXPECT_EQ(answer("not lines == 100"), "false");
  EXPECT_EQ(answer("not not true"), "true");
}

TEST(Conditions, WhatDidNotRunIsNullAndNullIsFalse) {
  EXPECT_EQ(answer("steps.skipped-one.file"), "false");
  EXPECT_EQ(answer("steps.skipped-one.file == null"), "true");
  EXPECT_EQ(answer("steps.skipped-one.file > 3"), "false");
  EXPECT_EQ(answer("not steps.skipped-one.file"), "true");
}

TEST(Conditions, NumbersCompareByValueAndTextsByWhatTheyAre) {
  EXPECT_EQ(answer("1 == 1.0"), "true");
  EXPECT_EQ(answer("9007199254740993 == 9007199254740992"), "false");
  EXPECT_EQ(answer("'b' > 'a'"), "true");
  EXPECT_EQ(answer("age < '5m'"), "true") << "as texts, 90s is above 5m";
  EXPECT_EQ(answer("'2026-11-22T09:00:00Z' < '2026-11-22T10:00:00+01:00'"), "false");
  EXPECT_EQ(answer("service == 1"), "false");
}

TEST(Conditions, WhatCannotBeComparedIsAnError) {
  EXPECT_EQ(answer("service < 1"),
            "condition 'service < 1': text and a number cannot be compared with < or >");
  EXPECT_EQ(answer("service"),
            "condition 'service': 'service' is text, neither true nor false; compare it with something");
  EXPECT_EQ(answer("steps.healthy.failed and nobody"),
            "condition 'steps.healthy.failed and nobody': nothing is named 'nobody'");
}

TEST(Conditions, ANameThatIsUnknownIsAnErrorAlsoWhereItDoesNotDecide) {
  EXPECT_EQ(answer("nobody or true"), "condition 'nobody or true': nothing is named 'nobody'");
}

TEST(Conditions, MistakesSayWhereAndWhat) {
  EXPECT_EQ(answer("lines = 100"),
            "condition 'lines = 100', at character 7: '=' does not compare; write '=='");
  EXPECT_EQ(answer("$lines == 1"),
            "condition '$lines == 1', at character 1: in a condition a name stands without '$'");
  EXPECT_EQ(answer(""), "condition '', at character 1: it ends where a value is expected");
  EXPECT_EQ(answer("(true"), "condition '(true', at character 1: this '(' is never closed");
  EXPECT_EQ(answer("(true]"), "condition '(true]', at character 6: ']' stands where ')' is expected");
  EXPECT_EQ(answer("'a"), "condition ''a', at character 1: this quotation mark is never closed");
  EXPECT_EQ(answer("true true"), "condition 'true true', at character 6: 'true' is one thing too many");
  EXPECT_EQ(answer("and true"), "condition 'and true', at character 1: a value is expected before 'and'");
  EXPECT_EQ(answer("lines > 5m"),
            "condition 'lines > 5m', at character 9: '5m' is not a number; a text stands in quotation marks");
  EXPECT_EQ(answer("lines + 1"), "condition 'lines + 1', at character 7: '+' is one thing too many");
  EXPECT_EQ(answer("達磨"), "condition '達磨', at character 1: '達' is not a value");
}

TEST(Conditions, DepthIsBounded) {
  EXPECT_EQ(answer(std::string(30, '(') + "true" + std::string(30, ')')), "true");
  EXPECT_NE(answer(std::string(2000, '(')).find("nested deeper than 32"), std::string::npos);
  std::string nots;
  for (int i = 0; i < 500; ++i) nots += "not ";
  EXPECT_NE(answer(nots + "true").find("nested deeper than 32"), std::string::npos);
  EXPECT_NE(answer(std::string(5000, ' ')).find("longer than 4096"), std::string::npos);
}

TEST(Conditions, TellTheirNamesOnceInTheirOrder) {
  const auto expression = Expression::parse("b == a or (b and not c.d)");
  EXPECT_EQ(expression->names(), (std::vector<std::string>{"b", "a", "c.d"}));
}

TEST(Conditions, AreSettledWhereTheOpenNamesDoNotMatter) {
  const auto settled = [](const std::string& condition) {
    const auto answer = Expression::parse(condition)->settled(known);
    return !answer ? "open" : *answer ? "true" : "false";
  };
  EXPECT_STREQ(settled("nobody"), "open");
  EXPECT_STREQ(settled("nobody and steps.restart.failed"), "false");
  EXPECT_STREQ(settled("steps.healthy.failed or nobody"), "true");
  EXPECT_STREQ(settled("not nobody"), "open");
  EXPECT_STREQ(settled("nobody == 1"), "open");
}

// The filled value as JSON, or what is wrong.
std::string filled(const Value& value) {
  const auto result = fill(value, known);
  return result.ok() ? to_json(*result) : result.error().what;
}

TEST(References, AloneAreTheValueItselfInsideATextItsText) {
  EXPECT_EQ(filled("$lines"), "100");
  EXPECT_EQ(filled("$files"), "[\"a\",2]");
  EXPECT_EQ(filled("${lines}"), "\"100\"");
  EXPECT_EQ(filled("http://${service}:80/${lines}"), "\"http://auth-service:80/100\"");
  EXPECT_EQ(filled("$steps.skipped-one.file"), "null");
}

TEST(References, ReachEverywhereInsideAValue) {
  EXPECT_EQ(filled(Value::Map{{"a", Value::List{"$service", 1, Value::Map{{"b", "${lines} lines"}}}}}),
            "{\"a\":[\"auth-service\",1,{\"b\":\"100 lines\"}]}");
}

TEST(References, ADollarIsWrittenTwiceOrBeforeWhatIsNoName) {
  EXPECT_EQ(filled("$$lines"), "\"$lines\"");
  EXPECT_EQ(filled("5 $"), "\"5 $\"");
  EXPECT_EQ(filled("id = $1"), "\"id = $1\"");
  EXPECT_EQ(filled(literally("$$ $lines ${x} $1")), "\"$$ $lines ${x} $1\"");
}

TEST(References, MistakesAreToldWithTheirText) {
  EXPECT_EQ(filled("${nobody}"), "text '${nobody}': nothing is named 'nobody'");
  EXPECT_EQ(filled("on $service"),
            "text 'on $service': inside a text write '${service}', or '$$service' for a dollar");
  EXPECT_EQ(filled("${service"), "text '${service': a '${' is never closed");
  EXPECT_EQ(filled("${a b}"), "text '${a b}': 'a b' between '${' and '}' is not a name");
}

TEST(References, NothingIsNeverPutInsideAText) {
  EXPECT_EQ(filled("${steps.skipped-one.file}/data"),
            "text '${steps.skipped-one.file}/data': 'steps.skipped-one.file' has no value");
}

TEST(References, TellTheirNamesOnce) {
  const auto names = names_in(Value::List{"$b", "${a} and ${b}", 3});
  EXPECT_EQ(*names, (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(names_in("${").is(Errc::kInvalid));
}

}  // namespace
}  // namespace daruma::run
