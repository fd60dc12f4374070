// How people come in, stay in and go out: register, log in, refresh, log out; and what must not work.

#include <fmt/format.h>

#include "ai_micro_test.h"
#include "os/files.h"
#include "service/token.h"

namespace aimicro {
namespace {

using daruma::service::Claims;
using daruma::service::TokenKey;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Auth : public AiMicroTest {
 protected:
  std::unique_ptr<TokenKey> private_key() {
    const auto pem = daruma::read_file(system().fs(), system().private_key(), 1 << 14);
    return *TokenKey::ed25519_pem(daruma::as_text(*pem));
  }
  // Claims as the auth service makes them, for a change to be made in them.
  static Claims good_claims(const Visitor& who) {
    const auto now = daruma::real_clock()->now();
    Claims claims;
    claims.subject = who.id;
    claims.id = "some-id";
    claims.issuer = claims.audience = "ai-micro-service";
    claims.roles = {"user"};
    claims.issued = {now.micros / 1'000'000 * 1'000'000};
    claims.expires = claims.issued + std::chrono::minutes(15);
    return claims;
  }
  int status_with(const std::string& token) {
    return system().ask("user-service", "GET", "/api/profile", {{"Authorization", "Bearer " + token}}).status;
  }
};

TEST_F(Auth, SomebodyRegistersLogsInRefreshesAndLogsOut) {
  Visitor who = somebody();
  EXPECT_EQ(profile(who).status, 200);

  const Answer refreshed = refresh(who.cookie);
  const std::string old_cookie = who.cookie;
  take(who, refreshed);
  EXPECT_NE(who.cookie, old_cookie);
  EXPECT_EQ(profile(who).status, 200);

  const Answer out = auth("/auth/logout", "", {{"Cookie", who.cookie}});
  EXPECT_EQ(out.status, 204);
  EXPECT_THAT(out.header("Set-Cookie"), HasSubstr("Max-Age=0"));
  EXPECT_EQ(refresh(who.cookie).status, 401);
}

TEST_F(Auth, TheRefreshTokenIsACookieThatNoScriptAndNoOtherSiteCanUse) {
  const Visitor who = somebody();
  const Answer answer = log_in(who.email, who.password);
  EXPECT_THAT(answer.header("Set-Cookie"), AllOf(HasSubstr("HttpOnly"), HasSubstr("SameSite=Strict"),
                                                 HasSubstr("Secure"), HasSubstr("Path=/auth")));
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_THAT(answer.body, Not(HasSubstr(cookie_of(answer).substr(17))));
}

TEST_F(Auth, AWrongPasswordAndAnUnknownAddressGetTheSameAnswer) {
  const Visitor who = somebody();
  const Answer wrong = log_in(who.email, "another long phrase");
  const Answer unknown = log_in("nobody-at-all@example.com", "another long phrase");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(field_of(wrong.body, "detail"), field_of(unknown.body, "detail"));
}

TEST_F(Auth, AnAddressIsTheSameInCapitals) {
  const Visitor who = somebody();
  std::string capitals = who.email;
  for (char& c : capitals) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(log_in(capitals, who.password).status, 200);
  EXPECT_EQ(auth("/auth/register", json_of({{"email", capitals}, {"password", kPassword}})).status, 409);
}

TEST_F(Auth, WhatCannotBeRegisteredIsSaid) {
  const auto status_of = [&](const std::string& email, const std::string& password) {
    return auth("/auth/register", json_of({{"email", email}, {"password", password}})).status;
  };
  EXPECT_EQ(status_of("not an address", kPassword), 422);
  EXPECT_EQ(status_of("a@b@c", kPassword), 422);
  EXPECT_EQ(status_of("short@example.com", "ninechars"), 422);
  EXPECT_EQ(status_of("same@example.com", "same@example.com"), 422);
  EXPECT_EQ(status_of("one@example.com", "aaaaaaaaaaaa"), 422);
  EXPECT_EQ(status_of("long@example.com", std::string(257, 'x') + "y"), 422);
  EXPECT_EQ(auth("/auth/register", "{").status, 400);
  EXPECT_EQ(auth("/auth/register", R"({"email":"a@b","password":"x","roles":"admin"})").status, 400);
  EXPECT_EQ(auth("/auth/login", R"({"email":["a"],"password":"x"})").status, 400);
}

TEST_F(Auth, ARefreshTokenUsedTwiceEndsTheSessionOfWhoeverHasTheNewerOne) {
  Visitor who = somebody();
  const std::string stolen = who.cookie;
  take(who, refresh(who.cookie));
  EXPECT_EQ(refresh(stolen).status, 401);
  EXPECT_EQ(refresh(who.cookie).status, 401);
  EXPECT_THAT(system().logs("auth-service"), AllOf(HasSubstr("used a second time"), HasSubstr(who.id)));
  // The account itself is not locked.
  EXPECT_EQ(log_in(who.email, who.password).status, 200);
}

TEST_F(Auth, TwoPagesThatWakeUpTogetherAreNotTakenForThieves) {
  system().restart("auth-service", {"--token.reuse_grace", "60s"});
  Visitor who = somebody();
  const std::string old_cookie = who.cookie;
  take(who, refresh(who.cookie));
  const Answer second = refresh(old_cookie);
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(second.header("Set-Cookie"), "");
  EXPECT_EQ(refresh(who.cookie).status, 200);
  system().restart("auth-service");
}

TEST_F(Auth, TokensOfOneSessionDoNotEndAnother) {
  Visitor phone = somebody();
  Visitor laptop = phone;
  take(laptop, log_in(phone.email, phone.password));
  EXPECT_EQ(auth("/auth/logout", "", {{"Cookie", phone.cookie}}).status, 204);
  EXPECT_EQ(refresh(phone.cookie).status, 401);
  EXPECT_EQ(refresh(laptop.cookie).status, 200);
}

TEST_F(Auth, MadeUpRefreshTokensAreRefused) {
  EXPECT_EQ(refresh("").status, 401);
  EXPECT_EQ(refresh("ai_micro_refresh=").status, 401);
  EXPECT_EQ(refresh("ai_micro_refresh=AAAA").status, 401);
  EXPECT_EQ(refresh("ai_micro_refresh=" + std::string(5000, 'A')).status, 401);
  EXPECT_EQ(refresh("xai_micro_refresh=AAAA; other=1").status, 401);
}

TEST_F(Auth, AfterTenFailuresAnAccountWaitsAndOthersDoNot) {
  const Visitor victim = somebody();
  const Visitor other = somebody();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(log_in(victim.email, "a wrong long phrase").status, 401);
  const Answer waits = log_in(victim.email, victim.password);
  EXPECT_EQ(waits.status, 429);
  EXPECT_GT(std::stoi(waits.header("Retry-After")), 0);
  EXPECT_EQ(log_in(other.email, other.password).status, 200);
}

TEST_F(Auth, ALogInThatSucceedsForgetsTheFailuresBefore) {
  const Visitor who = somebody();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 9; ++i) EXPECT_EQ(log_in(who.email, "a wrong long phrase").status, 401);
    EXPECT_EQ(log_in(who.email, who.password).status, 200);
  }
}

