// What becomes of a manual's commands, and of the plan that they make.

#include "run/import.h"

#include <gmock/gmock.h>

#include "os/files.h"
#include "run/check.h"
#include "run/plan_yaml.h"

namespace daruma::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Draft> imported(const std::string& text) { return import_manual(text, "manual.md", {}).drafts; }

// "service.restart {"service":"web"}" for each step of the commands of one block.
std::vector<std::string> steps_of(const std::string& commands, const std::string& language = "bash") {
  std::vector<std::string> out;
  const auto drafts = imported("# Web\n```" + language + "\n" + commands + "```\n");
  for (const Draft& draft : drafts)
    for (const Step& step : draft.plan.steps)
      out.push_back(step.action.type + (step.action.with.empty() ? "" : " " + to_json(step.action.with)));
  return out;
}

TEST(ImportedCommand, OfARuntimeIsAStepOnItsService) {
  EXPECT_THAT(
      steps_of("docker ps | grep web\ndocker logs web --tail 50\nsudo systemctl restart web\npm2 reload web\n"
               "pm2 scale web 2\n"),
      ElementsAre("service.status {\"service\":\"web\"}", "service.logs {\"lines\":50,\"service\":\"web\"}",
                  "service.restart {\"service\":\"web\"}", "service.reload {\"service\":\"web\"}",
                  "service.scale {\"instances\":2,\"service\":\"web\"}"));
}

TEST(ImportedCommand, OfComposeIsOnTheFolderItIsIn) {
  EXPECT_THAT(steps_of("cd /srv/web\ndocker compose restart\ncd -\n"),
              ElementsAre("service.restart {\"service\":\"web\"}"));
  EXPECT_THAT(steps_of("cd /srv/web && docker compose down\ndocker compose up -d\n"),
              ElementsAre("service.recreate {\"service\":\"web\"}"));
  EXPECT_THAT(steps_of("docker compose -f /srv/redis/docker-compose.yml restart\n"),
              ElementsAre("service.restart {\"service\":\"redis\"}"));
}

TEST(ImportedCommand, InALoopIsDoneForEveryItem) {
  EXPECT_THAT(steps_of("for s in one two; do\n  cd /srv/$s\n  docker compose down\ndone\n"),
              ElementsAre("service.stop {\"services\":[\"one\",\"two\"]}"));
  EXPECT_THAT(steps_of("for port in 1 2; do\n  curl -f \"http://h:$port/health\" && echo fine\ndone\n"),
              ElementsAre("http.check {\"url\":\"http://h:1/health\"}",
                          "http.check {\"url\":\"http://h:2/health\"}"));
}

TEST(ImportedCommand, OfHttpIsACheckARequestOrAMeasurement) {
  EXPECT_THAT(
      steps_of("curl -I http://h/ | head -1\nab -n 50 -c 5 http://h/?a=1&b=2\n"
               "curl -X POST http://h/b \\\n  -H \"Authorization: Bearer $TOKEN\" -d '{\"a\":1}'\n"
               "if curl -f http://h/ok > /dev/null 2>&1; then\n  echo good\nfi\n"),
      ElementsAre(
          "http.check {\"method\":\"HEAD\",\"url\":\"http://h/\"}",
          "http.measure {\"at_once\":5,\"requests\":50,\"url\":\"http://h/?a=1&b=2\"}",
          "http.request {\"body\":\"{\\\"a\\\":1}\",\"headers\":{\"Authorization\":{\"env\":\"TOKEN\","
          "\"prefix\":\"Bearer \"}},\"method\":\"POST\",\"url\":\"http://h/b\"}",
          "http.check {\"url\":\"http://h/ok\"}"));
}

TEST(ImportedCommand, OfADatabaseAsksTheDatabase) {
  EXPECT_THAT(steps_of("docker exec db psql -U postgres -d shop -c \"SELECT count(*) FROM users;\"\n"
                       "redis-cli ping\ngunzip -c all.sql.gz | docker exec -i db psql -U postgres\n"
                       "pg_restore -U postgres -d shop_new a.dump\n"),
              ElementsAre("postgres.query {\"database\":\"shop\",\"datastore\":\"db\",\"sql\":\"SELECT "
                          "count(*) FROM users\"}",
                          "redis.ping {\"datastore\":\"redis\"}",
                          "postgres.restore {\"datastore\":\"db\",\"file\":\"all.sql.gz\"}",
                          "postgres.restore_beside "
                          "{\"database\":\"shop_new\",\"datastore\":\"postgres\",\"file\":\"a.dump\"}"));
  EXPECT_THAT(steps_of("-- waiting\nSELECT *\nFROM pg_locks WHERE NOT granted;\n", "sql"),
              ElementsAre("postgres.locks {\"datastore\":\"postgres\"}"));
}

TEST(ImportedCommand, ThatIsAQuestionAsksAndOneThatDestroysIsApproved) {
  const auto drafts = imported("# Web\n```bash\nread -p \"Sure? \" yes\nredis-cli FLUSHALL\n```\n");
  EXPECT_EQ(drafts[0].plan.steps[0].action.type, "approve");
  EXPECT_TRUE(drafts[0].plan.steps[1].approve);
}

