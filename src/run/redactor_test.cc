// What a step prints may hold a secret, whole or cut in two: it never reaches the disk.

#include "run/redactor.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace daruma::run {
namespace {

std::string through(const std::vector<std::string>& secrets, const std::string& text, size_t chunk) {
  Redactor redactor(secrets);
  std::string out;
  for (size_t at = 0; at < text.size(); at += chunk)
    out += redactor.feed(std::string_view(text).substr(at, chunk));
  return out + redactor.flush();
}

TEST(Redactor, ASecretIsTakenOutWhereverTheStreamIsCut) {
  const std::string text = "password=tr0ub4dor&3 and again tr0ub4dor&3";
  for (size_t chunk = 1; chunk <= text.size(); ++chunk)
    EXPECT_EQ(through({"tr0ub4dor&3"}, text, chunk), "password=[secret] and again [secret]") << chunk;
}

TEST(Redactor, AlsoEncodedForms) {
  EXPECT_EQ(through({"tr0ub4dor&3"}, "x=tr0ub4dor%263;", 3), "x=[secret];");
  EXPECT_EQ(through({"hunter22+"}, "Basic aHVudGVyMjIr", 5), "Basic [secret]");
}

TEST(Redactor, InBase64WhateverStandsBeforeIt) {
  for (const std::string user : {"u", "us", "use", "root"}) {
    const std::string text = "Authorization: Basic " + to_base64(user + ":correct horse");
    const std::string clean = through({"correct horse"}, text, 7);
    EXPECT_NE(clean.find("[secret]"), std::string::npos) << clean;
    EXPECT_LE(clean.size(), std::string("Authorization: Basic cm9vdD[secret]U=").size()) << clean;
  }
}

TEST(Redactor, OfTwoSecretsThatBeginAlikeTheLongerIsTaken) {
  EXPECT_EQ(through({"abcd", "abcdefgh"}, "abcdefgh abcd", 4), "[secret] [secret]");
}

TEST(Redactor, TheInsidesOfAValueAreCleanedToo) {
  Value value;
  value.set("line", "uses s3cret!").set("list", Value::List{"s3cret!", 4});
  EXPECT_EQ(to_json(Redactor({"s3cret!"}).clean(value)), R"({"line":"uses [secret]","list":["[secret]",4]})");
}

TEST(Redactor, WithoutSecretsNothingIsHeldBack) { EXPECT_EQ(Redactor({}).feed("as it is"), "as it is"); }

}  // namespace
}  // namespace daruma::run