TEST_F(Auth, AnAddressThatTriesTooOftenWaitsWhateverTheAccount) {
  system().restart("auth-service", {"--limit.address", "3", "--behind_proxy"});
  const auto try_from = [&](const std::string& address, int n) {
    return auth("/auth/login",
                json_of({{"email", fmt::format("x{}@example.com", n)}, {"password", "some wrong one"}}),
                {{"X-Forwarded-For", "198.51.100.7, " + address}})
        .status;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(try_from("203.0.113.9", i), 401);
  EXPECT_EQ(try_from("203.0.113.9", 4), 429);
  EXPECT_EQ(try_from("203.0.113.10", 5), 401);
  system().restart("auth-service");
}

TEST_F(Auth, ForeignPagesMayNotSignAnybodyIn) {
  const Visitor who = somebody();
  const std::string body = json_of({{"email", who.email}, {"password", who.password}});
  EXPECT_EQ(auth("/auth/login", body, {{"Origin", "http://evil.example"}}).status, 403);
  EXPECT_EQ(auth("/auth/refresh", "", {{"Origin", "null"}, {"Cookie", who.cookie}}).status, 403);
  const std::string front = fmt::format("http://localhost:{}", system().port("front-user"));
  const Answer allowed = auth("/auth/login", body, {{"Origin", front}});
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.header("Access-Control-Allow-Origin"), front);
  EXPECT_EQ(allowed.header("Access-Control-Allow-Credentials"), "true");
}

