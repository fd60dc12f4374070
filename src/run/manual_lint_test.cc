// The dangers that are found in manuals: first rule by rule in small excerpts, then in the two manuals that
// this project began with, where they are at hand.

#include "run/manual_lint.h"

#include <gmock/gmock.h>

#include <set>

#include "os/files.h"

namespace daruma::run {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// "3 unbounded": line and rule of each danger, but for the missing date of the review.
std::vector<std::string> dangers(const std::string& text, const LintWorld& world = {}) {
  std::vector<std::string> out;
  for (const Danger& danger : lint_manual(read_manual(text), world))
    if (danger.rule != "no-review")
      out.push_back(std::to_string(danger.line) + " " + std::string(danger.rule));
  return out;
}
// Of commands that a person types, which begin in line 2.
std::vector<std::string> typed(const std::string& commands) {
  return dangers("```bash\n" + commands + "```\n");
}

TEST(ManualLint, CommandsThatNeverEnd) {
  EXPECT_THAT(typed("tail -f app.log\n"), ElementsAre("2 unbounded"));
  EXPECT_THAT(typed("tail -n 20 app.log\n"), IsEmpty());
  EXPECT_THAT(typed("docker logs web -f\ndocker logs web --tail 100\n"), ElementsAre("2 unbounded"));
  EXPECT_THAT(typed("pm2 monit\npm2 logs web --lines 10\npm2 logs web --nostream\n"),
              ElementsAre("2 unbounded", "3 unbounded"));
  EXPECT_THAT(typed("sudo journalctl -u web -f\n"), ElementsAre("2 unbounded"));
  EXPECT_THAT(typed("docker compose -f compose.yaml up -d\n"), IsEmpty()) << "-f names a file here";
}

TEST(ManualLint, SecondsInsteadOfReadiness) { EXPECT_THAT(typed("sleep 10\n"), ElementsAre("2 sleep")); }

TEST(ManualLint, ScriptsThatGoOnAfterErrors) {
  const std::string body = "docker ps\necho \"Recovery Completed\"\n";
  EXPECT_THAT(typed("#!/bin/bash\n" + body), ElementsAre("2 unchecked", "4 false-success"));
  EXPECT_THAT(typed("#!/bin/bash\nset -euo pipefail\n" + body), IsEmpty());
  EXPECT_THAT(typed(body), IsEmpty()) << "commands typed one by one are seen to fail";
}

TEST(ManualLint, QuestionsThatComeTooLate) {
  EXPECT_THAT(typed("docker compose down\nread -p \"Sure? \" answer\n"),
              ElementsAre("3 gate-without-terminal", "3 late-gate"));
  EXPECT_THAT(typed("read -p \"Sure? \" answer\ndocker compose down\n"),
              ElementsAre("2 gate-without-terminal"));
}

TEST(ManualLint, DestructionThatNobodyWasAskedAbout) {
  EXPECT_THAT(typed("redis-cli FLUSHALL\n"), ElementsAre("2 flush-all", "2 no-gate"));
  EXPECT_THAT(typed("rm -rf /srv/data\n"), ElementsAre("2 no-gate", "2 only-copy"));
  EXPECT_THAT(typed("psql -c \"DROP DATABASE shop\"\n"), Contains("2 no-gate"));
  EXPECT_THAT(dangers("```sql\nSELECT pg_terminate_backend(42);\n```\n"), ElementsAre("2 no-gate"));
}

TEST(ManualLint, TheOnlyCopyDeletedBeforeTheSourceIsProven) {
  EXPECT_THAT(typed("read -p x y\ndocker volume rm data\n"),
              ElementsAre("2 gate-without-terminal", "3 only-copy", "3 volume-name"));
  EXPECT_THAT(typed("read -p x y\ngunzip -t all.sql.gz\ndocker volume rm data\n"),
              Not(Contains("4 only-copy")));
}

TEST(ManualLint, AddressesCutByTheShell) {
  EXPECT_THAT(typed("curl http://h/search?a=1&b=2\n"), ElementsAre("2 cut-url"));
  EXPECT_THAT(typed("curl 'http://h/search?a=1&b=2'\nab -n 1 \"http://h/?a=1&b=2\"\n"), IsEmpty());
  EXPECT_THAT(typed("curl http://h/ && echo done\n"), IsEmpty());
}

TEST(ManualLint, PatternsWhereOneFileIsMeant) {
  EXPECT_THAT(typed("tar -xzf /tmp/*/config_*.tar.gz -C /opt\n"), ElementsAre("2 glob"));
  EXPECT_THAT(typed("tar -xzf \"/tmp/config.tar.gz\" -C /opt\nls *.gz\n"), IsEmpty());
}

TEST(ManualLint, TheNewestBackupTakenBlindly) {
  EXPECT_THAT(typed("B=$(ls -t /backups/all_*.gz | head -1)\n"), ElementsAre("2 newest-blindly"));
}

TEST(ManualLint, SqlErrorsThatPass) {
  EXPECT_THAT(typed("psql -d shop -f check.sql\n"), ElementsAre("2 sql-errors"));
  EXPECT_THAT(typed("gunzip -c a.gz | docker exec -i db psql -U postgres\n"), ElementsAre("2 sql-errors"));
  EXPECT_THAT(typed("psql -v ON_ERROR_STOP=1 -d shop -f check.sql\npsql -c 'SELECT 1'\n"), IsEmpty());
}

TEST(ManualLint, ACheckOfAnotherDatabaseThanTheOneRestored) {
  EXPECT_THAT(typed("pg_restore -d shop_new a.dump\npsql -v ON_ERROR_STOP=1 -d shop -f check.sql\n"),
              ElementsAre("3 wrong-database"));
}

TEST(ManualLint, AnRdbCopiedIntoARunningRedis) {
  EXPECT_THAT(typed("docker cp dump.rdb redis:/data/dump.rdb\n"), ElementsAre("2 rdb-while-running"));
  EXPECT_THAT(typed("docker stop redis\ndocker cp dump.rdb redis:/data/dump.rdb\n"), IsEmpty());
}

TEST(ManualLint, AdviceThatTheVersionForbids) {
  EXPECT_THAT(typed("# write recovery.conf, then restart\n"), ElementsAre("2 recovery-conf"));
  EXPECT_THAT(typed("ls /var/lib/postgresql/14/main/pg_wal/\n"), ElementsAre("2 wal-directory"));
  EXPECT_THAT(dangers("```sql\nSELECT 1 FROM pg_stat_activity\nWHERE query != '<IDLE>';\n```\n"),
              ElementsAre("3 idle-filter"));
}

TEST(ManualLint, ArgumentsThatTheCalledScriptNeverReads) {
  const auto manual = [](const std::string& body) {
    return "# A\n```bash\n#!/bin/bash\n# restore-all.sh\nset -e\n" + body +
           "```\n# B\n```bash\n/opt/scripts/restore-all.sh \"$BACKUP\"\n```\n";
  };
  EXPECT_THAT(dangers(manual("ls /backups\n")), ElementsAre("10 script-on-host", "10 ignored-argument"));
  EXPECT_THAT(dangers(manual("ls \"$1\"\n")), ElementsAre("10 script-on-host"));
}

TEST(ManualLint, WhatIsLostWithTheHost) {
  EXPECT_THAT(typed("cat > /tmp/incident_report.md <<EOF\n# Report\nEOF\n"), ElementsAre("2 kept-on-host"));
}

TEST(ManualLint, SecretsAmongArgumentsAndProgramsFromElsewhere) {
  EXPECT_THAT(typed("redis-cli -a \"$PASSWORD\" ping\n"), ElementsAre("2 secret-in-arguments"));
  EXPECT_THAT(typed("curl -L https://h/releases/latest/download/tool -o tool\nsh install.sh\n"),
              ElementsAre("2 unseen-program", "3 unseen-program"));
}

TEST(ManualLint, OneWayToTellPeople) {
  EXPECT_THAT(typed("curl -X POST ${SLACK_WEBHOOK_URL} -d '{}'\n"), ElementsAre("2 one-notifier"));
}

TEST(ManualLint, AClockThatStartsAtTheDetection) {
  EXPECT_THAT(dangers("```markdown\n## Timeline\n- Detection: 10:42\n```\n"), ElementsAre("3 rto-clock"));
  EXPECT_THAT(dangers("```markdown\n## Timeline\n- Outage start: 10:40\n```\n"), IsEmpty());
}

TEST(ManualLint, PapersThatAreOutOfDate) {
  const LintWorld world{.has_file = [](const std::string& target) { return target == "here.md"; },
                        .now = *parse_rfc3339("2026-11-22T00:00:00Z")};
  EXPECT_THAT(dangers("[a](here.md) [b](./gone.md#x) [c](https://h/)\n", world),
              ElementsAre("1 dangling-link"));
  EXPECT_THAT(dangers("次回レビュー予定: 2024-09-20\n", world), ElementsAre("1 review-overdue"));
  EXPECT_THAT(dangers("Next review: 2027-01-01\n", world), IsEmpty());
  EXPECT_THAT(dangers("電話: +81-XX-XXXX-XXXX\n", world), ElementsAre("1 placeholder"));
  const auto found = lint_manual(read_manual("# A\n"), world);
  EXPECT_EQ(found.at(0).rule, "no-review");
}

TEST(ManualLint, EveryRuleIsSaidInBothLanguagesAndOnce) {
  std::set<std::string_view> ids;
  for (const DangerRule& rule : danger_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.ja.empty() || rule.en.empty()) << rule.id;
    EXPECT_EQ(text_of({rule.id, 1, ""}, true), rule.ja);
  }
}

