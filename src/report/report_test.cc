// An incident report: the template's sections in its order, nothing invented, and the same numbers in both
// languages and both forms.
#include "report/report.h"

#include <gmock/gmock.h>

#include <regex>

#include "report/sample_facts_testing.h"

namespace daruma::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), expression); at != std::sregex_iterator();
       ++at)
    found.push_back(at->size() > 1 ? at->str(1) : at->str());
  return found;
}

std::vector<std::string> headings(const std::string& markdown) {
  return matches(markdown, "(?:^|\n)## ([^\n]*)");
}

// Every number, in order; the page's style is none of the report.
std::vector<std::string> numbers(std::string text) {
  if (const size_t end = text.find("</style>"); end != std::string::npos) text.erase(0, end);
  text = std::regex_replace(text, std::regex("&#?[a-z0-9]+;|</?h[12]>|SHA-256"), " ");
  text = std::regex_replace(text, std::regex("(^|\n)[0-9]+\\. "), " ");  // HTML numbers its lists itself
  return matches(text, "[0-9]+");
}

TEST(IncidentReport, IsNamedByTheDateWhereItIsRead) {
  IncidentFacts facts = sample_facts();
  facts.written = *parse_rfc3339("2026-11-22T20:00:00Z");
  EXPECT_EQ(report_name(facts), "incident_report_20261123");  // nine hours ahead
  facts.zone = {};
  EXPECT_EQ(report_name(facts), "incident_report_20261122");
}

TEST(IncidentReport, HasTheTemplatesSectionsInItsOrderThenOurs) {
  const std::string text = to_markdown(sample_facts(), Language::kEn);
  EXPECT_TRUE(
      text.starts_with("# Disaster Recovery Report\n\n**Date**: 2026-11-22 19:55:00 JST  \n**Incident**: "));
  EXPECT_THAT(headings(text),
              ElementsAre("Timeline", "Actions Taken", "Lessons Learned", "Action Items", "Incident and run",
                          "Steps", "Approvals", "Checks (3 of 3 passed)", "Evidence kept", "Journal"));
  EXPECT_THAT(text, HasSubstr("**Recovery Time**: 10 min 50 s (RTO: 4 h 0 min, met)  \n"));
  EXPECT_THAT(text, HasSubstr("**Data Loss**: 2.5 s (RPO: 6 h 0 min, met); acknowledged transactions lost: 0 "
                              "(last one seen 2026-11-22 19:41:57.500 JST)\n"));
  EXPECT_THAT(text,
              HasSubstr("- Detection: 2026-11-22 19:42:07 JST\n- Recovery Started: 2026-11-22 19:43:00 JST\n"
                        "- Recovery Completed: 2026-11-22 19:52:50 JST\n"));
  EXPECT_THAT(text, HasSubstr("2. Restored users-db (backup of 2026-11-22 19:41:57 JST)\n"));
}

TEST(IncidentReport, SaysTheSameInJapanese) {
  const std::string text = to_markdown(sample_facts(), Language::kJa);
  EXPECT_THAT(headings(text), ElementsAre("タイムライン", "実施した対応", "教訓", "再発防止策", "対象と実行",
                                          "ステップ", "承認", "検証（3/3 合格）", "証拠保全", "実行記録"));
  EXPECT_THAT(text, HasSubstr("**復旧時間**: 10 分 50 秒（RTO: 4 時間 0 分、達成）"));
  EXPECT_THAT(text, HasSubstr("復旧しました（検証 3/3 合格）"));
  EXPECT_THAT(text,
              HasSubstr("失われた確定済み取引：0 件（最後に確認できた取引 2026-11-22 19:41:57.500 JST）"));
}

