// report/sample_facts_testing.h: an incident that ended well, and one of which little is known.
#pragma once

#include "report/report.h"

namespace daruma::report {

inline Instant at(const char* time) { return *parse_rfc3339(std::string("2026-11-22T") + time + "Z"); }

inline IncidentFacts sample_facts() {
  IncidentFacts facts;
  facts.written = at("10:55:00");
  facts.zone = {"JST", 9h};
  facts.incident = {"PostgreSQL のデータ破損", "PostgreSQL data corruption"};
  facts.level = {"レベル2（microservices）— 一部機能が利用できません",
                 "Level 2 (microservices): some functions are unavailable"};
  facts.scope = {"ログインと利用者情報", "log-in and user profiles"};
  facts.run = "2026-11-22-postgres-corruption-1";
  facts.plan = "postgres-corruption";
  facts.plan_hash = std::string(64, 'a');
  facts.target = "production";
  facts.started_by = "sato";
  facts.recovered = true;
  facts.outage_start = Fact<Instant>::known(at("10:42:00"));
  facts.detected = Fact<Instant>::known(at("10:42:07"));
  facts.recovery_started = Fact<Instant>::known(at("10:43:00"));
  facts.recovery_completed = Fact<Instant>::known(at("10:52:50"));
  facts.rto = 4h;
  facts.data_loss = Fact<DataLoss>::known({2500ms, 0, at("10:41:57.5")});
  facts.rpo = 6h;
  facts.actions = {{{"認証サービスを停止しました", "Stopped auth-service"}},
                   {{"users-db を復元しました", "Restored users-db"}, Fact<Instant>::known(at("10:41:57.5"))},
                   {{"データ整合性を確認しました", "Verified data integrity"}},
                   {{"全サービスが稼働しています", "All services operational"}}};
  facts.lessons = {"A checksum failure was in the log for 20 minutes before anybody saw it"};
  facts.action_items = {{"Watch the checksum failures", "infra", "2026-12-01"}};
  facts.steps = {{"evidence",
                  "capture",
                  {"証拠を保全", "keep evidence"},
                  StepOutcome::kSucceeded,
                  at("10:43:00"),
                  1200ms},
                 {"stop", "service.stop", {}, StepOutcome::kSucceeded, at("10:43:02"), 300ms},
                 {"restore",
                  "postgres.restore",
                  {"復元", "restore"},
                  StepOutcome::kSucceeded,
                  at("10:43:10"),
                  8min,
                  2,
                  "first try: connection refused"},
                 {"recreate", "service.recreate", {}, StepOutcome::kSkipped, {}, {}, 0}};
  facts.approvals = {{"restore", "suzuki", at("10:43:08"), true, false, "checked the point"}};
  facts.evidence = {{"evidence/postgres.log", 48213, std::string(64, 'b')},
                    {"evidence/inspect.json", 5120, std::string(64, 'c')}};
  facts.checks = {
      {"SELECT count(*) FROM users", true, "1250"}, {"auth-service", true, "200"}, {"redis", true, "PONG"}};
  facts.journal = Fact<JournalHead>::known({42, {}});
  return facts;
}

inline IncidentFacts unknown_facts() {
  IncidentFacts facts;
  facts.written = at("10:55:00");
  facts.incident = {"システム全体障害", "Full system failure"};
  facts.run = "2026-11-22-full-system-1";
  facts.plan = "full-system";
  facts.target = "staging";
  facts.open = {"復元が途中で止まりました", "the restore stopped half-way"};
  facts.recovery_started = Fact<Instant>::known(at("10:43:00"));
  facts.recovery_completed =
      Fact<Instant>::unknown({"復旧が完了していません", "the recovery is not complete"});
  facts.data_loss = Fact<DataLoss>::unknown({"まだ復元していません", "nothing was restored yet"});
  facts.actions = {
      {{"復元を始めました", "Started the restore"},
       Fact<Instant>::unknown({"ステップが先に終わりました", "the step ended before it said so"})}};
  facts.steps = {
      {"restore", "postgres.restore", {}, StepOutcome::kFailed, at("10:43:10"), 90s, 1, "exit code 1"},
      {"start", "service.start", {}, StepOutcome::kNotReached, {}, {}, 0}};
  facts.journal = Fact<JournalHead>::unknown({"リポジトリに届きません", "the repository cannot be reached"});
  return facts;
}

}  // namespace daruma::report