// --- the two manuals

struct Defect {
  const char* rule;
  std::vector<int> lines;
};

// What is known to be wrong in the failure handbook of the LastMinuteStay backend.
const Defect kHandbook[] = {
    {"unbounded", {34, 60, 66, 194}},
    {"cut-url", {173, 185}},
    {"no-gate", {102, 122}},
    {"flush-all", {122}},
    {"idle-filter", {97}},
    {"sql-errors", {153}},
    {"wrong-database", {153}},
    {"wal-directory", {159}},
    {"recovery-conf", {162}},
    {"placeholder", {237, 238}},
    {"review-overdue", {243}},
};

// What is known to be wrong in the disaster-recovery plan of ai-micro-service.
const Defect kRecoveryPlan[] = {
    {"no-review", {1}},
    {"unbounded", {69}},
    {"secret-in-arguments", {76}},
    {"unchecked", {105, 202, 354}},
    {"false-success", {175, 178, 299, 302, 392}},
    {"gate-without-terminal", {139}},
    {"late-gate", {139}},
    {"only-copy", {145}},
    {"volume-name", {130}},
    {"newest-blindly", {134, 228, 371}},
    {"sleep", {151, 170, 241, 245, 265, 268, 274}},
    {"sql-errors", {155, 249}},
    {"script-on-host", {166, 376}},
    {"ignored-argument", {376}},
    {"glob", {235, 249, 253, 259}},
    {"rdb-while-running", {254}},
    {"kept-on-host", {112, 113, 306}},
    {"one-notifier", {178, 302}},
    {"unseen-program", {212, 215}},
    {"rto-clock", {315}},
    {"dangling-link", {560, 561, 562, 563}},
};

