// What `daruma plan check` finds, rule by rule, with a small table of step types of its own.

#include "run/check.h"

#include <gmock/gmock.h>

#include "run/parameter.h"
#include "run/step_inputs.h"

namespace daruma::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = InputRow::Kind;

Result<Value> nothing(StepContext&) { return Value(); }

constexpr InputRow kService[] = {{"service", Kind::kService, true, {}, "which"},
                                 {"lines", Kind::kInteger, false, "100", "how many"}};
constexpr InputRow kDatastore[] = {{"datastore", Kind::kDatastore, true, {}, "which"},
                                   {"from", Kind::kText, false, {}, "a file"}};
constexpr InputRow kWait[] = {{"url", Kind::kText, true, {}, "what"},
                              {"pause", Kind::kDuration, false, "1s", "between"}};
constexpr InputRow kExec[] = {{"command", Kind::kList, true, {}, "words"}};
constexpr InputRow kAsk[] = {{"question", Kind::kText, true, {}, "what is asked"}};
constexpr InputRow kNesting[] = {{"plan", Kind::kText, true, {}, "its name"}};
constexpr InputRow kNotify[] = {{"channels", Kind::kList, true, {}, "whom"}};
constexpr std::string_view kFile[] = {"file"};

const StepType kTypes[] = {
    {.name = "service.status", .summary = "", .inputs = kService, .act = nothing},
    {.name = "service.stop", .summary = "", .effect = Effect::kChange, .inputs = kService, .act = nothing},
    {.name = "backup.find", .summary = "", .outputs = kFile, .proves_source = true, .act = nothing},
    {.name = "data.delete",
     .summary = "",
     .effect = Effect::kDestroy,
     .inputs = kDatastore,
     .needs_source = true,
     .act = nothing},
    {.name = "wait", .summary = "", .inputs = kWait, .act = nothing},
    {.name = "exec", .summary = "", .effect = Effect::kChange, .inputs = kExec, .act = nothing},
    {.name = "notify", .summary = "", .inputs = kNotify, .act = nothing},
    {.name = "approve", .summary = "", .inputs = kAsk},
    {.name = "manual", .summary = "", .effect = Effect::kChange},
    {.name = "plan", .summary = "", .inputs = kNesting},
};

class Check : public testing::Test {
 protected:
  Check() {
    config.services.emplace_back().name = "auth-service";
    config.datastores.emplace_back().name = "users-db";
    config.channels.emplace_back().name = "ops";
    world.config = &config;
    world.now = *parse_rfc3339("2026-11-22T12:00:00Z");
    world.has_program = [](const std::string& program) { return program == "ls"; };
    world.find_plan = [this](std::string_view name) -> Result<Plan> {
      const auto found = others.find(std::string(name));
      if (found == others.end())
        return Error{Errc::kNotFound, "no plan is named '" + std::string(name) + "'"};
      return found->second;
    };
  }

