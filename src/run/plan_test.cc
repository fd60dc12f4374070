// What a plan's file means, and how its mistakes are told.

#include "run/plan.h"

#include <gtest/gtest.h>

namespace daruma::run {
namespace {

constexpr const char* kAuthServiceDown = R"(plan: auth-service-down
title: {ja: 認証サービス停止, en: Auth service down}
head: {version: "1.0", updated: 2026-11-22, review_due: 2027-02-22, status: final}
scheme: microservices
level: 1
impact: {ja: 新規ログインとトークン更新ができない, en: "no new log-in, no token refresh"}
detect: [AuthServiceDown, {probe: auth-service}, {ja: ユーザーからの報告, en: report from a user}]
prevent: [{ja: 自動再起動, en: automatic restart}]
preconditions: [{do: service.status, with: {service: $service}}]
contacts: [ops]
params: {service: {type: service, default: auth-service}}
steps:
  evidence: {do: service.logs, with: {service: $service, lines: 100}}
  restart:
    do: service.restart
    with: {service: $service}
    needs: [evidence]
    timeout: 30s
  healthy: {do: http.check, with: {url: "http://127.0.0.1:8002/health", expect: 200}, needs: [restart],
            retry: {for: 30s}, on_failure: continue}
  recreate: {do: service.recreate, with: {service: $service}, when: steps.healthy.failed,
             approve: {question: {ja: 再作成しますか, en: "Recreate it?"}, count: 2, groups: [ops]}}
  postgres: {do: postgres.query, with: {datastore: users-db, sql: "SELECT 1"},
             needs: [restart], raise: database-down}
finish: {notify: [ops], report: incident}
)";

Plan parsed(const std::string& text) {
  auto plan = parse_plan(text, "/plans/p.yaml");
  EXPECT_TRUE(plan.ok()) << plan.error().what;
  return plan.ok() ? *std::move(plan) : Plan{};
}

// The problems of a file, without its name.
std::string wrong(const std::string& text) {
  const auto plan = parse_plan(text, "f");
  if (plan.ok()) return "nothing";
  EXPECT_EQ(plan.error().code, Errc::kInvalid);
  std::string what = plan.error().what;
  for (size_t at = 0; (at = what.find("f:", at)) != std::string::npos;) {
    if (at == 0 || what[at - 1] == '\n')
      what.erase(at, 2);
    else
      ++at;
  }
  return what;
}

// A plan of these steps.
std::string with_steps(const std::string& steps) {
  return "plan: p\ntitle: {ja: 計画, en: plan}\nparams: {service: {}}\nsteps:\n" + steps;
}

TEST(PlanFile, IsReadWhole) {
  const Plan plan = parsed(kAuthServiceDown);
  EXPECT_EQ(plan.name, "auth-service-down");
  EXPECT_EQ(plan.title, (Text{"認証サービス停止", "Auth service down"}));
  EXPECT_EQ(plan.head.review_due, "2027-02-22");
  EXPECT_EQ(plan.level, 1u);
  EXPECT_EQ(plan.detect[0].alert, "AuthServiceDown");
  EXPECT_EQ(plan.detect[1].probe, "auth-service");
  EXPECT_EQ(plan.detect[2].words.en, "report from a user");
  EXPECT_EQ(plan.preconditions[0].type, "service.status");
  EXPECT_EQ(plan.parameters[0].type, ParameterType::kService);
  EXPECT_EQ(plan.parameters[0].standard, Value("auth-service"));
  EXPECT_EQ(plan.finish.notify, std::vector<std::string>{"ops"});
  EXPECT_TRUE(plan.finish.report);
}

TEST(PlanFile, StepsKeepTheirOrderAndTheirLines) {
  const Plan plan = parsed(kAuthServiceDown);
  ASSERT_EQ(plan.steps.size(), 5u);
  EXPECT_EQ(plan.steps[0].id, "evidence");
  EXPECT_EQ(plan.steps[0].line, 13);
  EXPECT_EQ(plan.steps[0].action.with.at("lines"), Value(100));
  EXPECT_EQ(plan.steps[1].line, 14);
  EXPECT_EQ(plan.steps[1].timeout, Duration(30s));
  EXPECT_EQ(plan.steps[2].retry->within, Duration(30s));
  EXPECT_EQ(plan.steps[2].retry->pause, Duration(1s));
  EXPECT_EQ(plan.steps[2].on_failure, OnFailure::kContinue);
  EXPECT_EQ(plan.steps[3].approve->count, 2u);
  EXPECT_EQ(plan.steps[4].raise, "database-down");
}

TEST(PlanFile, AStepWaitsForWhatItRefersTo) {
  const Plan plan = parsed(kAuthServiceDown);
  EXPECT_EQ(plan.steps[3].needs, std::vector<std::string>{"healthy"});
  const Plan other =
      parsed(with_steps("  b: {do: x, with: {deep: [{file: \"${steps.a.file}\"}]}}\n  a: {do: x}\n"));
  EXPECT_EQ(other.steps[0].needs, std::vector<std::string>{"a"});
}

TEST(PlanFile, PlainScalarsAreWhatTheyLookLikeAndQuotedOnesAreText) {
  const Plan plan = parsed(with_steps(
      "  a: {do: x, with: {i: 12, f: 0.5, t: true, n: null, q: \"12\", mode: 0755, big: 99999999999999999999,"
      " ip: 10.0.0.1, minus: -3, long: 0.1234567890123456}}\n"));
  const Value::Map& with = plan.steps[0].action.with;
  EXPECT_EQ(to_json(with),
            "{\"big\":\"99999999999999999999\",\"f\":5E-1,\"i\":12,\"ip\":\"10.0.0.1\",\"long\":\"0."
            "1234567890123456\",\"minus\":-3,\"mode\":\"0755\",\"n\":null,"
            "\"q\":\"12\",\"t\":true}");
}

TEST(PlanFile, AllMistakesAreToldAtOnceWithTheirPlaces) {
  EXPECT_EQ(
      wrong("plan: P\n"
            "titel: {en: x}\n"
            "level: high\n"
            "steps:\n"
            "  a: {do: x, need: [b]}\n"
            "  b: {with: {x: 1}, on_failure: contine}\n"),
      "1:1: the file: 'title' is missing\n"
      "1:7: plan: 'P' is not a name; use 1 to 63 lower-case letters, digits, '-' and '_', a letter or "
      "digit first\n"
      "2:1: unknown setting 'titel' in the file; did you mean 'title'?\n"
      "3:8: level: 'high' is not a count; write a number from 0 to 100000\n"
      "5:14: unknown setting 'need' in steps.a; did you mean 'needs'?\n"
      "6:6: steps.b: 'do' is missing\n"
      "6:33: steps.b.on_failure: 'contine' is not one of: fail, continue, undo; did you mean 'continue'?");
}

TEST(PlanFile, NeedsAndReferencesMustNameSomething) {
  EXPECT_EQ(wrong(with_steps("  backup: {do: x, needs: [bakup]}\n")),
            "5:27: steps.backup: no step is named 'bakup'; did you mean 'backup'?");
  EXPECT_EQ(wrong(with_steps("  a: {do: x, with: {n: $servise}}\n")),
            "5:24: steps.a: no parameter is named 'servise'; did you mean 'service'?");
  EXPECT_EQ(wrong(with_steps("  a: {do: x, when: steps.c.failed}\n")),
            "5:20: steps.a: 'steps.c.failed': no step is named 'c'; allowed: a");
  EXPECT_EQ(wrong(with_steps("  a: {do: x, with: {n: $run.ids}}\n")),
            "5:24: steps.a: a run has no 'ids'; did you mean 'id'?");
  EXPECT_EQ(wrong(with_steps("  a: {do: x, with: {n: $steps.a.file}}\n")),
            "5:24: steps.a: 'steps.a.file': it refers to itself");
  EXPECT_EQ(
      wrong(with_steps("  a: {do: x, with: {n: \"a $service\"}}\n")),
      "5:24: steps.a: text 'a $service': inside a text write '${service}', or '$$service' for a dollar");
}

TEST(PlanFile, AStepWaitsForWhatItsQuestionTells) {
  EXPECT_EQ(wrong(with_steps("  a: {do: x, approve: {question: {en: \"use ${steps.b.file}\"}}}\n")),
            "5:39: steps.a: 'steps.b.file': no step is named 'b'; allowed: a");
  const auto plan = parse_plan(with_steps("  b: {do: x}\n  a: {do: x, approve: {question: {en: \"use "
                                          "${steps.b.file} of ${service}\"}}}\n"),
                               "p.yaml");
  ASSERT_TRUE(plan.ok()) << plan.error().what;
  EXPECT_EQ(plan->steps[1].needs, std::vector<std::string>{"b"});
}

TEST(PlanFile, AnUndoMayUseWhatItsOwnStepReturned) {
  EXPECT_EQ(wrong(with_steps("  a: {do: x, undo: {do: y, with: {file: $steps.a.file}}}\n")), "nothing");
}

TEST(PlanFile, PreconditionsKnowNoSteps) {
  EXPECT_EQ(
      wrong(
          "plan: p\ntitle: {en: x}\npreconditions: [{do: x, with: {a: $steps.s.y}}]\nsteps: {s: {do: x}}\n"),
      "3:35: preconditions: 'steps.s.y': no step has run yet when preconditions are checked");
}

TEST(PlanFile, StepsThatWaitForEachOtherAreFound) {
  EXPECT_EQ(wrong(with_steps("  start: {do: x}\n"
                             "  a: {do: x, needs: [start, c]}\n"
                             "  b: {do: x, needs: [a]}\n"
                             "  c: {do: x, when: steps.b.failed}\n"
                             "  d: {do: x, needs: [c]}\n")),
            "6:6: steps: these wait for each other for ever: a needs c needs b needs a");
  EXPECT_EQ(wrong(with_steps("  a: {do: x, needs: [a]}\n")).substr(0, 33),
            "5:6: steps: these wait for each o");
}

TEST(PlanFile, ANestedPlanIsNamedAndKeepsItsOwnRetries) {
  EXPECT_EQ(wrong(with_steps("  a: {do: plan, with: {service: x}}\n")),
            "5:6: steps.a: 'with: {plan: NAME}' is missing: the plan that it nests, by its name");
  EXPECT_EQ(wrong(with_steps("  a: {do: plan, with: {plan: p}, timeout: 3s, on_failure: continue}\n")),
            "5:43: steps.a: 'timeout' belongs to the steps of the nested plan, not to its nesting\n"
            "5:59: steps.a: a nested plan that fails ends the run; let its own steps say 'continue'");
}

TEST(PlanFile, ARetryEnds) {
  EXPECT_EQ(wrong(with_steps("  a: {do: x, retry: {every: 1s}}\n")),
            "5:21: steps.a.retry: it would never end; set 'for' (how long) or 'times' (how often)");
}

TEST(PlanFile, ConditionsAreReadWithTheFile) {
  EXPECT_EQ(
      wrong(with_steps("  a: {do: x, when: service = 'a'}\n")),
      "5:20: steps.a.when: condition 'service = 'a'', at character 9: '=' does not compare; write '=='");
}

TEST(PlanFile, DefaultsFitTheirTypes) {
  const auto param = [](const std::string& row) {
    return wrong("plan: p\ntitle: {en: x}\nsteps: {s: {do: x}}\nparams:\n  a: " + row + "\n");
  };
  EXPECT_EQ(param("{type: duration, default: 5}"),
            "5:32: params.a: parameter 'a' (duration): 5 is not a duration, as in 90s, 6h or 7d; a text is "
            "written in quotation marks");
  EXPECT_EQ(param("{type: choice}"), "5:6: params.a: 'choices' is missing: the values allowed");
  EXPECT_EQ(param("{type: choice, choices: [newest, oldest], default: newst}"),
            "5:57: params.a: parameter 'a' (choice): 'newst' is no choice; did you mean 'newest'?");
  EXPECT_EQ(param("{default: 3}"),
            "5:16: params.a: parameter 'a' (text): 3 is not text; a text is written in quotation marks");
  EXPECT_EQ(param("{type: time, default: \"2026-11-22T10:42:00Z\"}"), "nothing");
  EXPECT_NE(
      wrong("plan: p\ntitle: {en: x}\nsteps: {s: {do: x}}\nparams: {or: {}}\n").find("cannot be named 'or'"),
      std::string::npos);
}

TEST(PlanFile, DatesAreDates) {
  EXPECT_EQ(wrong("plan: p\ntitle: {en: x}\nsteps: {s: {do: x}}\nhead: {updated: 22.11.2026, review_due: "
                  "2026-02-30}\n"),
            "4:17: head.updated: '22.11.2026' is not a date; write it as in 2026-11-22\n"
            "4:41: head.review_due: '2026-02-30' is not a date; write it as in 2026-11-22");
}

TEST(PlanFile, WhatIsNoPlanIsRefused) {
  EXPECT_EQ(wrong("steps: [").substr(0, 4), "1:1:");
  EXPECT_EQ(wrong("hello"), "1:1: the file: want a mapping, not text");
  EXPECT_EQ(wrong(""), "1:1: the file: want a mapping, not nothing");
  EXPECT_EQ(wrong("plan: p\ntitle: {en: x}\nsteps: {}\n"), "3:8: steps: there is no step");
  EXPECT_EQ(wrong("plan: p\ntitle: {en: x}\nsteps: {s: {do: x}}\n---\nplan: q\n").substr(0, 20),
            "4:1: a second docume");
  EXPECT_EQ(wrong("plan: p\ntitle: &t {en: x}\nimpact: *t\nsteps: {s: {do: x}}\n"),
            "3:9: an alias; write out what it stands for, so that whoever reads this sees it");
  EXPECT_EQ(wrong(std::string(2 << 20, ' ')), "1:1: 2097152 bytes; at most 1048576 are read");
}

}  // namespace
}  // namespace daruma::run