TEST(ImportedCommand, ThatSleepsWaitsForWhatWasStarted) {
  EXPECT_THAT(steps_of("docker start web\nsleep 10\n"),
              ElementsAre("service.start {\"service\":\"web\"}", "wait_until {\"service\":\"web\"}"));
}

TEST(ImportedCommand, ThatIsOneProgramIsAnArgumentListAndNothingGoesThroughAShell) {
  EXPECT_THAT(steps_of("git clone 'https://h/a b' /opt/a\n"),
              ElementsAre("exec {\"command\":[\"git\",\"clone\",\"https://h/a b\",\"/opt/a\"]}"));
  EXPECT_THAT(steps_of("tar -xzf *.gz\n"), ElementsAre("manual {\"task\":\"tar -xzf *.gz\"}"));
  EXPECT_THAT(steps_of("ps aux | grep node\n"), ElementsAre("manual {\"task\":\"ps aux | grep node\"}"));
  EXPECT_THAT(steps_of("scp $A host:\n"), ElementsAre("manual {\"task\":\"scp $$A host:\"}"));
}

TEST(ImportedCommand, OfAScriptThatTheManualHoldsIsANestedPlan) {
  const auto drafts = imported(
      "# A\n```bash\n#!/bin/bash\n# restore-all.sh\nredis-cli ping\n```\n"
      "# B\n```bash\n/opt/scripts/restore-all.sh x\n```\n");
  EXPECT_EQ(drafts[0].plan.name, "restore-all");
  EXPECT_EQ(to_json(drafts[1].plan.steps[0].action.with), "{\"plan\":\"restore-all\"}");
}

TEST(ImportedCommand, ThatIsNotUnderstoodIsATaskWithItsReason) {
  const auto drafts = imported("# Web\n```bash\nls /a\nls -t /b | head -1\n# look around\n```\n");
  ASSERT_EQ(drafts[0].untyped.size(), 2u);
  EXPECT_EQ(drafts[0].untyped[0].line, 4);
  EXPECT_EQ(drafts[0].untyped[0].why.en, "it needs a shell: pipes or redirections");
  EXPECT_EQ(drafts[0].untyped[1].line, 5);
  EXPECT_EQ(drafts[0].untyped[1].why.en, "it is only described");
}

constexpr const char* kManual = R"(# 手順書

**バージョン**: 1.0
**最終更新**: 2025-09-30

### Level 2: データベース障害

#### シナリオ: Web がダウン

**影響範囲**:

- 新規ログインができない
- 更新できない

**検知方法**:

- Prometheusアラート: `WebDown`
- ユーザーからの報告

**予防措置**:

- 自動再起動

```bash
# 1. 状態確認
docker ps | grep web

# 2. 再起動
docker restart web

# 3. ヘルスチェック
curl -f http://localhost:8002/health

# 4. 再起動で解決しない場合
docker stop web
docker logs web -f
```
)";

TEST(Import, MakesAPlanOfASectionWithWhatIsSaidAboutIt) {
  const auto drafts = imported(kManual);
  ASSERT_EQ(drafts.size(), 1u);
  const Plan& plan = drafts[0].plan;
  EXPECT_EQ(plan.name, "web");
  EXPECT_EQ(plan.title.ja, "シナリオ: Web がダウン");
  EXPECT_EQ(plan.level, 2u);
  EXPECT_EQ(plan.head.version, "1.0");
  EXPECT_EQ(plan.head.status, "draft");
  EXPECT_EQ(plan.impact.ja, "新規ログインができない、更新できない");
  EXPECT_EQ(plan.detect[0].alert, "WebDown");
  EXPECT_EQ(plan.detect[1].words.ja, "ユーザーからの報告");
  EXPECT_EQ(plan.prevent[0].ja, "自動再起動");
  EXPECT_EQ(plan.steps[1].title.ja, "再起動");
  EXPECT_EQ(plan.steps[1].needs, std::vector<std::string>{plan.steps[0].id});
}

TEST(Import, IfThatDoesNotHelpIsACondition) {
  const Plan plan = imported(kManual)[0].plan;
  EXPECT_EQ(plan.steps[2].on_failure, OnFailure::kContinue);
  EXPECT_EQ(plan.steps[3].action.type, "service.stop");
  EXPECT_EQ(plan.steps[3].when->text(), "steps.http-check.failed");
}