  static Plan parsed(const std::string& text) {
    auto plan = parse_plan(text, "p.yaml");
    EXPECT_TRUE(plan.ok()) << plan.error().what;
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  // A plan without a fault, but for what its steps have.
  static std::string plan_of(const std::string& steps, const std::string& name = "p") {
    return "plan: " + name +
           "\ntitle: {ja: 計画, en: plan}\nhead: {version: 1.0, updated: 2026-11-01, review_due: 2027-01-01, "
           "status: final}\nparams: {n: {type: integer, default: 3}, service: {type: service, default: "
           "auth-service}}\nfinish: {notify: [ops]}\nsteps:\n" +
           steps;
  }
  // "steps.a: what" of each finding; warnings in parentheses.
  std::vector<std::string> found(const Plan& plan) {
    std::vector<std::string> out;
    for (const Finding& finding : check_plan(plan, world)) {
      const std::string line = finding.place + ": " + finding.what;
      out.push_back(finding.severity == Severity::kError ? line : "(" + line + ")");
    }
    return out;
  }
  std::vector<std::string> found(const std::string& steps) { return found(parsed(plan_of(steps))); }

  Config config;
  CheckWorld world{.types = kTypes};
  std::map<std::string, Plan> others;
};

constexpr const char* kAsked = "approve: {question: {ja: 消しますか, en: Delete it}}";

TEST_F(Check, APlanWithoutFaultHasNoFindings) {
  EXPECT_THAT(found("  look: {do: service.status, with: {service: $service, lines: $n}}\n"
                    "  find: {do: backup.find, needs: [look]}\n"
                    "  delete: {do: data.delete, with: {datastore: users-db, from: $steps.find.file}, " +
                    std::string(kAsked) + "}\n"),
              IsEmpty());
}

TEST_F(Check, UnknownTypesAreAnsweredWithTheNearest) {
  EXPECT_THAT(found("  a: {do: service.statsu, with: {service: $service}}\n"),
              ElementsAre("steps.a: no step type is named 'service.statsu'; did you mean 'service.status'?"));
  EXPECT_THAT(
      found("  a: {do: service.explode}\n"),
      ElementsAre("steps.a: no step type is named 'service.explode'; allowed: service.status, service.stop"));
  EXPECT_THAT(found("  a: {do: zzz}\n"),
              ElementsAre("steps.a: no step type is named 'zzz'; docs/steps.md lists them"));
}

TEST_F(Check, InputsAreKnownPresentAndOfTheirKind) {
  EXPECT_THAT(found("  a: {do: service.status, with: {servce: x}}\n"),
              ElementsAre("steps.a: input 'service' of service.status is missing: which",
                          "steps.a.with: service.status has no input 'servce'; did you mean 'service'?"));
  EXPECT_THAT(found("  a: {do: service.status, with: {service: auth-service, lines: many}}\n"),
              ElementsAre("steps.a.with.lines: \"many\" is not a whole number"));
  EXPECT_THAT(found("  a: {do: wait, with: {url: 1.5, pause: 5}}\n"),
              ElementsAre("steps.a.with.url: 1.5E0 is not text; write it in quotation marks",
                          "steps.a.with.pause: 5 is not a duration; write it as in 90s or 6h"));
  EXPECT_THAT(
      found("  a: {do: service.status, with: {service: $n}}\n"),
      ElementsAre("steps.a.with.service: parameter 'n' is of type integer, this input of kind service"));
}

TEST_F(Check, ServicesDatastoresAndChannelsAreThoseOfTheConfiguration) {
  EXPECT_THAT(
      found("  a: {do: service.status, with: {service: auth-servce}}\n"),
      ElementsAre("steps.a.with.service: no service is named 'auth-servce'; did you mean 'auth-service'?"));
  EXPECT_THAT(found("  a: {do: notify, with: {channels: [opps]}}\n"),
              ElementsAre("steps.a.with.channels: no channel is named 'opps'; did you mean 'ops'?"));
  config.datastores.clear();
  EXPECT_THAT(
      found("  f: {do: backup.find}\n  a: {do: data.delete, needs: [f], with: {datastore: users-db}, " +
            std::string(kAsked) + "}\n"),
      ElementsAre("steps.a.with.datastore: no datastore is named 'users-db'; daruma.yaml has none"));
}

TEST_F(Check, ReferencesAreToWhatAStepGives) {
  EXPECT_THAT(
      found("  find: {do: backup.find}\n  a: {do: wait, with: {url: $steps.find.path}}\n"),
      ElementsAre(HasSubstr("'steps.find.path': backup.find gives no 'path'; allowed: file, failed, ")));
  EXPECT_THAT(found("  find: {do: backup.find, on_failure: continue}\n"
                    "  a: {do: manual, timeout: 1h, when: steps.find.faild}\n"),
              ElementsAre(HasSubstr("backup.find gives no 'faild'; did you mean 'failed'?")));
}

TEST_F(Check, APlanMadeByProgramIsHeldToTheSameRules) {
  Plan plan = parsed(plan_of("  find: {do: backup.find}\n  a: {do: wait, with: {url: $steps.find.file}}\n"));
  plan.steps[1].needs.clear();
  EXPECT_THAT(found(plan),
              ElementsAre("steps.a.with.url: 'steps.find.file': 'find' need not have ended before it; "
                          "add it to 'needs'"));
  plan.steps[1].needs = {"nobody"};
  EXPECT_THAT(found(plan), testing::Contains("steps.a: it needs 'nobody', and no step is named so"));
}

TEST_F(Check, CyclesAreFound) {
  Plan plan = parsed(plan_of("  a: {do: backup.find}\n  b: {do: backup.find, needs: [a]}\n"));
  plan.steps[0].needs = {"b"};
  EXPECT_THAT(found(plan),
              testing::Contains("steps.a: these wait for each other for ever: a needs b needs a"));
}

TEST_F(Check, StepsThatNeverRunAreFound) {
  EXPECT_THAT(found("  a: {do: backup.find, when: n > 1 and false}\n"),
              ElementsAre("steps.a: it never runs: 'n > 1 and false' cannot hold"));
  EXPECT_THAT(
      found("  a: {do: backup.find}\n  b: {do: backup.find, when: steps.a.failed}\n"),
      ElementsAre("steps.b: it never runs: 'steps.a.failed' cannot hold; when 'a' fails the run ends, so "
                  "give 'a' on_failure: continue"));
  EXPECT_THAT(found("  a: {do: backup.find, when: 1 > 2}\n  b: {do: backup.find, when: steps.a.succeeded}\n"
                    "  c: {do: backup.find, needs: [b]}\n"),
              ElementsAre("steps.a: it never runs: '1 > 2' cannot hold",
                          "steps.b: it never runs: 'steps.a.succeeded' cannot hold",
                          "(steps.c: it needs 'b', which never runs)"));
  EXPECT_THAT(
      found("  a: {do: backup.find, on_failure: continue}\n  b: {do: backup.find, when: steps.a.failed}\n"),
      IsEmpty());
  EXPECT_THAT(found("  a: {do: backup.find, when: n == 4}\n"), IsEmpty()) << "a parameter may be anything";
}

TEST_F(Check, DestructionIsApproved) {
  EXPECT_THAT(
      found("  f: {do: backup.find}\n  d: {do: data.delete, with: {datastore: users-db}, needs: [f]}\n"),
      ElementsAre("steps.d: it destroys, and nobody is asked before; add 'approve', or a step 'approve' "
                  "before it"));
  EXPECT_THAT(found("  f: {do: backup.find}\n  ask: {do: approve, with: {question: May I}}\n"
                    "  d: {do: data.delete, with: {datastore: users-db}, needs: [f, ask]}\n"),
              IsEmpty());
}

TEST_F(Check, AnApprovalThatMayBeSkippedIsNone) {
  const auto asked = [&](const std::string& ask, const std::string& destroy) {
    return found("  f: {do: backup.find}\n  ask: {do: approve, with: {question: May I}" + ask +
                 "}\n  d: {do: data.delete, with: {datastore: users-db}, needs: [f, ask]" + destroy + "}\n");
  };
  EXPECT_EQ(asked(", when: n > 3", "").size(), 1u);
  EXPECT_THAT(asked(", when: n > 3", ", when: n > 3"), IsEmpty());
  EXPECT_THAT(asked(", when: n > 3", ", when: n > 3 and n < 9"), IsEmpty());
  EXPECT_THAT(asked(", when: n > 3", ", when: n > 3 and (n < 9 or n > 20)"), IsEmpty());
  EXPECT_EQ(asked(", when: n > 3", ", when: n > 3 and n < 9 or n == 1").size(), 1u);
  EXPECT_THAT(asked("", ", when: n > 3"), IsEmpty());
}

TEST_F(Check, TheSourceIsProvenBeforeDataIsDestroyed) {
  const std::string finding =
      "steps.d: it destroys data before anything proves that there is something to restore "
      "from; let it need a step that does: backup.find";
  const auto destroy = [&](const std::string& rest) {
    return "  d: {do: data.delete, with: {datastore: users-db}, " + std::string(kAsked) + rest + "}\n";
  };
  EXPECT_THAT(found(destroy("")), ElementsAre(finding));
  EXPECT_THAT(found("  f: {do: backup.find}\n" + destroy("")), ElementsAre(finding))
      << "beside it is not before it";
  EXPECT_THAT(found("  f: {do: backup.find, on_failure: continue}\n" + destroy(", needs: [f]")),
              ElementsAre(finding))
      << "it may have failed";
  EXPECT_THAT(found("  f: {do: backup.find}\n" + destroy(", needs: [f]")), IsEmpty());
}

TEST_F(Check, NobodyIsAskedWhenServicesAreAlreadyStopped) {
  const std::string stop = "  stop: {do: service.stop, with: {service: $service}";
  const std::string finding =
      "steps.d: the gate comes after services are already stopped: 'stop' does not wait for "
      "it; ask before anything stops";
  const std::string destroy = "  f: {do: backup.find}\n  d: {do: data.delete, with: {datastore: users-db}, " +
                              std::string(kAsked) + ", needs: [f, stop]}\n";
  EXPECT_THAT(found(stop + "}\n" + destroy), ElementsAre(finding));
  EXPECT_THAT(found("  ask: {do: approve, with: {question: May I}}\n" + stop + ", needs: [ask]}\n" + destroy),
              IsEmpty());
  EXPECT_THAT(found(stop + "}\n"), IsEmpty()) << "a plan without gates asks nobody";
}

TEST_F(Check, TheRulesReachIntoNestedPlans) {
  others["inner"] =
      parsed(plan_of("  f: {do: backup.find}\n  d: {do: data.delete, with: {datastore: users-db}, "
                     "needs: [f], " +
                         std::string(kAsked) + "}\n",
                     "inner"));
  EXPECT_THAT(
      found("  stop: {do: service.stop, with: {service: $service}}\n"
            "  restore: {do: plan, with: {plan: inner}, needs: [stop]}\n"),
      ElementsAre(HasSubstr("steps.restore/d: the gate comes after services are already stopped: 'stop'")));
  EXPECT_THAT(
      found("  n: {do: plan, with: {plan: inner, service: auth-service, m: 1}}\n"),
      ElementsAre("plan: plan 'p', step 'n': plan 'inner' has no parameter 'm'; allowed: n, service"));
  EXPECT_THAT(found("  n: {do: plan, with: {plan: nobody}}\n"),
              ElementsAre("plan: plan 'p', step 'n': no plan is named 'nobody'"));
  EXPECT_THAT(found("  f: {do: backup.find, raise: nobody}\n"),
              ElementsAre("steps.f.raise: no plan is named 'nobody'"));
}

TEST_F(Check, WaitsEnd) {
  EXPECT_THAT(found("  m: {do: manual}\n"),
              ElementsAre("(steps.m: it waits for a person for ever; set 'timeout')"));
  EXPECT_THAT(found("  w: {do: wait, with: {url: http://x/}, timeout: 3d}\n"),
              ElementsAre(HasSubstr("longer than a day")));
  Plan plan = parsed(plan_of("  w: {do: wait, with: {url: http://x/}, retry: {times: 1}, timeout: 0s}\n"));
  plan.steps[0].retry = Retry{};
  EXPECT_THAT(found(plan), ElementsAre("steps.w.retry: it would never end; set 'for' or 'times'",
                                       "steps.w: it may wait for ever; set 'timeout'"));
}

TEST_F(Check, ProgramsAreOnThisHost) {
  EXPECT_THAT(
      found("  x: {do: exec, with: {command: [terraform, apply]}}\n"),
      ElementsAre("steps.x.with.command: this host has no program 'terraform'; install it, or name it by its "
                  "path"));
  EXPECT_THAT(found("  x: {do: exec, with: {command: [ls]}}\n"), IsEmpty());
}

TEST_F(Check, PreconditionsOnlyLook) {
  Plan plan = parsed(plan_of("  f: {do: backup.find}\n"));
  plan.preconditions.push_back({"service.stop", {{"service", "auth-service"}}});
  EXPECT_THAT(found(plan),
              ElementsAre("preconditions[0]: service.stop changes something; a precondition may only look"));
}

TEST_F(Check, PeopleTextsAndDatesAreThere) {
  EXPECT_THAT(
      found(parsed("plan: p\ntitle: {en: x}\nlevel: 3\nhead: {review_due: 2026-11-21, version: 1, updated: "
                   "2026-01-01}\nsteps: {f: {do: backup.find, title: {ja: 探す}}}\n")),
      ElementsAre("(head: 'status' is missing)",
                  "(head.review_due: the review was due on 2026-11-21; read the plan again, then write a new "
                  "date)",
                  "(title: there is no Japanese text)", "(contacts: a plan of level 3 names nobody to call)",
                  "(finish.notify: nobody is told how it ended; name a channel)",
                  "(steps.f.title: there is no English text)"));
}

TEST_F(Check, OfADraftTheTextsToTranslateAreCounted) {
  Plan plan = parsed(
      plan_of("  f: {do: backup.find, title: {ja: 探す}}\n  g: {do: backup.find, title: {ja: 見る}}\n"));
  plan.head.status = "draft";
  EXPECT_THAT(found(plan), ElementsAre("(head.status: a draft: 2 texts are in one language only)"));
}

TEST_F(Check, ErrorsComeFirstAndHaveTheirLine) {
  const auto findings =
      check_plan(parsed("plan: p\ntitle: {ja: x, en: x}\nsteps:\n  f: {do: nobody}\n"), world);
  EXPECT_EQ(to_line(findings[0], "p.yaml"),
            "p.yaml:4: error: steps.f: no step type is named 'nobody'; docs/steps.md lists them");
  EXPECT_EQ(to_line(findings[1], "p.yaml"), "p.yaml: warning: head: 'version' is missing");
}

TEST_F(Check, WhatAQuestionTellsIsKnown) {
  EXPECT_THAT(
      found("  find: {do: backup.find}\n  a: {do: exec, with: {command: [ls]}, approve: {question: "
            "{ja: \"${steps.find.fil} です\", en: \"use ${n}\"}}}\n"),
      ElementsAre("steps.a.approve: 'steps.find.fil': backup.find gives no 'fil'; did you mean 'file'?"));
}

TEST(StepInputs, AnOptionalPathMayBeLeftEmpty) {
  const InputRow rows[] = {{"file", Kind::kPath, false, {}, "which"}};
  const StepType type{.name = "t", .summary = "", .inputs = rows};
  EXPECT_EQ(to_json(*step_inputs(type, {{"file", ""}})), "{}");
  const InputRow must[] = {{"file", Kind::kPath, true, {}, "which"}};
  EXPECT_FALSE(step_inputs(StepType{.name = "t", .summary = "", .inputs = must}, {{"file", ""}}).ok());

  Parameter parameter;
  parameter.type = ParameterType::kPath;
  EXPECT_FALSE(parameter_value(parameter, "").ok());
  parameter.standard = "/data";
  EXPECT_FALSE(parameter_value(parameter, "").ok());
  parameter.standard = "";
  EXPECT_TRUE(parameter_value(parameter, "").ok());
}

TEST(StepInputs, TakeDefaultsAndTheirKinds) {
  EXPECT_EQ(to_json(*step_inputs(kTypes[0], {{"service", "a"}})), "{\"lines\":100,\"service\":\"a\"}");
  EXPECT_EQ(to_json(*step_inputs(kTypes[0], {{"service", "a"}, {"lines", "7"}})),
            "{\"lines\":7,\"service\":\"a\"}");
  EXPECT_EQ(to_json(*step_inputs(kTypes[0], {{"service", "a"}, {"lines", Value()}})),
            "{\"lines\":100,\"service\":\"a\"}");
  EXPECT_EQ(step_inputs(kTypes[0], {}).error().what, "service.status: input 'service' is missing");
  EXPECT_EQ(step_inputs(kTypes[0], {{"service", "a"}, {"line", 1}}).error().what,
            "service.status has no input 'line'; did you mean 'lines'?");
  EXPECT_EQ(step_inputs(kTypes[0], {{"service", "a"}, {"lines", true}}).error().what,
            "service.status: input 'lines': true is not a whole number");
}

}  // namespace
}  // namespace daruma::run
