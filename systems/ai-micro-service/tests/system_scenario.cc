// The system as a whole: profiles, fronts, what goes on when a part is away, and the commands of the manual.

#include <fmt/format.h>

#include "ai_micro_test.h"
#include "os/files.h"

namespace aimicro {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class WholeSystem : public AiMicroTest {
 protected:
  static std::string profile_json(const std::string& name, const std::string& language = "ja") {
    return json_of({{"displayName", name},
                    {"organisation", "基盤開発部"},
                    {"bio", "こんにちは\nHello"},
                    {"language", language},
                    {"timeZone", "Asia/Tokyo"}});
  }
  Answer put_profile(const Visitor& who, const std::string& body, const daruma::TalkHeaders& headers = {}) {
    return system().ask("user-service", "PUT", "/api/profile", who.with(headers), body);
  }
  std::string count(const std::string& table, const std::string& database) {
    return system().postgres().value("SELECT count(*) FROM " + table, database);
  }
};

TEST_F(WholeSystem, AProfileIsEmptyAtFirstAndKeepsWhatIsPut) {
  const Visitor who = somebody();
  EXPECT_EQ(field_of(profile(who).body, "version"), "0");
  EXPECT_EQ(put_profile(who, profile_json("田中 美咲")).status, 200);
  const Answer shown = profile(who);
  EXPECT_EQ(field_of(shown.body, "displayName"), "田中 美咲");
  EXPECT_EQ(field_of(shown.body, "bio"), "こんにちは\nHello");
  EXPECT_EQ(shown.header("ETag"), "\"1\"");
}

TEST_F(WholeSystem, TwoWhoEditAProfileAtOnceDoNotOverwriteEachOther) {
  const Visitor who = somebody();
  EXPECT_EQ(put_profile(who, profile_json("first"), {{"If-Match", "\"0\""}}).status, 200);
  EXPECT_EQ(put_profile(who, profile_json("late"), {{"If-Match", "\"0\""}}).status, 412);
  EXPECT_EQ(put_profile(who, profile_json("second"), {{"If-Match", "\"1\""}}).status, 200);
  EXPECT_EQ(put_profile(who, profile_json("late"), {{"If-Match", "\"1\""}}).status, 412);
  EXPECT_EQ(field_of(profile(who).body, "displayName"), "second");
  EXPECT_EQ(put_profile(who, profile_json("x"), {{"If-Match", "1"}}).status, 400);
}

TEST_F(WholeSystem, WhatDoesNotFitAProfileIsSaid) {
  const Visitor who = somebody();
  EXPECT_EQ(put_profile(who, profile_json("")).status, 422);
  EXPECT_EQ(put_profile(who, profile_json(std::string(81, 'x'))).status, 422);
  EXPECT_EQ(put_profile(who, profile_json("x", "fr")).status, 422);
  EXPECT_EQ(put_profile(who, "{}").status, 400);
  EXPECT_EQ(put_profile(who, std::string(20'000, ' ')).status, 413);
}

TEST_F(WholeSystem, OnlyAdministratorsReadTheProfilesOfOthers) {
  const Visitor who = somebody();
  EXPECT_EQ(put_profile(who, profile_json("田中 美咲")).status, 200);
  const auto ask = [&](const Visitor& asker) {
    return system().ask("user-service", "GET", "/api/profiles/" + who.id, asker.bearer());
  };
  EXPECT_EQ(ask(who).status, 200);
  EXPECT_EQ(ask(somebody()).status, 403);
  EXPECT_EQ(field_of(ask(an_admin()).body, "displayName"), "田中 美咲");
}

TEST_F(WholeSystem, TheFrontsAnswerTheManualsQuestionAndKeepBrowsersSafe) {
  for (const char* front : {"front-user", "front-admin"}) {
    const Answer head = system().ask(front, "HEAD", "/");
    EXPECT_EQ(head.status, 200);
    const std::string policy = head.header("Content-Security-Policy");
    EXPECT_THAT(policy, AllOf(HasSubstr("default-src 'none'"), HasSubstr("frame-ancestors 'none'"),
                              HasSubstr(fmt::format("http://localhost:{}", system().port("auth-service")))));
    EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
    EXPECT_EQ(head.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(head.header("Referrer-Policy"), "no-referrer");
    const Answer page = system().ask(front, "GET", "/");
    EXPECT_THAT(page.body, Not(HasSubstr("<script>")));
    EXPECT_EQ(system().ask(front, "GET", "/", {{"If-None-Match", page.header("ETag")}}).status, 304);
  }
}

TEST_F(WholeSystem, TheFrontsServeTheirPagesAndNothingElse) {
  for (const char* path :
       {"/app.js", "/frame.js", "/style.css", "/icon.svg", "/config.json", "/health", "/metrics"})
    EXPECT_EQ(system().ask("front-user", "GET", path).status, 200) << path;
  for (const char* path :
       {"/main.cc", "/../main.cc", "/%2e%2e/main.cc", "/docker-compose.yml", "/pages/app.js", "//etc/passwd"})
    EXPECT_THAT(system().ask("front-user", "GET", path).status, testing::AnyOf(400, 404)) << path;
  const Answer wrong = system().ask("front-user", "POST", "/");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("X-Content-Type-Options"), "nosniff") << "what is no page is safe as well";
}

TEST_F(WholeSystem, BrowsersMayAskBeforehandFromTheFrontsAlone) {
  const auto preflight = [&](const std::string& origin) {
    return system().ask("admin-service", "OPTIONS", "/api/documents",
                        {{"Origin", origin}, {"Access-Control-Request-Method", "POST"}});
  };
  const std::string front = fmt::format("http://localhost:{}", system().port("front-admin"));
  EXPECT_EQ(preflight(front).header("Access-Control-Allow-Origin"), front);
  EXPECT_THAT(preflight(front).header("Access-Control-Allow-Methods"), HasSubstr("POST"));
  EXPECT_EQ(preflight("http://evil.example").header("Access-Control-Allow-Origin"), "");
}

TEST_F(WholeSystem, WithAuthStoppedSessionsGoOn) {
  const Visitor who = somebody();
  system().stop("auth-service");
  EXPECT_EQ(put_profile(who, profile_json("still here")).status, 200);
  const std::string id = upload(who, "while auth is away.txt", "x");
  EXPECT_EQ(document(who, id, "/content").status, 200);
  EXPECT_EQ(log_in(who.email, who.password).status, 0);
  system().restart("user-service");
  EXPECT_EQ(profile(who).status, 200);
  system().start("auth-service");
  EXPECT_EQ(refresh(who.cookie).status, 200);
}

TEST_F(WholeSystem, WithRedisAwayNobodyNewComesInAndWhoIsInStays) {
  const Visitor who = somebody();
  system().redis().kill9();
  system().wait_for_health("auth-service", 503);
  EXPECT_EQ(log_in(who.email, who.password).status, 503);
  EXPECT_EQ(refresh(who.cookie).status, 503);
  EXPECT_EQ(auth("/auth/register", json_of({{"email", "late@example.com"}, {"password", kPassword}})).status,
            503);
  EXPECT_EQ(auth("/auth/logout", "", {{"Cookie", who.cookie}}).status, 503);
  EXPECT_EQ(system().ask("auth-service", "GET", "/.well-known/jwks.json").status, 200);
  EXPECT_EQ(profile(who).status, 200);
  system().redis().start();
  // Each worker finds Redis again by itself.
  system().wait_until("Redis is found again", [&] { return log_in(who.email, who.password).status == 200; });
  system().restart("auth-service");  // for the tests that follow: its other worker may still be looking
}

TEST_F(WholeSystem, WithPostgresAwayAllSayCalmlyWhenToTryAgainAndComeBackByThemselves) {
  const Visitor who = somebody();
  system().postgres().stop();
  for (const char* program : {"auth-service", "user-service", "admin-service"})
    system().wait_for_health(program, 503);
  const Answer answer = profile(who);
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.header("Retry-After"), "");
  // More often than an account may fail: an outage of ours uses up nobody's attempts.
  for (int i = 0; i < 12; ++i) EXPECT_EQ(log_in(who.email, who.password).status, 503);
  EXPECT_EQ(system().ask("admin-service", "GET", "/api/documents", who.bearer()).status, 503);
  EXPECT_EQ(system().ask("front-user", "HEAD", "/").status, 200);
  system().postgres().start();
  system().wait_until("PostgreSQL is found again", [&] {
    return profile(who).status == 200 && log_in(who.email, who.password).status == 200 &&
           system().ask("admin-service", "GET", "/api/documents", who.bearer()).status == 200;
  });
  for (const char* program : {"auth-service", "user-service", "admin-service"}) system().restart(program);
}

TEST_F(WholeSystem, AServicesRoleReachesItsOwnDatabaseAlone) {
  const auto as = [&](const char* role, const char* database, const char* question) {
    return system().postgres().tool("psql", {"-U", role, "-d", database, "-qAtc", question}).code;
  };
  EXPECT_EQ(as("user_service", "apidb", "SELECT count(*) FROM profiles"), 0);
  EXPECT_NE(as("user_service", "authdb", "SELECT count(*) FROM users"), 0);
  EXPECT_NE(as("user_service", "apidb", "DELETE FROM schema_migrations"), 0);
  EXPECT_NE(as("user_service", "apidb", "DROP TABLE profiles"), 0);
}

TEST_F(WholeSystem, MigratingAgainChangesNothing) {
  for (const char* program : {"auth-service", "user-service", "admin-service"}) {
    const auto done = system().command(program, {"migrate"});
    EXPECT_EQ(done.code, 0) << done.output;
    EXPECT_THAT(done.output, HasSubstr("up to date"));
  }
}

TEST_F(WholeSystem, AMigrationThatRanMustNotChange) {
  daruma::ScratchDir changed;
  const std::string file = "0001_profiles.sql";
  ASSERT_TRUE(daruma::replace_file(changed.fs(), changed.path() / file, daruma::as_bytes("SELECT 1")).ok());
  const auto refused = system().command("user-service", {"migrate", "--migrations", changed.path().string()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("its file differs now"));
}

TEST_F(WholeSystem, ExampleDataFitsTogetherAndIsAddedOnce) {
  for (int round = 0; round < 2; ++round)
    for (const char* program : {"auth-service", "user-service", "admin-service"}) {
      const auto done = system().command(program, {"seed"});
      EXPECT_EQ(done.code, 0) << done.output;
    }
  EXPECT_EQ(count("users WHERE email = 'grace.okafor@example.com'", "authdb"), "1");
  EXPECT_EQ(count("profiles WHERE display_name = 'Grace Okafor'", "apidb"), "1");
  EXPECT_EQ(count("documents WHERE name = 'onboarding-checklist.md'", "admindb"), "1");
  const std::string id =
      system().postgres().value("SELECT id FROM users WHERE email = 'grace.okafor@example.com'", "authdb");
  EXPECT_EQ(count("profiles WHERE user_id = '" + id + "'", "apidb"), "1");
  EXPECT_EQ(system().command("admin-service", {"check"}).code, 0);
}

TEST_F(WholeSystem, EachServiceTellsItsHealthAndItsFigures) {
  for (const char* program : kPrograms) {
    EXPECT_EQ(system().ask(program, "GET", "/health").status, 200) << program;
    EXPECT_THAT(system().ask(program, "GET", "/metrics").body, HasSubstr("http_requests_total")) << program;
  }
  EXPECT_THAT(system().ask("auth-service", "GET", "/health/detailed").body,
              AllOf(HasSubstr("PostgreSQL"), HasSubstr("Redis")));
}

}  // namespace
}  // namespace aimicro