TEST(Import, TheDraftIsAFileWithLinesAndDangers) {
  const Import import = import_manual(kManual, "manual.md", {});
  const std::string text = draft_text(import.drafts[0], import.dangers);
  EXPECT_THAT(text, HasSubstr("  # 行 29\n  service-restart-web:\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "  # 危険： 終わらないコマンドです。行数と時間に上限を付けてください\n  service-logs-web:\n"));
  const auto plan = parse_plan(text, "draft.yaml");
  ASSERT_TRUE(plan.ok()) << plan.error().what;
  EXPECT_EQ(plan->steps.size(), import.drafts[0].plan.steps.size());
}

TEST(Import, AManualWithoutCommandsMakesNoPlan) {
  EXPECT_TRUE(imported("# A\n- 前提条件:\n- one\n").empty());
  EXPECT_TRUE(imported("").empty());
}

TEST(Import, NothingAManualHoldsBreaksIt) {
  for (const char* text :
       {"```bash\n", "```bash\nfor x in\n```", "```bash\nif\ndone\nfi\n```", "```bash\n\"\n```",
        "```bash\n$(\n```", "```bash\n| | &&\n```", "```bash\ncat <<EOF\n", "](", "#", "```sql\nSELECT", "- ",
        "**:", "```bash\ncd\ncd -\ndocker\ndocker exec\nsudo\npsql\ncurl\nread\npm2\nredis-cli\n```"})
    for (const Draft& draft : imported(text)) {
      const auto plan = parse_plan(draft_text(draft, {}), "d.yaml");
      EXPECT_TRUE(plan.ok()) << text << plan.error().what;
    }
}

TEST(Import, WhatTakesDataAwayIsNoPlainStep) {
  const auto drafts = imported(
      "# s\n```bash\nrm -rf /data\nsudo dd if=/dev/zero of=/dev/sda\ndocker volume prune -f\nls\n```\n");
  ASSERT_EQ(drafts.size(), 1u);
  std::vector<std::string> types;
  for (const Step& step : drafts[0].plan.steps) types.push_back(step.action.type);
  EXPECT_EQ(types,
            (std::vector<std::string>{"exec.destroy", "exec.destroy", "exec.destroy", "exec.observe"}));
}

TEST(Import, BlocksBetweenTildesAreRead) {
  const auto drafts = imported("# s\n~~~bash\nls\n```\nls -l\n~~~\n");
  ASSERT_EQ(drafts.size(), 1u);
  EXPECT_EQ(drafts[0].plan.steps.front().action.type, "exec.observe");
}

TEST(Import, BlocksThatAreNotReadAreTold) {
  const Import import = import_manual(
      "# s\ntext\n\n    rm -rf /x\n    ls\n\n- item\n\n    of the item\n\nText\n    goes on\n```\nls\n```\n",
      "m.md", {});
  std::vector<int> lines;
  for (const ManualLine& line : import.unread) lines.push_back(line.line);
  EXPECT_EQ(lines, (std::vector<int>{4, 14}));
}

TEST(Import, EveryDraftOfTheTwoManualsIsAPlan) {
  const std::unique_ptr<FileSystem> fs = real_file_system();
  size_t drafts = 0;
  for (const char* name : {"000_0c1abe649022d863.txt", "002_17f6cb5f747bcc21.txt"})
    for (const char* folder : {"../shared/seeds", "../../shared/seeds"}) {
      const auto bytes = read_file(*fs, Path(DARUMA_SOURCE_DIR) / folder / name, 1 << 20);
      if (!bytes.ok()) continue;
      const Import import = import_manual(std::string(as_text(*bytes)), name, {});
      for (const Draft& draft : import.drafts) {
        const auto plan = parse_plan(draft_text(draft, import.dangers), "d.yaml");
        EXPECT_TRUE(plan.ok()) << plan.error().what;
        ++drafts;
      }
    }
  if (drafts == 0) GTEST_SKIP() << "the manuals are not at hand";
  EXPECT_EQ(drafts, 17u);
}

TEST(PlanYaml, IsReadBackAsTheSamePlan) {
  const auto plan = parse_plan(R"(plan: p
title: {ja: "計画: #1", en: "A \"plan\""}
head: {version: "1.0", updated: 2026-01-02, review_due: 2027-01-02, status: final}
scheme: backend
level: 2
impact: {en: "all: of it"}
detect: [AuthServiceDown, {probe: web}, {ja: 報告}]
prevent: [{ja: 予防}]
preconditions: [{do: look, with: {service: $s}}]
contacts: [ops]
params: {s: {type: choice, choices: [a, "true"], default: a, help: {en: which}},
         n: {type: integer, default: 3}}
steps:
  a: {do: look, with: {x: [1, 0.5, true, null, "true", "12", {deep: "${s}: y"}], empty: [], none: {}}}
  b: {do: look, needs: [a], when: "steps.a.failed and s == 'x'",
      retry: {for: 90m, times: 3, every: 250ms, most: 1h},
      timeout: 2m, on_failure: undo, raise: other, undo: {do: look, with: {f: $steps.a.f}},
      approve: {question: {en: "Sure?"}, count: 2, groups: [dba]}}
finish: {notify: [ops], report: false}
)",
                               "p.yaml");
  ASSERT_TRUE(plan.ok()) << plan.error().what;
  const auto again = parse_plan(to_yaml(*plan), "again.yaml");
  ASSERT_TRUE(again.ok()) << again.error().what << "\n" << to_yaml(*plan);
  const auto json = [](const Plan& each) {
    FrozenPlan frozen;
    frozen.plan = each;
    return to_json(to_value(frozen));
  };
  EXPECT_EQ(json(*again), json(*plan));
}

}  // namespace
}  // namespace daruma::run
