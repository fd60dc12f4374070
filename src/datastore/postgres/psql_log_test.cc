// Each of psql's complaints is judged, whatever language the server speaks.
#include "datastore/postgres/psql_log.h"

#include <gmock/gmock.h>

namespace daruma::postgres {
namespace {

TEST(PsqlLog, AnErrorTellsItsLineStateAndMessage) {
  const auto complaint = parse_complaint(R"(psql:<stdin>:14: ERROR:  42710: role "postgres" already exists)");
  ASSERT_TRUE(complaint);
  EXPECT_EQ(to_text(*complaint), R"(line 14: 42710: role "postgres" already exists)");
}

TEST(PsqlLog, AServerThatSpeaksJapaneseIsUnderstood) {
  const auto complaint = parse_complaint("psql:<stdin>:7: エラー:  23505: 重複したキー値");
  ASSERT_TRUE(complaint);
  EXPECT_EQ(complaint->sqlstate, "23505");
}

TEST(PsqlLog, NoticesWarningsAndDetailsAreNoComplaints) {
  EXPECT_FALSE(parse_complaint("psql:<stdin>:3: NOTICE:  00000: relation exists, skipping"));
  EXPECT_FALSE(parse_complaint("psql:<stdin>:3: WARNING:  01000: no privileges were granted"));
  EXPECT_FALSE(parse_complaint("LOCATION:  CreateRole, user.c:334"));
}

TEST(PsqlLog, PsqlsOwnTroubleIsNeverAllowed) {
  const auto complaint = parse_complaint("psql:<stdin>:9: error: invalid command \\nonsense");
  ASSERT_TRUE(complaint);
  EXPECT_FALSE(is_allowed(*complaint, {"", "42710", "42710: *"}));
}

TEST(PsqlLog, OnlyTheRoleThatRestoresMayBeThereAlready) {
  const auto allowed = allowed_for("postgres");
  EXPECT_TRUE(is_allowed({"1", "42710", R"(role "postgres" already exists)"}, allowed));
  EXPECT_FALSE(is_allowed({"1", "42710", R"(role "auth" already exists)"}, allowed));
  EXPECT_FALSE(is_allowed({"1", "42710", R"(extension "postgres" already exists)"}, allowed));
  EXPECT_FALSE(is_allowed({"1", "42P04", R"(database "authdb" already exists)"}, allowed));
}

TEST(PsqlLog, AnAllowedMessageMayHaveAStarInIt) {
  EXPECT_TRUE(
      is_allowed({"1", "42710", R"(role "auth" already exists)"}, {R"(42710: role "*" already exists)"}));
  EXPECT_TRUE(is_allowed({"1", "42P04", "anything"}, {"42P04"}));
}

}  // namespace
}  // namespace daruma::postgres