TEST_F(Auth, ADisabledAccountNeitherLogsInNorRefreshes) {
  const Visitor who = somebody();
  system().postgres().sql("UPDATE users SET state = 'disabled' WHERE email = '" + who.email + "'", "authdb");
  EXPECT_EQ(log_in(who.email, who.password).status, 401);
  EXPECT_EQ(refresh(who.cookie).status, 401);
}

TEST_F(Auth, APasswordHashedAtAnotherCostIsHashedAnew) {
  const Visitor who = somebody();
  const std::string question = "SELECT password_hash FROM users WHERE email = '" + who.email + "'";
  EXPECT_THAT(system().postgres().value(question, "authdb"), HasSubstr("m=8192,t=1"));
  system().restart("auth-service", {"--password.passes", "2"});
  EXPECT_EQ(log_in(who.email, who.password).status, 200);
  EXPECT_THAT(system().postgres().value(question, "authdb"), HasSubstr("m=8192,t=2"));
  system().restart("auth-service");
}

TEST_F(Auth, TokensThatAreNotOursAreRefused) {
  const Visitor who = somebody();
  const auto key = private_key();
  EXPECT_EQ(status_with(*key->sign(good_claims(who))), 200);

  const auto other = *TokenKey::ed25519_pem(TokenKey::generate_ed25519()->private_key);
  EXPECT_EQ(status_with(*other->sign(good_claims(who))), 401);
  // The public key as the secret of another algorithm: the classic confusion.
  const auto confused = *TokenKey::shared_secret(system().public_pem());
  EXPECT_EQ(status_with(*confused->sign(good_claims(who))), 401);
  // "none", with the claims of a good token.
  const std::string payload =
      who.token.substr(who.token.find('.'), who.token.rfind('.') - who.token.find('.') + 1);
  EXPECT_EQ(status_with("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0" + payload), 401);
  EXPECT_EQ(status_with(who.token + "A"), 401);
  EXPECT_EQ(status_with(""), 401);
}

TEST_F(Auth, TokensThatAreOverOrForSomebodyElseAreRefused) {
  const Visitor who = somebody();
  const auto key = private_key();
  Claims expired = good_claims(who);
  expired.issued = expired.issued + -std::chrono::hours(1);
  expired.expires = expired.issued + std::chrono::minutes(15);
  EXPECT_EQ(status_with(*key->sign(expired)), 401);
  Claims elsewhere = good_claims(who);
  elsewhere.audience = "another-service";
  EXPECT_EQ(status_with(*key->sign(elsewhere)), 401);
  Claims foreign = good_claims(who);
  foreign.issuer = "another-service";
  EXPECT_EQ(status_with(*key->sign(foreign)), 401);
}

TEST_F(Auth, ARefusedTokenIsToldHowToDoBetter) {
  const Answer answer = system().ask("user-service", "GET", "/api/profile");
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(answer.header("WWW-Authenticate"), HasSubstr("Bearer"));
  EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
}

TEST_F(Auth, ThePublicKeyIsPublishedAsAWebKeyAndAsAFile) {
  const Answer jwks = system().ask("auth-service", "GET", "/.well-known/jwks.json");
  EXPECT_EQ(jwks.status, 200);
  EXPECT_THAT(jwks.body, AllOf(HasSubstr("Ed25519"), HasSubstr("EdDSA"), Not(HasSubstr("\"d\""))));
  EXPECT_THAT(system().public_pem(), HasSubstr("BEGIN PUBLIC KEY"));
  EXPECT_EQ(system().fs().info(system().private_key())->mode & 0077, 0U);
}

TEST_F(Auth, NothingSecretIsLoggedOrKeptInClear) {
  Visitor who = somebody();
  EXPECT_EQ(log_in(who.email, "a secret that is wrong").status, 401);
  take(who, refresh(who.cookie));
  EXPECT_EQ(profile(who).status, 200);
  const std::string logged = system().everything_logged();
  for (const std::string& secret : {std::string(kPassword), std::string("a secret that is wrong"), who.token,
                                    who.cookie.substr(17), std::string(kRedisPassword)})
    EXPECT_THAT(logged, Not(HasSubstr(secret)));
  const std::string hash = system().postgres().value(
      "SELECT password_hash FROM users WHERE email = '" + who.email + "'", "authdb");
  EXPECT_THAT(hash, AllOf(HasSubstr("$argon2id$"), Not(HasSubstr(kPassword))));
}

}  // namespace
}  // namespace aimicro
