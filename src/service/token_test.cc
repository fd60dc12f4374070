// Who may pass, and who may not: tokens of both kinds of key, and everything that was tried on such tokens
// elsewhere.
#include "service/token.h"

#include <gmock/gmock.h>

#include "service/base64url.h"

namespace daruma::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr Instant kNow{1'718'841'600'000'000};  // 2024-06-20
const std::string kSecret = "0123456789abcdef0123456789abcdef";

Claims alice() {
  return {.subject = "alice",
          .id = "7",
          .issuer = "auth",
          .audience = "stay",
          .roles = {"operator", "user"},
          .issued = kNow,
          .expires = kNow + 15min};
}
std::string encoded(std::string_view text) { return to_base64url(as_bytes(text)); }
std::string decoded(std::string_view text) { return *from_base64url(text); }

std::unique_ptr<TokenKey> secret_key(const std::string& secret = kSecret) {
  return *TokenKey::shared_secret(secret);
}
std::string error_of(const TokenKey& key, std::string_view token, Instant now = kNow) {
  const auto claims = key.check(token, now);
  if (claims.ok()) return "";
  EXPECT_EQ(claims.error().code, Errc::kInvalid);
  return claims.error().what;
}

TEST(Base64Url, EveryLengthIsReadBack) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decoded(encoded(text)), text);
    text += static_cast<char>(i * 7);
  }
}

TEST(Base64Url, IsWrittenAsTheStandardSays) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg");
  EXPECT_EQ(encoded("fo"), "Zm8");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("\xFB\xEF\xBE"), "----");
  EXPECT_EQ(encoded("\xFF\xFF\xFF"), "____");
}

