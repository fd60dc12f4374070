// What daruma.yaml may say, and what is answered to every kind of mistake in it, word for word.

#include "config/config.h"

#include <gtest/gtest.h>

namespace daruma {
namespace {

constexpr const char* kExample = R"(state: .daruma
repository:
  key: {file: daruma.key}
  copies:
    - {name: here,    url: "file:///var/lib/daruma/repo", medium: disk,   site: tokyo}
    - {name: offsite, url: "s3://bucket/prefix",          medium: object, site: osaka}
datastores:
  bookings:
    kind: postgres
    connection: {host: /run/postgresql, port: 5433, user: daruma, dbname: postgres}
    data_directory: /var/lib/postgresql/15/main      # optional: direct reads
    capture: {slot: daruma, synchronous: true, acknowledge: {copies: [here]}, when_stalled: wait}
    snapshots: {every: 6h, keep: {hourly: 24, daily: 7, weekly: 4, monthly: 12}}
    objective: {rpo: 0s, rto: 5m}
services:
  auth-service: {runtime: process, command: [./auth], needs: [bookings], health: {http: "http://h/health"}}
targets: {production: {}, staging: {config: staging.yaml}, sandbox: {scratch: true}}
plans: [plans/*.yaml]
)";

// The least that is a configuration; tests add to it from line 4 on.
constexpr const char* kLeast = R"(repository:
  key: {file: daruma.key}
  copies: [{name: here, url: "file:///repo"}]
)";

Result<Config> parse(const std::string& text) { return parse_config(text, "/srv/daruma.yaml"); }

// All that is reported about `text`, one line for each problem, without the file's name.
std::string problems_of(const std::string& text) {
  const Result<Config> config = parse(text);
  if (config.ok()) return "none";
  EXPECT_EQ(config.error().code, Errc::kInvalid);
  std::string out = config.error().what;
  for (size_t at = 0; (at = out.find("/srv/daruma.yaml:", at)) != std::string::npos;) out.erase(at, 17);
  return out;
}
std::string problems_after_least(const std::string& text) { return problems_of(kLeast + text); }

// The problems of one datastore's lines; `lines` start in line 6.
std::string problems_of_datastore(const std::string& lines) {
  return problems_after_least("datastores:\n  bookings:\n" + lines);
}
constexpr const char* kPostgres = "    kind: postgres\n    connection: {host: /run}\n";  // lines 6 and 7
std::string problems_of_postgres(const std::string& line8) {
  return problems_of_datastore(kPostgres + line8);
}

TEST(Config, TheDesignsExampleIsRead) {
  const Result<Config> config = parse(kExample);
  ASSERT_TRUE(config.ok()) << config.error().what;
  EXPECT_EQ(config->file, "/srv/daruma.yaml");
  EXPECT_EQ(config->state, "/srv/.daruma");
  EXPECT_EQ(config->repository.key.file, "/srv/daruma.key");
  ASSERT_EQ(config->repository.copies.size(), 2u);
  EXPECT_EQ(config->repository.copies[0].name, "here");
  EXPECT_EQ(config->repository.copies[0].url, "file:///var/lib/daruma/repo");
  EXPECT_EQ(config->repository.copies[1].medium, "object");
  EXPECT_EQ(config->repository.copies[1].site, "osaka");
  ASSERT_EQ(config->services.size(), 1u);
  EXPECT_EQ(config->services[0].runtime, Runtime::kProcess);
  EXPECT_EQ(config->targets.size(), 3u);
  EXPECT_EQ(config->plans, std::vector<std::string>{"plans/*.yaml"});
}

TEST(Config, TheDatastoreOfTheExampleIsRead) {
  const Result<Config> config = parse(kExample);
  ASSERT_TRUE(config.ok()) << config.error().what;
  const DatastoreConfig* bookings = config->datastore("bookings");
  ASSERT_TRUE(bookings);
  EXPECT_EQ(bookings->connection.host, "/run/postgresql");
  EXPECT_EQ(bookings->connection.port, 5433);
  EXPECT_EQ(bookings->connection.user, "daruma");
  EXPECT_EQ(bookings->data_directory, "/var/lib/postgresql/15/main");
  ASSERT_TRUE(bookings->capture);
  EXPECT_TRUE(bookings->capture->synchronous);
  EXPECT_EQ(bookings->capture->acknowledge.copies, std::vector<std::string>{"here"});
  EXPECT_EQ(bookings->snapshots.every, Duration(6h));
  ASSERT_TRUE(bookings->snapshots.keep);
  EXPECT_EQ(bookings->snapshots.keep->monthly, 12u);
  EXPECT_EQ(bookings->objective.rpo, Duration(0s));
  EXPECT_EQ(bookings->objective.rto, Duration(5min));
  EXPECT_FALSE(config->datastore("users"));
}

TEST(Config, WhatIsLeftOutHasItsDefault) {
  const Result<Config> config =
      parse(std::string(kLeast) + "datastores: {db: {kind: postgres, connection: {}, capture: {}}}");
  ASSERT_TRUE(config.ok()) << config.error().what;
  EXPECT_EQ(config->state, "/srv/.daruma");
  const DatastoreConfig& db = config->datastores.at(0);
  EXPECT_EQ(db.connection.host, "/run/postgresql");
  EXPECT_EQ(db.connection.port, 5432);
  EXPECT_EQ(db.connection.user, "");
  EXPECT_EQ(db.connection.dbname, "postgres");
  EXPECT_EQ(db.connection.sslmode, "prefer");
  EXPECT_FALSE(db.connection.password);
  EXPECT_EQ(db.capture->slot, "daruma");
  EXPECT_FALSE(db.capture->synchronous);
  EXPECT_FALSE(db.snapshots.every);
  EXPECT_FALSE(db.snapshots.keep);
}

TEST(Config, WithoutAcknowledgeEveryCopyMustHoldTheLog) {
  const Result<Config> config = parse(
      "repository:\n  key: {file: k}\n  copies: [{name: a, url: 'file:///a'}, {name: b, url: 'file:///b'}]\n"
      "datastores: {db: {kind: postgres, connection: {}, capture: {}}}");
  ASSERT_TRUE(config.ok()) << config.error().what;
  EXPECT_EQ(config->datastores[0].capture->acknowledge.copies, (std::vector<std::string>{"a", "b"}));
}

TEST(Config, ASecretIsAReferenceToAVariableOrAFile) {
  const auto password = [](const std::string& value) {
    return *parse(std::string(kLeast) + "datastores: {db: {kind: postgres, connection: {password: " + value +
                  "}}}")
                ->datastores[0]
                .connection.password;
  };
  EXPECT_EQ(password("{env: PGPASS}").environment, "PGPASS");
  EXPECT_EQ(password("{file: secrets/pg}").file, "/srv/secrets/pg");
}

TEST(Config, AnUnknownSettingIsAnErrorWithTheNearestOne) {
  EXPECT_EQ(problems_of_postgres("    capture: {slto: daruma}\n"),
            "8:15: unknown setting 'slto' in datastores.bookings.capture; did you mean 'slot'?");
  EXPECT_EQ(problems_after_least("datastore: {}\n"),
            "4:1: unknown setting 'datastore' in the file; did you mean 'datastores'?");
}

TEST(Config, AnUnknownSettingNearNoOtherIsAnErrorWithTheList) {
  EXPECT_EQ(problems_of_postgres("    capture: {compression: 3}\n"),
            "8:15: unknown setting 'compression' in datastores.bookings.capture; allowed: slot, synchronous, "
            "acknowledge, when_stalled");
}

TEST(Config, AMissingSettingIsNamed) {
  EXPECT_EQ(problems_of("state: x\n"), "1:1: the file: 'repository' is missing");
  EXPECT_EQ(problems_of_datastore("    kind: postgres\n"),
            "6:5: datastores.bookings: 'connection' is missing");
  EXPECT_EQ(problems_of("repository: {key: {file: k}, copies: [{url: 'file:///r'}]}\n"),
            "1:39: repository.copies[0]: 'name' is missing");
}

TEST(Config, AnEmptyFileIsNoConfiguration) {
  EXPECT_EQ(problems_of(""), "1:1: the file: want a mapping, not nothing");
  EXPECT_EQ(problems_of("- a\n"), "1:1: the file: want a mapping, not a list");
}

TEST(Config, AValueOfAnotherKindIsAnError) {
  EXPECT_EQ(problems_after_least("plans: all\n"), "4:8: plans: want a list, not text");
  EXPECT_EQ(problems_after_least("datastores: [db]\n"), "4:13: datastores: want a mapping, not a list");
  EXPECT_EQ(problems_after_least("state: [a]\n"), "4:8: state: want a path, not a list");
  EXPECT_EQ(problems_after_least("state: ''\n"), "4:8: state: '' is not a path; it is empty");
  EXPECT_EQ(problems_of_postgres("    capture: {synchronous: maybe}\n"),
            "8:28: datastores.bookings.capture.synchronous: 'maybe' is neither true nor false");
}

TEST(Config, AnUnknownKindListsTheKnownOnes) {
  EXPECT_EQ(problems_of_datastore("    kind: mysql\n    connection: {}\n"),
            "6:11: datastores.bookings.kind: 'mysql' is not one of: postgres, redis");
  EXPECT_EQ(
      problems_of_datastore("    kind: postgre\n    connection: {}\n"),
      "6:11: datastores.bookings.kind: 'postgre' is not one of: postgres, redis; did you mean 'postgres'?");
  EXPECT_EQ(problems_of_postgres("    capture: {when_stalled: degrade}\n"),
            "8:29: datastores.bookings.capture.when_stalled: 'degrade' is not one of: wait");
  EXPECT_EQ(problems_after_least("services: {auth: {runtime: podman, command: [a]}}\n"),
            "4:28: services.auth.runtime: 'podman' is not one of: process, systemd, docker, pm2");
}

TEST(Config, APortOutOfRangeIsAnError) {
  for (const std::string port : {"0", "65536", "-1", "5432x", "99999999999999999999"})
    EXPECT_EQ(problems_of_datastore("    kind: postgres\n    connection: {port: " + port + "}\n"),
              "7:24: datastores.bookings.connection.port: '" + port +
                  "' is not a port; write a number from 1 to 65535");
}

TEST(Config, ADurationNeedsItsUnit) {
  EXPECT_EQ(
      problems_of_postgres("    snapshots: {every: 6}\n"),
      "8:24: datastores.bookings.snapshots.every: '6' is not a duration; write a number with its unit, as in "
      "250ms, 90s, 6h, 7d or 1h30m");
}

TEST(Config, AWrongModeOfTlsListsTheRightOnes) {
  EXPECT_EQ(problems_of_datastore("    kind: postgres\n    connection: {sslmode: required}\n"),
            "7:27: datastores.bookings.connection.sslmode: 'required' is not one of: disable, allow, prefer, "
            "require, "
            "verify-ca, verify-full; did you mean 'require'?");
}

TEST(Config, ANameThatCouldNotBeUsedEverywhereIsAnError) {
  EXPECT_EQ(problems_after_least("datastores: {Book ings: {kind: postgres, connection: {}}}\n"),
            "4:14: datastores: 'Book ings' is not a name; use 1 to 63 lower-case letters, digits, '-' and "
            "'_', a letter "
            "or digit first");
  EXPECT_EQ(
      problems_of_postgres("    capture: {slot: da-ruma}\n"),
      "8:21: datastores.bookings.capture.slot: 'da-ruma' is not the name of a slot; PostgreSQL takes 1 to 63 "
      "lower-case letters, digits and '_'");
}

TEST(Config, ACopyMustBeSomewhere) {
  EXPECT_EQ(problems_of("repository: {key: {file: k}, copies: []}\n"),
            "1:38: repository: 'copies' is empty; at least one copy is needed");
  EXPECT_EQ(
      problems_of("repository: {key: {file: k}, copies: [{name: a, url: /srv/repo}]}\n"),
      "1:54: repository.copies[0].url: '/srv/repo' is not the URL of a copy; write file:///DIRECTORY or "
      "s3://BUCKET/PREFIX");
}

TEST(Config, WhatIsThereTwiceIsAnError) {
  EXPECT_EQ(problems_after_least("state: a\nstate: b\n"),
            "5:1: the file: 'state' is there twice, first in line 4");
  EXPECT_EQ(problems_of_postgres("  bookings: {kind: postgres}\n"),
            "8:3: datastores: 'bookings' is there twice, first in line 5");
  EXPECT_EQ(problems_of("repository:\n  key: {file: k}\n  copies:\n    - {name: a, url: 'file:///a'}\n"
                        "    - {name: a, url: 'file:///b'}\n"),
            "5:7: repository: two copies are 'a', the first in line 4");
  EXPECT_EQ(problems_of("repository:\n  key: {file: k}\n  copies:\n    - {name: a, url: 'file:///a'}\n"
                        "    - {name: b, url: 'file:///a'}\n"),
            "5:7: repository: two copies are 'file:///a', the first in line 4");
}

TEST(Config, ASlotHasOneConsumer) {
  EXPECT_EQ(problems_after_least("datastores:\n  a: {kind: postgres, connection: {}, capture: {}}\n"
                                 "  b: {kind: postgres, connection: {}, capture: {}}\n"),
            "6:48: datastores.b.capture.slot: 'daruma' is also the slot of 'a'; a slot has one consumer, so "
            "give each "
            "datastore its own");
}

TEST(Config, AcknowledgeNamesCopiesThatExist) {
  EXPECT_EQ(
      problems_of_postgres("    capture: {acknowledge: {copies: [hree]}}\n"),
      "8:14: datastores.bookings.capture.acknowledge.copies: no copy is named 'hree'; did you mean 'here'?");
}

TEST(Config, KeepingNothingIsAnError) {
  EXPECT_EQ(problems_of_postgres("    snapshots: {keep: {daily: 0}}\n"),
            "8:23: datastores.bookings.snapshots.keep: this would keep no snapshot; set one of hourly, "
            "daily, weekly, "
            "monthly above 0");
}

TEST(Config, ASecretWrittenOutIsRefusedAndNotRepeated) {
  const std::string what = problems_of_datastore("    kind: postgres\n    connection: {password: hunter2}\n");
  EXPECT_EQ(what,
            "7:28: datastores.bookings.connection.password: want a mapping with exactly one of: env, file; "
            "not text");
}

TEST(Config, AKeyIsAFileOrAPassphraseNotBoth) {
  EXPECT_EQ(
      problems_of("repository: {key: {file: k, passphrase_env: P}, copies: [{name: a, url: 'file:///a'}]}\n"),
      "1:19: repository.key: write exactly one of: file, passphrase_env");
  EXPECT_EQ(problems_of("repository: {key: {}, copies: [{name: a, url: 'file:///a'}]}\n"),
            "1:19: repository.key: write exactly one of: file, passphrase_env");
}

TEST(Config, AnUnknownTargetIsAnError) {
  EXPECT_EQ(problems_after_least("targets: {stagging: {}}\n"),
            "4:10: unknown target 'stagging' in targets; did you mean 'staging'?");
}

TEST(Config, WhatIsNotYamlIsAnErrorWithItsPlace) {
  EXPECT_EQ(problems_of("repository: {key: [}\n"), "1:20: not YAML: illegal flow end");
  EXPECT_EQ(problems_of("a: b\n  c: d\n"), "2:4: not YAML: illegal map value");
  EXPECT_EQ(problems_of("a: *nowhere\n"), "1:4: not YAML: the referenced anchor is not defined");
  EXPECT_EQ(problems_after_least("? [a]\n: b\n"), "4:3: the file: a key must be text, not a list");
}

TEST(Config, WhatFollowsTheFirstDocumentIsNeverIgnored) {
  const std::string flow = "{repository: {key: {file: k}, copies: [{name: a, url: 'file:///a'}]}}";
  EXPECT_EQ(problems_of(flow + "\n---\nstate: b\n---\nc: d\n"), "2:1: a second document; one file holds one");
  EXPECT_EQ(problems_of(flow + "}"), "1:70: not YAML: illegal flow end");
  EXPECT_EQ(problems_of(flow + "\n, |\n"), "2:1: a second document; one file holds one");
}

TEST(Config, AllProblemsAreReportedAtOnceInTheFilesOrder) {
  EXPECT_EQ(problems_of("stat: x\nrepository:\n  key: {file: k}\n  copies: 3\nplans: {}\n"),
            "1:1: unknown setting 'stat' in the file; did you mean 'state'?\n"
            "4:11: repository.copies: want a list, not text\n"
            "5:8: plans: want a list, not a mapping");
}

TEST(Config, AProblemNamesTheFileAndWhereToReadOn) {
  const Result<Config> config = parse("state: x\n");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().what, "/srv/daruma.yaml:1:1: the file: 'repository' is missing");
  EXPECT_EQ(config.error().hint, "`daruma help settings` explains every setting");
}

}  // namespace
}  // namespace daruma