std::optional<std::string> seed(const std::string& name) {
  const std::unique_ptr<FileSystem> fs = real_file_system();
  for (const char* folder : {"../shared/seeds", "../../shared/seeds"}) {
    const auto bytes = read_file(*fs, Path(DARUMA_SOURCE_DIR) / folder / name, 1 << 20);
    if (bytes.ok()) return std::string(as_text(*bytes));
  }
  return std::nullopt;
}

void expect_defects(const std::string& name, std::span<const Defect> defects) {
  const auto text = seed(name);
  if (!text) GTEST_SKIP() << "the manual is not at hand";
  const LintWorld world{.has_file = [](const std::string&) { return false; },
                        .now = *parse_rfc3339("2026-11-22T00:00:00Z")};
  const std::vector<Danger> found = lint_manual(read_manual(*text), world);
  for (const Defect& defect : defects) {
    std::vector<int> lines;
    for (const Danger& danger : found)
      if (danger.rule == defect.rule) lines.push_back(danger.line);
    EXPECT_EQ(lines, defect.lines) << defect.rule;
  }
}

TEST(SeedManuals, EveryKnownDefectOfTheFailureHandbookIsFoundInItsLine) {
  expect_defects("000_0c1abe649022d863.txt", kHandbook);
}

TEST(SeedManuals, EveryKnownDefectOfTheRecoveryPlanIsFoundInItsLine) {
  expect_defects("002_17f6cb5f747bcc21.txt", kRecoveryPlan);
}

}  // namespace
}  // namespace daruma::run
