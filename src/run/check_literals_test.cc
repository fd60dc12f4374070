// What `daruma plan check` sees in inputs that are written out, with the real table of step types.
#include <gmock/gmock.h>

#include "run/check.h"
#include "run/check_parts.h"

namespace daruma::run {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckLiterals : public testing::Test {
 protected:
  CheckLiterals() {
    config.services.emplace_back().name = "web";
    config.datastores.emplace_back().name = "db";
    config.datastores.emplace_back().name = "cache";
    config.datastores.back().kind = DatastoreKind::kRedis;
    config.channels.emplace_back().name = "ops";
  }
  static Plan parsed(const std::string& head, const std::string& steps) {
    auto plan =
        parse_plan("plan: p\ntitle: {ja: 計画, en: plan}\nfinish: {notify: [ops]}\n" +
                       std::string("params: {x: {type: text, default: y}}\n") + head + "steps:\n" + steps,
                   "p.yaml");
    EXPECT_TRUE(plan.ok()) << plan.error().what;
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  std::vector<std::string> errors(const std::string& steps, const std::string& head = "") {
    CheckWorld world{.types = step_types(), .config = &config};
    world.has_group = [](const std::string& group) { return group == "dba"; };
    std::vector<std::string> out;
    for (const Finding& finding : check_plan(parsed(head, steps), world))
      if (finding.severity == Severity::kError) out.push_back(finding.place + ": " + finding.what);
    return out;
  }
  std::vector<std::string> step(const std::string& what) { return errors("  a: {do: " + what + "}\n"); }

  Config config;
};

TEST_F(CheckLiterals, ACommandNamesAProgramAndHoldsNoSecret) {
  EXPECT_THAT(step("exec, with: {command: []}"), ElementsAre(HasSubstr("names no program")));
  EXPECT_THAT(step("exec, with: {command: ['']}"), ElementsAre(HasSubstr("names no program")));
  EXPECT_THAT(step("exec, with: {command: [curl, {env: PW}]}"),
              ElementsAre(AllOf(HasSubstr("is not a word"), HasSubstr("environment"))));
}

TEST_F(CheckLiterals, OneOfTheAlternativesIsGiven) {
  EXPECT_THAT(step("service.restart"), ElementsAre("steps.a: service.restart wants 'service' or 'services'"));
  EXPECT_THAT(step("service.restart, with: {service: web}"), IsEmpty());
  EXPECT_THAT(step("http.check"), ElementsAre(HasSubstr("'url' or 'service'")));
}

TEST_F(CheckLiterals, AddressesAreAddresses) {
  EXPECT_THAT(step("http.check, with: {url: notaurl}"), ElementsAre(HasSubstr("'notaurl' is no address")));
  EXPECT_THAT(step("tcp.check, with: {address: localhost}"), ElementsAre(HasSubstr("is not HOST:PORT")));
  EXPECT_THAT(step("tcp.check, with: {address: 'localhost:99999'}"), ElementsAre(HasSubstr("HOST:PORT")));
  EXPECT_THAT(step("tcp.check, with: {address: '[::1]:80'}"), IsEmpty());
  EXPECT_THAT(step("tcp.check, with: {address: '$x'}"), IsEmpty());
}

TEST_F(CheckLiterals, NumbersAndMethodsAreOfTheirKind) {
  EXPECT_THAT(step("service.logs, with: {service: web, lines: -3}"), ElementsAre(HasSubstr("at least 1")));
  EXPECT_THAT(step("service.scale, with: {service: web, instances: -1}"),
              ElementsAre(HasSubstr("at least 0")));
  EXPECT_THAT(step("http.request, with: {url: 'http://a/', method: GET}"),
              ElementsAre(HasSubstr("POST, PUT, PATCH, DELETE")));
}

TEST_F(CheckLiterals, ADatastoreIsOfTheKindThatTheStepTalksTo) {
  EXPECT_THAT(step("postgres.query, with: {datastore: cache, sql: select 1}"),
              ElementsAre(HasSubstr("datastore 'cache' is a Redis")));
  EXPECT_THAT(step("redis.ping, with: {datastore: db}"),
              ElementsAre(HasSubstr("datastore 'db' is a PostgreSQL")));
  EXPECT_THAT(step("redis.ping, with: {datastore: cache}"), IsEmpty());
}

TEST_F(CheckLiterals, WhoIsToldWhoNoticesAndWhoApprovesAreThere) {
  EXPECT_THAT(errors("  a: {do: service.status, with: {service: web}}\n",
                     "contacts: [ghost]\ndetect: [{probe: nobody}, {probe: cache}]\n"),
              ElementsAre(HasSubstr("no channel is named 'ghost'"),
                          HasSubstr("no service or datastore is named 'nobody'")));
  EXPECT_THAT(step("approve, with: {question: q, groups: [dba, ghosts]}"),
              ElementsAre(HasSubstr("no group 'ghosts': nobody could ever approve")));
}

TEST_F(CheckLiterals, WhateverAReferenceStandsForAMappingIsNoText) {
  EXPECT_THAT(step("manual, with: {task: {ja: '${x}', en: '${x}'}}, timeout: 1h"),
              ElementsAre(HasSubstr("is not text")));
  EXPECT_THAT(step("exec, with: {command: [ls], environment: 'a${x}'}"),
              ElementsAre(HasSubstr("is not a mapping")));
  EXPECT_THAT(step("service.stop, with: {services: [ghost, '$x']}"),
              ElementsAre(HasSubstr("no service is named 'ghost'")));
}

TEST_F(CheckLiterals, AProgramThatTakesDataAwayHasAGate) {
  for (const char* command :
       {"[rm, -rf, /data]", "[/bin/rm, x]", "[sudo, dd, 'of=/dev/sda']", "[mkfs.ext4, /dev/sda]",
        "[bash, -c, 'cd / && rm -rf *']", "[sh, -ec, 'truncate -s 0 log']", "[dropdb, shop]"})
    EXPECT_THAT(step(std::string("exec, with: {command: ") + command + "}"),
                ElementsAre(HasSubstr("cannot be taken back, and nobody is asked")))
        << command;
  EXPECT_THAT(step("exec, with: {command: [echo, rm]}"), IsEmpty());
  EXPECT_THAT(step("exec, with: {command: [sh, -c, 'echo rm']}"), IsEmpty());
  EXPECT_THAT(errors("  gate: {do: approve, with: {question: q}}\n"
                     "  a: {do: exec, with: {command: [rm, x]}, needs: [gate]}\n"),
              IsEmpty());
}

TEST_F(CheckLiterals, ArgumentsNameWhatIsThere) {
  FrozenPlan plan;
  Parameter parameter;
  parameter.name = "svc";
  parameter.type = ParameterType::kService;
  plan.plan.parameters.push_back(parameter);
  plan.scopes.push_back({"", {{"svc", "wbe"}}});
  EXPECT_THAT(check_arguments(plan, config).error().what,
              AllOf(HasSubstr("no service is named 'wbe'"), HasSubstr("did you mean 'web'?")));
  plan.scopes[0].arguments = {{"svc", "web"}};
  EXPECT_TRUE(check_arguments(plan, config).ok());
}

}  // namespace
}  // namespace daruma::run
