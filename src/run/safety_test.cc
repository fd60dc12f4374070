// What the safety rules refuse, and what they let pass: pure, with a world that a test makes up.

#include "run/safety.h"

#include <gmock/gmock.h>

namespace daruma::run {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Safety : public testing::Test {
 protected:
  Safety() {
    for (const char* name : {"postgres", "old"}) {
      config.services.emplace_back().name = name;
      DatastoreConfig& datastore = config.datastores.emplace_back();
      datastore.name = std::string(name) + "-db";
      datastore.service = name;
      datastore.data_directory = Path("/data") / name;
    }
    config.services.emplace_back().name = "api";
    config.datastores.emplace_back().name = "far-db";
    world.config = &config;
  }

  Safety& has_done(const std::string& step, std::string_view type, Value::Map with = {},
                   Value outputs = Value::Map()) {
    done.push_back({step, find_step_type(type), std::move(with), std::move(outputs)});
    return *this;
  }
  // "" where it is let pass, else what and hint.
  static std::string said(const Status& status) {
    if (status.ok()) return "";
    EXPECT_TRUE(status.is(Errc::kRefused));
    return status.error().what + " | " + status.error().hint;
  }
  std::string takes_away(std::string_view type, const std::string& datastore = "postgres-db") const {
    return said(keep_good_copy(*find_step_type(type), {{"datastore", datastore}}, done, world));
  }
  std::string begins(std::string_view type, const Value::Map& with, Verb verb = Verb::kAct) const {
    return said(keep_one_writer(*find_step_type(type), verb, with, done, world));
  }
  std::string promotes(Value::Map with = {}) const {
    with.emplace("datastore", "postgres-db");
    return begins("postgres.promote", with);
  }

