// The page of `daruma look`: every line fits, commands stay whole, both languages have the same facts.
#include "cli/look_view.h"

#include <gmock/gmock.h>

#include <sstream>

#include "base/table.h"

namespace daruma {
namespace {

using namespace watch;
using testing::HasSubstr;

constexpr Instant kNow{1'800'000'000'000'000};

TEST(WrappedText, IsBrokenAtSpacesAndIndented) {
  EXPECT_EQ(wrapped("one two three", "  ", 10), "  one two\n  three");
  EXPECT_EQ(wrapped("short", "  ", 10), "  short");
  EXPECT_EQ(wrapped("", "  ", 10), "  ");
}

TEST(WrappedText, WithoutSpacesIsBrokenBetweenCharacters) {
  EXPECT_EQ(wrapped("予約台帳", "", 5), "予約\n台帳");
  EXPECT_EQ(wrapped("abcdefgh", " ", 5), " abcd\n efgh");
  EXPECT_EQ(wrapped("予", "    ", 2), "    予");  // narrower than a character: one a line
}

// A service that ended, a database that hangs for its sake, and a run that waits.
class LookPage : public testing::Test {
 protected:
  LookPage() {
    facts.at = kNow;
    ServiceFacts service;
    service.config.name = "auth-service";
    service.status = runtime::ServiceStatus{.state = runtime::State::kFailed,
                                            .since = kNow + -90s,
                                            .restarts = 10,
                                            .detail = "ended with code 1: " + std::string(90, 'x')};
    service.start = {"daruma service start auth-service -c /etc/daruma/a/rather/long/path/to/daruma.yaml"};
    service.errors = {{.count = 120, .dependency = "PostgreSQL", .message = std::string(200, 'm')}};
    facts.services.push_back(service);
    DatastoreFacts datastore;
    datastore.config.name = "users-db";
    datastore.config.service = "auth-service";
    datastore.answers = false;
    datastore.error = "connection refused \x1b[2J";
    facts.datastores.push_back(datastore);
  }
  std::string page(bool japanese = false) { return look_text(plain, facts, judge(facts), japanese); }

  StringOutput plain;
  Facts facts;
};

TEST_F(LookPage, SaysWhatIsDownSinceWhenAndWhatToType) {
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr("2 down  2027-01-15T08:00:00Z"));
  EXPECT_THAT(text, HasSubstr("✗ auth-service          since 07:58:30Z (1 min 30 s)  ← root"));
  EXPECT_THAT(text, HasSubstr("needs auth-service"));
  EXPECT_THAT(text, HasSubstr("120 × auth-service → PostgreSQL: mmm"));
  EXPECT_THAT(text, HasSubstr("      " + facts.services[0].start[0] + "\n"));
}

TEST_F(LookPage, FitsIntoEightyColumnsButForCommands) {
  for (const bool japanese : {false, true}) {
    std::istringstream lines(page(japanese));
    for (std::string line; std::getline(lines, line);)
      EXPECT_TRUE(display_width(line) <= 80 || line.find("daruma service") != std::string::npos) << line;
  }
}

TEST_F(LookPage, NothingSeenElsewhereCanSendCommandsToTheTerminal) {
  EXPECT_EQ(page().find('\x1b'), std::string::npos);
}

TEST_F(LookPage, SaysTheSameOnlyOnce) {
  facts.services[0].status->state = runtime::State::kUnknown;
  facts.services[0].well = false;
  facts.services[0].health_error = facts.datastores[0].error;
  EXPECT_THAT(page(), HasSubstr("      the same\n"));
}

TEST_F(LookPage, SpeaksJapaneseWithTheSameTimes) {
  const std::string text = page(true);
  EXPECT_THAT(text, HasSubstr("停止・応答なし 2 件  2027-01-15T08:00:00Z"));
  EXPECT_THAT(text, HasSubstr("07:58:30Z から（1 min 30 s）"));
  EXPECT_THAT(text, HasSubstr("次の操作"));
}

TEST_F(LookPage, ColoursChangeNoText) {
  const StringOutput terminal({80, true});
  std::string coloured = look_text(terminal, facts, judge(facts), false);
  for (size_t at; (at = coloured.find('\x1b')) != std::string::npos;)
    coloured.erase(at, coloured.find('m', at) - at + 1);
  EXPECT_EQ(coloured, page());
}

TEST_F(LookPage, WhereAllIsWellItIsShort) {
  facts.services[0].status->state = runtime::State::kRunning;
  facts.services[0].errors.clear();
  facts.datastores[0].answers = true;
  EXPECT_EQ(page(), "all is well  2027-01-15T08:00:00Z\n\n  ✓ well: users-db, auth-service\n");
}

TEST_F(LookPage, AsJsonItHasEverythingInBothLanguages) {
  const Value value = look_value(facts, judge(facts));
  EXPECT_EQ(value.text_at("root"), "auth-service");
  EXPECT_FALSE(value.boolean_at("all_well", true));
  EXPECT_EQ(value.find("level")->text_at("scheme"), "backend");
  EXPECT_EQ(value.find("findings")->list()->size(), 2U);
  EXPECT_NE(value.find("findings")->list()->front().find("what")->text_at("ja"), "");
}

}  // namespace
}  // namespace daruma