TEST(Base64Url, NothingButTheOneRightTextIsRead) {
  for (const std::string bad :
       {"Zg==", "Zg=", "Z", "Zm9vZ", "Zh", "Zm9", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zm\xC3\xA9"})
    EXPECT_TRUE(from_base64url(bad).is(Errc::kInvalid)) << bad;
}

template <class Kind>
class TokenTest : public testing::Test {
 protected:
  Kind kind_;
};
struct Secret {
  std::unique_ptr<TokenKey> signer = secret_key(), checker = secret_key();
  std::unique_ptr<TokenKey> stranger = secret_key("another secret of thirty-two bytes");
};
struct EdDsa {
  TokenKey::PemPair pair = *TokenKey::generate_ed25519(), other = *TokenKey::generate_ed25519();
  std::unique_ptr<TokenKey> signer = *TokenKey::ed25519_pem(pair.private_key);
  std::unique_ptr<TokenKey> checker = *TokenKey::ed25519_pem(pair.public_key);
  std::unique_ptr<TokenKey> stranger = *TokenKey::ed25519_pem(other.private_key);
};
using Kinds = testing::Types<Secret, EdDsa>;
TYPED_TEST_SUITE(TokenTest, Kinds);

TYPED_TEST(TokenTest, WhatWasSignedIsReadBack) {
  const std::string token = *this->kind_.signer->sign(alice());
  const Claims claims = *this->kind_.checker->check(token, kNow);
  EXPECT_EQ(claims.subject, "alice");
  EXPECT_EQ(claims.id, "7");
  EXPECT_EQ(claims.issuer, "auth");
  EXPECT_EQ(claims.audience, "stay");
  EXPECT_THAT(claims.roles, ElementsAre("operator", "user"));
  EXPECT_EQ(claims.issued, kNow);
  EXPECT_EQ(claims.expires, kNow + 15min);
  EXPECT_TRUE(claims.has_role("operator"));
  EXPECT_FALSE(claims.has_role("oper"));
}

TYPED_TEST(TokenTest, ATokenOfASolitaryExpiryIsEnough) {
  const std::string token = *this->kind_.signer->sign({.expires = kNow + 1s});
  EXPECT_TRUE(this->kind_.checker->check(token, kNow).ok());
}

TYPED_TEST(TokenTest, TimesAreWholeSecondsUpToTheYear9999) {
  const Instant end{253'402'300'799'000'000};
  const std::string token = *this->kind_.signer->sign({.issued = Instant{1'999'999}, .expires = end});
  const Claims claims = *this->kind_.checker->check(token, kNow);
  EXPECT_EQ(claims.issued, Instant{1'000'000});
  EXPECT_EQ(claims.expires, end);
}

TYPED_TEST(TokenTest, AnotherKeyDoesNotPass) {
  EXPECT_EQ(error_of(*this->kind_.stranger, *this->kind_.signer->sign(alice())),
            "the token has a wrong signature");
}

TYPED_TEST(TokenTest, NoCharacterMayBeChanged) {
  const std::string token = *this->kind_.signer->sign(alice());
  for (size_t at = 0; at < token.size(); ++at) {
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_NE(error_of(*this->kind_.checker, changed), "") << at;
    changed = token;
    changed.erase(at, 1);
    EXPECT_NE(error_of(*this->kind_.checker, changed), "") << at;
  }
}

TYPED_TEST(TokenTest, NoBeginningPassesAndNothingMayFollow) {
  const std::string token = *this->kind_.signer->sign(alice());
  for (size_t size = 0; size < token.size(); ++size)
    EXPECT_NE(error_of(*this->kind_.checker, token.substr(0, size)), "") << size;
  for (const std::string more : {".", "A", "=", " ", "\n", ".e30"})
    EXPECT_NE(error_of(*this->kind_.checker, token + more), "") << more;
}

TYPED_TEST(TokenTest, ItExpiresAHalfMinuteLateForClocksThatDiffer) {
  const std::string token = *this->kind_.signer->sign(alice());
  EXPECT_EQ(error_of(*this->kind_.checker, token, kNow + 15min + 29s), "");
  EXPECT_EQ(error_of(*this->kind_.checker, token, kNow + 15min + 30s),
            "the token has expired at 2024-06-20T00:15:00Z");
}

TYPED_TEST(TokenTest, IssuerAndAudienceAreCheckedWhereTheyAreExpected) {
  const std::string token = *this->kind_.signer->sign(alice());
  TokenKey& key = *this->kind_.checker;
  key.expect("auth", "stay");
  EXPECT_EQ(error_of(key, token), "");
  key.expect("somebody", "stay");
  EXPECT_EQ(error_of(key, token), "the token is from another issuer");
  key.expect("auth", "other");
  EXPECT_EQ(error_of(key, token), "the token is for somebody else");
  EXPECT_EQ(error_of(key, *this->kind_.signer->sign({.issuer = "auth", .expires = kNow + 1s})),
            "the token is for somebody else");
}

TYPED_TEST(TokenTest, WhatItHoldsMayBeAnyText) {
  Claims claims = alice();
  claims.subject = "\"},\"roles\":[\"root\"],\n予約\\";
  const std::string token = *this->kind_.signer->sign(claims);
  const Claims read = *this->kind_.checker->check(token, kNow);
  EXPECT_EQ(read.subject, claims.subject);
  EXPECT_THAT(read.roles, ElementsAre("operator", "user"));
}

TEST(TokenKeys, APublicKeyCannotSign) { EXPECT_TRUE(EdDsa().checker->sign(alice()).is(Errc::kRefused)); }

TEST(TokenKeys, AShortSecretIsRefused) {
  const auto key = TokenKey::shared_secret("short");
  ASSERT_TRUE(key.is(Errc::kInvalid));
  EXPECT_THAT(key.error().what, HasSubstr("5 bytes"));
  EXPECT_FALSE(TokenKey::shared_secret(kSecret.substr(1)).ok());
}

TEST(TokenKeys, WhatIsNotAnEd25519KeyIsRefused) {
  const std::string rsa_like =
      "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n";
  // A P-256 key, made for this test.
  const std::string elliptic =
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZI2Rfle02bZPgBMBoRigjTm+69u3\n"
      "6u5qHJ5oM2OkPt0OGYL6F/VEztuhgtAXDw3BbrKiJCGxZ781m3xdmqgayg==\n"
      "-----END PUBLIC KEY-----\n";
  for (const std::string& pem : {std::string(), std::string("x"), rsa_like, elliptic})
    EXPECT_TRUE(TokenKey::ed25519_pem(pem).is(Errc::kInvalid)) << pem;
}

// The example of RFC 8037, appendix A, as PEM.
TEST(TokenKeys, APublicKeyChecksWhatTheStandardSigned) {
  const auto key = TokenKey::ed25519_pem(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(key.ok());
  // Its header has no "typ" and its payload is no JSON, so it gets no further than that.
  EXPECT_EQ(
      error_of(
          **key,
          "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIb"
          "QR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
      "the token is of another type than JWT");
}

// Signed elsewhere by HS256 under kSecret: {"sub":"bob","exp":1718841660}.
constexpr std::string_view kElsewhere =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IiLCJleHAiOjE3MTg4NDE2NjB9.7wK7bPfXELt9sFXLh-"
    "1JrWOnmELzC9ni7SYGMeTjiNw";

TEST(TokensOfOthers, TheOrderOfTheHeadersFieldsDoesNotMatter) {
  const auto claims = secret_key()->check(kElsewhere, kNow);
  ASSERT_TRUE(claims.ok()) << claims.error().what;
  EXPECT_EQ(claims->subject, "bob");
}

TEST(TokensOfOthers, TheAlgorithmIsTheKeysNeverTheTokens) {
  const std::string token = *secret_key()->sign(alice());
  const std::string rest = token.substr(token.find('.'));
  const std::string unsigned_rest = rest.substr(0, rest.rfind('.') + 1);
  for (const std::string alg : {"none", "None", "HS512", "RS256", "EdDSA", "hs256", ""})
    EXPECT_EQ(error_of(*secret_key(), encoded(R"({"alg":")" + alg + R"(","typ":"JWT"})") + rest),
              "the token is not signed by HS256")
        << alg;
  EXPECT_EQ(error_of(*secret_key(), encoded(R"({"alg":"none","typ":"JWT"})") + unsigned_rest),
            "the token is not signed by HS256");
  EXPECT_EQ(error_of(*secret_key(), encoded(R"({"typ":"JWT"})") + rest), "the token is not signed by HS256");
}

// The oldest trick: sign with the public key as if it were a shared secret.
TEST(TokensOfOthers, APublicKeyIsNoSecret) {
  const EdDsa kind;
  const std::string forged = *(*TokenKey::shared_secret(kind.pair.public_key))->sign(alice());
  EXPECT_EQ(error_of(*kind.checker, forged), "the token is not signed by EdDSA");
}

TEST(TokensOfOthers, AMalformedHeaderIsSaidSo) {
  const std::string token = *secret_key()->sign(alice());
  const std::string rest = token.substr(token.find('.'));
  for (const std::string& header :
       {encoded("x"), encoded("[]"), encoded("{"), std::string("*"), std::string()})
    EXPECT_EQ(error_of(*secret_key(), header + rest), "the token has a malformed header") << header;
  EXPECT_EQ(error_of(*secret_key(), encoded(R"({"alg":"HS256","typ":"JWE"})") + rest),
            "the token is of another type than JWT");
  EXPECT_EQ(error_of(*secret_key(), encoded(R"({"alg":"HS256","typ":"JWT","crit":["b64"]})") + rest),
            "the token asks for extensions that are not known here");
  EXPECT_EQ(error_of(*secret_key(), encoded(R"({"alg":["HS256"],"typ":"JWT"})") + rest),
            "the token has a \"alg\" that is no text");
}

TEST(TokensOfOthers, AnythingElseIsNoToken) {
  for (const std::string text : {"", ".", "..", "...", "a.b", "a.b.c", "Bearer x"})
    EXPECT_NE(error_of(*secret_key(), text), "") << text;
  EXPECT_EQ(error_of(*secret_key(), std::string(9000, 'A')), "the token is too long");
}

TEST(TokensOfOthers, NoErrorShowsTheToken) {
  const std::string token = *secret_key()->sign(alice());
  const std::string error = error_of(*secret_key("another secret of thirty-two bytes"), token);
  EXPECT_THAT(error, Not(HasSubstr(token.substr(40, 10))));
}

class BearerTest : public testing::Test {
 protected:
  Result<Claims> ask(std::string_view authorization) {
    Request request;
    request.headers = {{"authorization", authorization}};
    return bearer(request, *key_, kNow);
  }
  std::unique_ptr<TokenKey> key_ = secret_key();
  std::string token_ = *key_->sign(alice());
};

TEST_F(BearerTest, TheTokenStandsBehindTheScheme) {
  EXPECT_EQ(ask("Bearer " + token_)->subject, "alice");
  EXPECT_EQ(ask("bearer  " + token_)->subject, "alice");
}

TEST_F(BearerTest, AnythingElseIsInvalidAndNothingIsNotFound) {
  EXPECT_TRUE(bearer({}, *key_, kNow).is(Errc::kNotFound));
  for (const std::string& value : {std::string("Bearer"), std::string("Bearer "), "Basic " + token_, token_,
                                   "Bearer " + token_ + " x", "Bearer\t" + token_})
    EXPECT_TRUE(ask(value).is(Errc::kInvalid)) << value;
}

TEST_F(BearerTest, WhoSentNothingIsToldOnlyWhatToSend) {
  const Response response = unauthorized(bearer({}, *key_, kNow).error());
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.content_type, "application/problem+json");
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0].name, "WWW-Authenticate");
  EXPECT_EQ(response.headers[0].value, "Bearer");
}

TEST_F(BearerTest, WhoSentABadTokenIsToldWhatIsWrong) {
  const Response response = unauthorized({Errc::kInvalid, "a \"bad\"\r\nthing"});
  EXPECT_EQ(response.headers.at(0).value, R"(Bearer error="invalid_token", error_description="a badthing")");
}

TEST(ConstantTime, ComparesTexts) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_in_constant_time("secret", "secres"));
  EXPECT_FALSE(equal_in_constant_time("secret", "secre"));
}

}  // namespace
}  // namespace daruma::service