  Config config;
  SafetyWorld world;
  std::vector<Done> done;
};

// --- at least one good copy stays

TEST_F(Safety, DataIsTakenAwayOnlyOnceASourceForItIsProved) {
  for (const char* type :
       {"postgres.set_aside", "postgres.set_volume_aside", "postgres.switch", "postgres.discard_aside"}) {
    done.clear();
    EXPECT_THAT(takes_away(type),
                AllOf(HasSubstr("'at least one good copy stays'"), HasSubstr("'postgres-db'"),
                      HasSubstr("this run has proved nothing to restore it from"),
                      HasSubstr("postgres.find_backup, postgres.find_point, postgres.restore_beside")))
        << type;
    has_done("point", "postgres.find_point", {{"datastore", "postgres-db"}});
    EXPECT_EQ(takes_away(type), "") << type;
  }
}

TEST_F(Safety, TheSourceOfAnotherDatastoreIsNone) {
  has_done("point", "postgres.find_point", {{"datastore", "old-db"}});
  EXPECT_THAT(takes_away("postgres.set_aside"), HasSubstr("what 'point' proved is of 'old-db'"));
}

TEST_F(Safety, ADumpDoesNotSayWhoseItIs) {
  has_done("backup", "postgres.find_backup", {{"directory", "/backup"}});
  EXPECT_EQ(takes_away("postgres.set_aside"), "");
}

TEST_F(Safety, ASourceThatIsGoneIsNone) {
  has_done("backup", "postgres.find_backup", {{"directory", "/backup"}});
  world.still_there = [](const Done& proof) {
    EXPECT_EQ(proof.step, "backup");
    return Status(Error{Errc::kNotFound, "/backup/a.sql.gz is not there"});
  };
  EXPECT_THAT(takes_away("postgres.set_aside"),
              HasSubstr("what step 'backup' proved is of no use any more: /backup/a.sql.gz is not there"));
}

TEST_F(Safety, WhatTakesNothingAwayNeedsNoSource) {
  for (const char* type : {"postgres.restore", "postgres.init", "service.stop", "redis.flush"})
    EXPECT_EQ(takes_away(type), "") << type;
}

TEST_F(Safety, OnlyTheRunCanTellWhichDatastoreAReferenceMeans) {
  const StepType& point = *find_step_type("postgres.find_point");
  EXPECT_EQ(is_source_for(point, {{"datastore", "$which"}}, "postgres-db"), std::nullopt);
  EXPECT_EQ(is_source_for(point, {{"datastore", "postgres-db"}}, "postgres-db"), true);
  EXPECT_EQ(is_source_for(point, {{"datastore", "old-db"}}, "postgres-db"), false);
  EXPECT_EQ(is_source_for(*find_step_type("postgres.query"), {}, "postgres-db"), false);
}

// --- never two writers

TEST_F(Safety, NoServiceStartsWhereAnotherServerHasTheData) {
  world.foreign_server = [](const DatastoreConfig& datastore, const ServiceConfig&) {
    return datastore.name == "postgres-db" ? std::optional(4711) : std::nullopt;
  };
  for (const char* type : {"service.start", "service.restart", "service.recreate"}) {
    EXPECT_THAT(begins(type, {{"services", Value::List{"api", "postgres"}}}),
                AllOf(HasSubstr("'never two writers': process 4711, which service 'postgres' did not start"),
                      HasSubstr("pg_ctl stop -D /data/postgres")))
        << type;
    EXPECT_EQ(begins(type, {{"service", "api"}}), "") << type;
    EXPECT_EQ(begins(type, {{"service", "old"}}), "") << type;
  }
  EXPECT_EQ(begins("service.stop", {{"service", "postgres"}}), "");
  EXPECT_THAT(begins("service.stop", {{"service", "postgres"}}, Verb::kUndo), HasSubstr("process 4711"))
      << "to undo a stop is to start";
  EXPECT_EQ(begins("service.start", {{"service", "postgres"}}, Verb::kUndo), "");
}

TEST_F(Safety, ADatastoresServiceHasOneInstance) {
  EXPECT_THAT(begins("service.scale", {{"service", "postgres"}, {"instances", 2}}),
              HasSubstr("2 instances of service 'postgres' would write the data of 'postgres-db'"));
  EXPECT_EQ(begins("service.scale", {{"service", "postgres"}, {"instances", 1}}), "");
  EXPECT_EQ(begins("service.scale", {{"service", "api"}, {"instances", 8}}), "");
}

TEST_F(Safety, NothingIsPromotedWhileTheOneItFollowedMayLive) {
  EXPECT_THAT(promotes(), HasSubstr("nothing proves that the one it followed is stopped"));
  world.still_up = [](const ServiceConfig&) -> Result<std::string> { return std::string("running, pid 7"); };
  EXPECT_THAT(promotes({{"primary", "old-db"}}),
              AllOf(HasSubstr("service 'old' of 'old-db'"), HasSubstr("not proved stopped: running, pid 7")));
  world.still_up = [](const ServiceConfig&) -> Result<std::string> {
    return Error{Errc::kUnavailable, "systemd does not answer"};
  };
  EXPECT_THAT(promotes({{"primary", "old-db"}}), HasSubstr("systemd does not answer"));
  EXPECT_THAT(promotes({{"primary", "far-db"}}), HasSubstr("no service runs 'far-db'"));
  world.still_up = [](const ServiceConfig&) -> Result<std::string> { return std::string(); };
  EXPECT_EQ(promotes({{"primary", "old-db"}}), "");
}

TEST_F(Safety, WhatStillReceivesLogIsNotPromotedWhateverIsSaid) {
  has_done("fence", "manual", {}, Value::Map{{"by", "hanako"}});
  world.receives_from = [](const Value::Map&) -> Result<std::string> { return std::string("10.0.0.1:5432"); };
  EXPECT_THAT(promotes({{"primary", "old-db"}, {"fenced_by", "hanako"}}),
              HasSubstr("still receives log from 10.0.0.1:5432"));
  world.receives_from = [](const Value::Map&) -> Result<std::string> {
    return Error{Errc::kUnavailable, "connection refused"};
  };
  EXPECT_THAT(promotes({{"primary", "old-db"}}), HasSubstr("does not say whom it follows"));
}

TEST_F(Safety, APersonWhoSawToItInThisRunMayVouchForThePrimary) {
  EXPECT_THAT(promotes({{"fenced_by", "hanako"}}), HasSubstr("nothing proves"));
  has_done("fence", "manual", {}, Value::Map{{"by", "hanako"}});
  EXPECT_THAT(promotes({{"fenced_by", "jiro"}}), HasSubstr("nothing proves"));
  EXPECT_EQ(promotes({{"fenced_by", "hanako"}}), "");
}

TEST_F(Safety, WhatThisRunRestoredInPlaceFollowsNobody) {
  has_done("restore", "postgres.restore_point", {{"datastore", "old-db"}});
  EXPECT_THAT(promotes(), HasSubstr("nothing proves"));
  has_done("restore", "postgres.restore_point", {{"datastore", "postgres-db"}});
  EXPECT_EQ(promotes(), "");
}

}  // namespace
}  // namespace daruma::run