TEST(IncidentReport, EveryFormCarriesTheSameNumbers) {
  for (const IncidentFacts& facts : {sample_facts(), unknown_facts()}) {
    const auto expected = numbers(to_markdown(facts, Language::kEn));
    EXPECT_EQ(numbers(to_markdown(facts, Language::kJa)), expected);
    EXPECT_EQ(numbers(to_html(facts, Language::kEn)), expected);
    EXPECT_EQ(numbers(to_html(facts, Language::kJa)), expected);
  }
}

TEST(IncidentReport, WhatIsNotKnownSaysWhy) {
  const std::string text = to_markdown(unknown_facts(), Language::kEn);
  EXPECT_THAT(text,
              HasSubstr("**Recovery Time**: unknown, because the recovery is not complete (RTO: none set)"));
  EXPECT_THAT(text, HasSubstr("**Data Loss**: unknown, because nothing was restored yet"));
  EXPECT_THAT(text, HasSubstr("- Detection: unknown, because nothing was recorded\n"));
  EXPECT_THAT(text, HasSubstr("(the backup's date is unknown, because the step ended before it said so)"));
  EXPECT_THAT(to_markdown(unknown_facts(), Language::kJa),
              HasSubstr("**復旧時間**: 不明（理由：復旧が完了していません）"));
}

TEST(IncidentReport, SuccessIsSaidOnlyWhenVerificationPassed) {
  IncidentFacts facts = sample_facts();
  facts.checks[1].passed = false;
  EXPECT_THAT(to_markdown(facts, Language::kEn),
              HasSubstr("\nRecovery is not complete (2 of 3 checks passed)\n"));
  facts.checks.clear();
  EXPECT_THAT(to_markdown(facts, Language::kJa), HasSubstr("\n復旧は未完了です（検証 0/0 合格）\n"));
}

TEST(IncidentReport, AnOutageOfUnknownStartIsAtLeastAsLongAsItWasKnown) {
  IncidentFacts facts = sample_facts();
  facts.outage_start = Fact<Instant>::unknown({"監視がありません", "nothing watched it"});
  EXPECT_THAT(to_markdown(facts, Language::kEn),
              HasSubstr("at least 10 min 43 s from detection (RTO: 4 h 0 min, outage start unknown, because "
                        "nothing watched it)"));
  facts.rto = 5min;
  EXPECT_THAT(to_markdown(facts, Language::kEn), HasSubstr("(RTO: 5 min 0 s, missed)"));
}

TEST(IncidentReport, WhatOnlyPeopleKnowIsAskedFor) {
  EXPECT_THAT(to_markdown(unknown_facts(), Language::kEn),
              HasSubstr("## Lessons Learned\n\nNot filled yet: to be written by the engineer in charge.\n"));
  EXPECT_THAT(to_markdown(sample_facts(), Language::kEn),
              HasSubstr("- Watch the checksum failures (owner: infra, due: 2026-12-01)\n"));
}

TEST(IncidentReport, ForeignTextMakesNoMarkup) {
  IncidentFacts facts = sample_facts();
  facts.incident.en = "<script>alert(1)</script> [x](javascript:y) | # **bold**\n# heading";
  facts.steps[0].note = "a|b `c`";
  const std::string markdown = to_markdown(facts, Language::kEn);
  EXPECT_THAT(
      markdown,
      HasSubstr(
          "\\<script\\>alert(1)\\</script\\> \\[x\\](javascript:y) \\| \\# \\*\\*bold\\*\\* \\# heading"));
  EXPECT_THAT(markdown, HasSubstr("a\\|b \\`c\\`"));
  EXPECT_THAT(to_html(facts, Language::kEn), Not(HasSubstr("<script>")));
}

TEST(IncidentReport, ThePageStandsAlone) {
  const std::string page = to_html(sample_facts(), Language::kJa);
  EXPECT_THAT(page, HasSubstr("<html lang=\"ja\">"));
  for (const char* fetched : {"src=", "href=", "url(", "@import"}) EXPECT_THAT(page, Not(HasSubstr(fetched)));
}

}  // namespace
}  // namespace daruma::report
