// What facts mean: a system of two datastores and four services, and what is said when parts of it fail.
#include "watch/judge.h"

#include <gmock/gmock.h>

#include "base/size.h"
#include "base/time.h"

namespace daruma::watch {
namespace {

using runtime::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Instant kNow{1'800'000'000'000'000};

// postgres runs users-db, redis runs sessions; auth needs both, gateway needs auth, static-files nothing.
class FirstLook : public testing::Test {
 protected:
  FirstLook() {
    facts.at = kNow;
    add_datastore("users-db", DatastoreKind::kPostgres, "postgres");
    add_datastore("sessions", DatastoreKind::kRedis, "redis");
    add_service("postgres", {});
    add_service("redis", {});
    add_service("auth", {"users-db", "sessions"});
    add_service("gateway", {"auth"});
    add_service("static-files", {});
  }

  void add_datastore(const std::string& name, DatastoreKind kind, const std::string& service) {
    DatastoreFacts datastore;
    datastore.config.name = name;
    datastore.config.kind = kind;
    datastore.config.service = service;
    datastore.answers = true;
    facts.datastores.push_back(datastore);
  }
  void add_service(const std::string& name, std::vector<std::string> needs) {
    ServiceFacts service;
    service.config.name = name;
    service.config.needs = std::move(needs);
    service.status = runtime::ServiceStatus{.state = State::kRunning, .since = kNow + -1h};
    service.well = true;
    service.start = {"daruma service start " + name};
    service.restart = {"daruma service restart " + name};
    facts.services.push_back(service);
  }
  ServiceFacts& service(const std::string& name) {
    return *std::ranges::find(facts.services, name,
                              [](const ServiceFacts& each) { return each.config.name; });
  }
  DatastoreFacts& datastore(const std::string& name) {
    return *std::ranges::find(facts.datastores, name,
                              [](const DatastoreFacts& each) { return each.config.name; });
  }
  run::Plan& add_plan(const std::string& name, const std::string& probe, uint32_t level) {
    run::Plan plan;
    plan.name = name;
    plan.scheme = "microservices";
    plan.level = level;
    plan.title = {.ja = "", .en = "the plan " + name};
    if (!probe.empty()) plan.detect.push_back({.alert = {}, .probe = probe, .words = {}});
    facts.plans.push_back(std::move(plan));
    return facts.plans.back();
  }
  static void add_step(run::Plan& plan, const std::string& type) {
    run::Step step;
    step.id = type;
    step.action.type = type;
    plan.steps.push_back(std::move(step));
  }

  void stops(const std::string& name, Duration ago = 1min) {
    service(name).status = runtime::ServiceStatus{.state = State::kFailed, .since = kNow + -ago};
    service(name).well = false;
    service(name).health_error = "connection refused";
  }
  void hangs(const std::string& name) {
    service(name).well = false;
    service(name).health_error = "no answer within 2 s";
  }
  void is_silent(const std::string& name) {
    datastore(name).answers = false;
    datastore(name).error = "connection refused";
  }
  // PostgreSQL is gone, and everybody says so.
  void database_dies() {
    is_silent("users-db");
    stops("postgres", 1min);
    hangs("auth");
    hangs("gateway");
  }

  std::vector<std::string> down() {
    std::vector<std::string> out;
    for (const Finding& finding : judge(facts).findings)
      if (finding.severity == Severity::kDown) out.push_back(finding.subject);
    return out;
  }
  Finding finding(const std::string& subject) {
    for (const Finding& each : judge(facts).findings)
      if (each.subject == subject) return each;
    return {.subject = "nothing is said of " + subject};
  }
  std::vector<std::string> next() { return judge(facts).next.commands; }
  uint32_t level() { return judge(facts).level ? judge(facts).level->number : 0; }

  Facts facts;
};

TEST_F(FirstLook, WhereEverythingAnswersAllIsWell) {
  const Findings findings = judge(facts);
  EXPECT_TRUE(findings.all_well);
  EXPECT_THAT(findings.findings, IsEmpty());
  EXPECT_THAT(findings.next.commands, IsEmpty());
  EXPECT_FALSE(findings.level.has_value());
  EXPECT_EQ(findings.well.size(), 7u);
}

TEST_F(FirstLook, AStoppedServiceIsDownSinceItEnded) {
  stops("static-files", 90s);
  EXPECT_THAT(down(), ElementsAre("static-files"));
  EXPECT_EQ(finding("static-files").since, kNow + -90s);
  EXPECT_THAT(next(), ElementsAre("daruma service start static-files"));
}

TEST_F(FirstLook, AServiceThatHangsIsDownThoughItRuns) {
  hangs("gateway");
  EXPECT_THAT(finding("gateway").what.en, HasSubstr("runs, but does not answer: no answer within 2 s"));
  EXPECT_THAT(next(), ElementsAre("daruma service restart gateway"));
}

TEST_F(FirstLook, WhatHangsIsDownSinceTheFirstErrorThatNamesIt) {
  hangs("auth");
  service("gateway").errors = {
      {.count = 3, .dependency = "Auth", .message = "timeout", .first = kNow + -40s, .last = kNow}};
  EXPECT_EQ(finding("auth").since, kNow + -40s);
  EXPECT_TRUE(finding("auth").at_least);
}

TEST_F(FirstLook, ADatabaseIsNamedInLogsByItsKind) {
  is_silent("users-db");
  service("auth").errors = {
      {.count = 1, .dependency = "PostgreSQL", .message = "refused", .first = kNow + -9s, .last = kNow}};
  EXPECT_EQ(finding("users-db").since, kNow + -9s);
}

TEST_F(FirstLook, TheRootIsWhatTheOthersNeed) {
  database_dies();
  const Findings findings = judge(facts);
  EXPECT_EQ(findings.root, "postgres");
  EXPECT_THAT(findings.needed_by, UnorderedElementsAre("users-db", "auth", "gateway"));
  EXPECT_EQ(findings.findings.front().subject, "postgres");
  EXPECT_EQ(finding("gateway").because_of, "postgres");
}

TEST_F(FirstLook, WhatIsWellThoughItsNeedIsDownBelongsNotToIt) {
  is_silent("sessions");
  EXPECT_THAT(down(), ElementsAre("sessions"));
  EXPECT_EQ(judge(facts).root, "sessions");
}

TEST_F(FirstLook, OfTwoRootsTheOneThatMoreNeedIsNamed) {
  database_dies();
  stops("static-files", 1h);
  EXPECT_EQ(judge(facts).root, "postgres");
  EXPECT_EQ(finding("static-files").because_of, "");
  EXPECT_EQ(down().back(), "static-files");
}

TEST_F(FirstLook, OfTwoEqualRootsTheOneThatFailedFirstIsNamed) {
  stops("gateway", 1min);
  stops("static-files", 2min);
  EXPECT_EQ(judge(facts).root, "static-files");
}

TEST_F(FirstLook, ServicesThatNeedEachOtherStillHaveARoot) {
  service("auth").config.needs = {"gateway"};
  hangs("auth");
  hangs("gateway");
  EXPECT_NE(judge(facts).root, "");
}

TEST_F(FirstLook, AFullDiskExplainsItsDatabase) {
  is_silent("users-db");
  facts.disks = {{.path = "/data",
                  .datastore = "users-db",
                  .reading = probe::DiskReading{.total_bytes = 100 * kGiB, .free_bytes = 0},
                  .error = {}}};
  EXPECT_EQ(judge(facts).root, "disk /data");
  EXPECT_THAT(next().at(0), HasSubstr("du -xhd 2 /data"));
}

TEST_F(FirstLook, WhatIsNearlyFullIsImpaired) {
  facts.disks = {{.path = "/data",
                  .datastore = "",
                  .reading = probe::DiskReading{.total_bytes = 100, .free_bytes = 5},
                  .error = {}}};
  datastore("users-db").connections = 95;
  datastore("users-db").connections_most = 100;
  EXPECT_EQ(finding("disk /data").severity, Severity::kImpaired);
  EXPECT_THAT(finding("users-db").what.en, HasSubstr("95 of 100 connections"));
  EXPECT_FALSE(judge(facts).all_well);
}

TEST_F(FirstLook, WhatCouldNotBeSeenIsSaidAndIsNotWell) {
  datastore("users-db").answers.reset();
  service("static-files").status.reset();
  service("static-files").well.reset();
  EXPECT_EQ(finding("users-db").severity, Severity::kUnknown);
  EXPECT_EQ(finding("static-files").severity, Severity::kUnknown);
  EXPECT_FALSE(judge(facts).all_well);
}

TEST_F(FirstLook, AServiceThatAnswersUnderAnotherHandIsImpairedOnly) {
  service("gateway").status = runtime::ServiceStatus{.state = State::kStopped};
  EXPECT_EQ(finding("gateway").severity, Severity::kImpaired);
}

TEST_F(FirstLook, ThePlanThatDetectsTheRootIsTheNextCommand) {
  hangs("auth");
  add_plan("auth-down", "auth", 1).impact.en = "no new log-in";
  EXPECT_THAT(next(), ElementsAre("daruma recover auth-down"));
  EXPECT_EQ(judge(facts).impact.at(0).en, "no new log-in");
  EXPECT_EQ(level(), 1u);
}

TEST_F(FirstLook, OfTwoPlansThatFitTheMilderIsNamed) {
  hangs("auth");
  add_plan("a-severe", "auth", 3);
  add_plan("b-mild", "auth", 1);
  EXPECT_THAT(next(), ElementsAre("daruma recover b-mild"));
}

TEST_F(FirstLook, APlanMayNameTheDatastoreOfTheServiceThatDied) {
  database_dies();
  add_plan("database-down", "users-db", 2);
  EXPECT_THAT(next(), ElementsAre("daruma recover database-down"));
}

TEST_F(FirstLook, APlanFitsByTheServiceItActsOn) {
  hangs("auth");
  run::Plan& plan = add_plan("restart-one", "", 1);
  add_step(plan, "service.restart");
  plan.parameters.push_back({.name = "service",
                             .type = run::ParameterType::kService,
                             .standard = Value("auth"),
                             .choices = {},
                             .help = {}});
  EXPECT_THAT(next(), ElementsAre("daruma recover restart-one"));
}

TEST_F(FirstLook, WhatAPlanMustBeToldIsPartOfTheCommand) {
  hangs("auth");
  run::Plan& plan = add_plan("any-down", "auth", 1);
  plan.parameters.push_back(
      {.name = "which", .type = run::ParameterType::kService, .standard = {}, .choices = {}, .help = {}});
  plan.parameters.push_back(
      {.name = "dump", .type = run::ParameterType::kPath, .standard = {}, .choices = {}, .help = {}});
  EXPECT_THAT(next(), ElementsAre("daruma recover any-down --param which=auth --param dump=PATH"));
}

TEST_F(FirstLook, BeforeAPlanThatAsksForAnApprovalWhatHasMerelyEndedIsStarted) {
  database_dies();
  add_step(add_plan("database-corrupt", "postgres", 2), "approve");
  EXPECT_THAT(next(), ElementsAre("daruma service start postgres"));
  EXPECT_THAT(judge(facts).next.otherwise, ElementsAre("daruma recover database-corrupt"));
}

TEST_F(FirstLook, ARunThatWaitsGoesBeforeAnyNewOne) {
  hangs("auth");
  add_plan("auth-down", "auth", 1);
  facts.runs = {
      {.id = "2027-01-15-auth-down-1", .plan = "auth-down", .is = RunIs::kStandsStill, .since = kNow}};
  EXPECT_THAT(next(), ElementsAre("daruma resume 2027-01-15-auth-down-1"));
  facts.runs[0].is = RunIs::kWaitsForPerson;
  EXPECT_THAT(next(), ElementsAre("daruma runs 2027-01-15-auth-down-1"));
}

TEST_F(FirstLook, ADatastoreThatNobodyOfOursRunsIsAskedByHand) {
  add_datastore("elsewhere", DatastoreKind::kPostgres, "");
  datastore("elsewhere").config.connection.host = "db.example.org";
  datastore("elsewhere").config.connection.port = 5433;
  is_silent("elsewhere");
  EXPECT_THAT(next(), ElementsAre("pg_isready -h db.example.org -p 5433"));
}

TEST_F(FirstLook, LevelsOfMicroservicesCountWhatIsDown) {
  hangs("static-files");
  EXPECT_EQ(level(), 1u);
  hangs("gateway");
  EXPECT_EQ(level(), 2u);
  for (const char* name : {"postgres", "redis", "auth", "gateway", "static-files"}) stops(name);
  EXPECT_EQ(level(), 3u);
  EXPECT_EQ(judge(facts).level->scheme, "microservices");
}

TEST_F(FirstLook, ADatabaseAloneIsLevelTwoOfMicroservicesAndThreeOfABackend) {
  is_silent("users-db");
  EXPECT_EQ(level(), 2u);
  add_plan("unfitting", "something-else", 1).scheme = "backend";
  EXPECT_EQ(level(), 3u);
  EXPECT_EQ(judge(facts).level->effect.en, "the service is unavailable");
}

TEST_F(FirstLook, ACacheAloneIsLevelOneOfABackend) {
  add_plan("unfitting", "something-else", 1).scheme = "backend";
  is_silent("sessions");
  EXPECT_EQ(level(), 1u);
}

TEST_F(FirstLook, AnOpenBreakerIsAFailureOutside) {
  run::Plan& plan = add_plan("provider-down", "", 2);
  plan.scheme = "backend";
  plan.detect.push_back({.alert = "CircuitBreakerOpen", .probe = {}, .words = {}});
  service("gateway").open_breakers = {{.name = "HotelDataAPI", .since = kNow + -5s}};
  EXPECT_EQ(judge(facts).root, "");
  EXPECT_EQ(level(), 2u);
  EXPECT_THAT(next(), ElementsAre("daruma recover provider-down"));
  EXPECT_EQ(finding("gateway").since, kNow + -5s);
}

TEST_F(FirstLook, ThePulledLeverIsSaidWithTheCommandThatReleasesIt) {
  facts.halted = "halted by alice since 10:00: unclear";
  EXPECT_THAT(finding("runs").what.en, HasSubstr("daruma halt --release"));
  EXPECT_FALSE(judge(facts).all_well);
}

TEST_F(FirstLook, WithoutServeNothingNewIsProtected) {
  facts.captures = {{.datastore = "users-db", .serving = false, .state = "", .problem = ""}};
  EXPECT_THAT(finding("users-db").what.en, HasSubstr("`daruma serve` does not run"));
  EXPECT_THAT(next(), ElementsAre("daruma serve"));
}

TEST_F(FirstLook, EverySentenceIsThereInBothLanguages) {
  database_dies();
  stops("static-files");
  facts.halted = "halted";
  facts.captures = {{.datastore = "sessions", .serving = false, .state = "", .problem = ""}};
  service("redis").open_breakers = {{.name = "b", .since = {}}};
  const Findings findings = judge(facts);
  for (const Finding& each : findings.findings) {
    EXPECT_NE(each.what.en, "") << each.subject;
    EXPECT_NE(each.what.ja, "") << each.subject;
    EXPECT_NE(each.what.ja, each.what.en) << each.subject;
  }
  EXPECT_NE(findings.next.why.ja, "");
}

}  // namespace
}  // namespace daruma::watch
