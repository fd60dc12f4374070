// The steps that bring a PostgreSQL server back: they prove their source, refuse what would lose data, and,
// killed anywhere and begun again, come to the same end.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "datastore/postgres/backup.h"
#include "os/files.h"
#include "repository/configured.h"
#include "storage/directory_store.h"
#include "support/postgres_steps.h"

namespace daruma::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// A server in production, and dumps of it.
class Recovery : public StepWorld {
 protected:
  static PostgresServer& production() {
    static PostgresServer server;
    static const bool ready = (server.start(), fill(server), true);
    static_cast<void>(ready);
    return server;
  }
  // A dump of all of it, made once.
  static const Path& dump() {
    static const Path made = [] {
      const Path plain = production().make_directory("dumps") / "all_databases_20260101_060000.sql";
      DR_CHECK(production().tool("pg_dumpall", {"-f", plain.string()}).code == 0);
      const auto clock = real_clock();
      DR_CHECK(real_processes(*clock)->run({{"gzip", "-n", plain.string()}}, clock->after(60s)).ok());
      return Path(plain.string() + ".gz");
    }();
    return made;
  }

  Recovery() {
    dumps_ = scratch_.path() / "dumps";
    DR_CHECK(fs_->create_dir(dumps_).ok());
    first_ = copy_of_dump("all_databases_20260101_060000.sql.gz");
    use(production());
  }

  Path copy_of_dump(const std::string& name) {
    const Bytes bytes = *read_file(*fs_, dump(), 1 << 24);
    DR_CHECK(replace_file(*fs_, dumps_ / name, bytes).ok());
    return dumps_ / name;
  }
  void cut_in_half(const Path& file) {
    auto open = *fs_->open_write(file);
    DR_CHECK(open->truncate(*open->size() / 2).ok());
  }
  Value::Map find_with(const std::string& before = "") {
    Value::Map with{{"directory", dumps_.string()}};
    if (!before.empty()) with["before"] = before;
    return with;
  }
  Value::Map restore_with(const Path& file) { return {{"file", file.string()}}; }
  // From here on the datastore is a new and empty server.
  PostgresServer& empty_server() {
    empty_ = std::make_unique<PostgresServer>();
    empty_->start();
    use(*empty_);
    return *empty_;
  }
  std::string users(PostgresServer& server) { return server.value("SELECT count(*) FROM users", "authdb"); }

  Path dumps_, first_;
  std::unique_ptr<PostgresServer> empty_;
};

TEST_F(Recovery, TheNewestDumpBeforeTheDamageIsProvenAndChosen) {
  copy_of_dump("all_databases_20260102_060000.sql.gz");
  copy_of_dump("all_databases_20260103_060000.sql.gz");
  const Value found = must("postgres.find_backup", find_with("2026-01-03T00:00:00Z"));
  EXPECT_THAT(found.text_at("file"), HasSubstr("all_databases_20260102"));
  EXPECT_EQ(found.text_at("taken_at"), "2026-01-02T06:00:00Z");
  EXPECT_EQ(found.integer_at("age_seconds"), 18 * 3600);
  EXPECT_EQ(found.find("counts")->integer_at("apidb.public.profiles"), 20000);
}

TEST_F(Recovery, ADamagedDumpIsPassedOverAndNamed) {
  cut_in_half(copy_of_dump("all_databases_20260102_060000.sql.gz"));
  const Value found = must("postgres.find_backup", find_with());
  EXPECT_THAT(found.text_at("file"), HasSubstr("all_databases_20260101"));
  EXPECT_THAT(*found.find("passed_over")->list(), SizeIs(1));
}

TEST_F(Recovery, WithoutADumpInTimeNothingIsChosen) {
  EXPECT_THAT(refused("postgres.find_backup", find_with("2025-12-31T00:00:00Z")), HasSubstr("no dump in"));
}

TEST_F(Recovery, TwoDumpsWhereOneIsMeantAreRefused) {
  copy_of_dump("all_databases_20260102_060000.sql.gz");
  Value::Map with = find_with();
  with["only"] = true;
  EXPECT_THAT(refused("postgres.find_backup", with), HasSubstr("2 dumps match where one was meant"));
}

TEST_F(Recovery, AServerThatHoldsDataIsNotTouched) {
  EXPECT_THAT(refused("postgres.restore", restore_with(first_)),
              HasSubstr("is not empty: databases apidb, authdb"));
  EXPECT_EQ(users(production()), "3");
}

TEST_F(Recovery, AnEmptyServerIsFilledComparedWithItsDumpAndEmptiedByUndo) {
  PostgresServer& server = empty_server();
  const Value outputs = must("postgres.restore", restore_with(first_));
  EXPECT_THAT(to_json(*outputs.find("allowed_errors")), HasSubstr("role \\\"postgres\\\" already exists"));
  must("postgres.counts",
       {{"tables", Value::List{"authdb.users", "apidb.profiles"}}, {"expected", *outputs.find("counts")}});
  must_undo("postgres.restore", restore_with(first_));
  EXPECT_EQ(server.value("SELECT count(*) FROM pg_database WHERE oid >= 16384"), "0");
  EXPECT_EQ(server.value("SELECT count(*) FROM pg_roles WHERE oid >= 16384"), "0");
}

TEST_F(Recovery, AnyOtherSqlErrorFailsTheStepAndIsNamed) {
  PostgresServer& server = empty_server();
  server.sql("CREATE ROLE auth SUPERUSER");  // which is there before: its "already exists" is allowed
  DR_CHECK(processes_->run({{"gzip", "-d", first_.string()}}, clock_->after(60s)).ok());
  const Path plain = dumps_ / "all_databases_20260101_060000.sql";
  std::string text(as_text(*read_file(*fs_, plain, 1 << 24)));
  text.insert(text.find("CREATE ROLE"), "SELECT 1/0;\n");
  DR_CHECK(replace_file(*fs_, plain, as_bytes(text)).ok());
  EXPECT_THAT(refused("postgres.restore", restore_with(plain)), HasSubstr("22012: division by zero"));
  Value::Map with = restore_with(plain);
  with["allow"] = Value::List{"22012"};
  must("postgres.restore", with);
  EXPECT_EQ(users(server), "3");
}

TEST_F(Recovery, ADumpThatIsCutOffNeverCountsAsRestored) {
  empty_server();
  cut_in_half(first_);
  EXPECT_THAT(refused("postgres.restore", restore_with(first_)), HasSubstr("cut off"));
  StepContext again = context("postgres.restore", restore_with(first_));
  EXPECT_EQ(*find_step_type("postgres.restore")->reconcile(again), Happened::kNo);
}

// A data directory without a server.
class SetAside : public Recovery {
 protected:
  SetAside() {
    data_ = scratch_.path() / "data";
    DR_CHECK(fs_->create_dir(data_).ok());
    DR_CHECK(replace_file(*fs_, data_ / "PG_VERSION", as_bytes("15\n")).ok());
    config_.datastores[0].data_directory = data_;
  }
  bool there(const Path& path) { return *exists(*fs_, path); }
  std::vector<std::string> beside(const std::string& prefix) {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : *fs_->list_dir(scratch_.path()))
      if (entry.name.starts_with(prefix)) names.push_back(entry.name);
    return names;
  }
  Path data_;
};

TEST_F(SetAside, ADirectoryInUseStaysWhereItIs) {
  use(production());
  EXPECT_THAT(refused("postgres.set_aside", {}), HasSubstr("runs in"));
  EXPECT_EQ(users(production()), "3");
}

TEST_F(SetAside, APidFileThatACrashLeftStopsNobody) {
  // The number is another program's by now: ours.
  DR_CHECK(replace_file(*fs_, data_ / "postmaster.pid", as_bytes(std::to_string(::getpid()) + "\n")).ok());
  must("postgres.set_aside", {});
  EXPECT_FALSE(there(data_));
}

TEST_F(SetAside, WhatTookItsPlaceIsKeptWhenItComesBack) {
  const Value outputs = must("postgres.set_aside", {});
  EXPECT_TRUE(there(Path(outputs.text_at("aside")) / "PG_VERSION"));
  DR_CHECK(fs_->create_dir(data_).ok());
  must_undo("postgres.set_aside", {});
  EXPECT_TRUE(there(data_ / "PG_VERSION"));
  EXPECT_THAT(beside("data.abandoned-"), SizeIs(1));
  EXPECT_THAT(beside("data.damaged-"), SizeIs(0));
}

TEST_F(SetAside, ADirectoryThatIsGoneNeedsNoPlace) {
  DR_CHECK(remove_tree(*fs_, data_).ok());
  EXPECT_EQ(must("postgres.set_aside", {}).text_at("aside"), "");
}

TEST_F(SetAside, ADryRunSaysWhatWouldBeDoneAndDoesNothing) {
  use(production());
  StepContext dry = context("postgres.set_aside", {});
  const auto preview = find_step_type("postgres.set_aside")->preview(dry);
  ASSERT_TRUE(preview.ok());
  EXPECT_THAT(preview->would, ElementsAre(HasSubstr("rename"), HasSubstr("now it would be refused")));
  EXPECT_EQ(users(production()), "3");
}

TEST_F(SetAside, OnlyWhatWasSetAsideIsDiscardedAndOnlyWhenItWasReplaced) {
  const Value::Map because{{"because", "drill 7"}};
  const auto with = [&](const std::string& directory) {
    Value::Map inputs = because;
    inputs["directory"] = directory;
    return inputs;
  };
  EXPECT_THAT(refused("postgres.discard_aside", with(data_.string())), HasSubstr("was not set aside"));
  const std::string aside = must("postgres.set_aside", {}).text_at("aside");
  config_.datastores[0].connection.host = scratch_.path();  // where no server answers
  refused("postgres.discard_aside", with(aside));
  EXPECT_TRUE(there(aside));
  config_.datastores[0].connection.host = production().settings().host;
  must("postgres.discard_aside", with(aside));
  EXPECT_FALSE(there(aside));
}

TEST_F(SetAside, AnAttemptThatFailedAfterTheRenameIsTakenUp) {
  StepContext one = context("postgres.set_aside", {});
  const StepType& step = *find_step_type("postgres.set_aside");
  one.recorded = *step.prepare(one);
  DR_CHECK(fs_->rename(data_, one.recorded.text_at("to")).ok());
  const Value first = one.recorded;
  one.recorded = *step.prepare(one);
  EXPECT_EQ(one.recorded, first);
  EXPECT_EQ(step.act(one)->text_at("aside"), first.text_at("to"));
}

TEST_F(SetAside, WhatNeverBeganHasNothingToUndo) {
  use(production());
  for (const StepType& step : step_types()) {
    if (!step.name.starts_with("postgres.") || step.undo == nullptr) continue;
    StepContext back = context(step.name, {{"database", "authdb"}, {"file", first_.string()}});
    const Status undone = step.undo(back);
    EXPECT_TRUE(undone.ok()) << step.name << ": " << (undone.ok() ? "" : undone.error().what);
  }
  EXPECT_EQ(users(production()), "3");
}

TEST_F(SetAside, ARestoreIntoAServerThatFellDownHoldsUpNoUndo) {
  empty_server();
  must("postgres.restore", restore_with(first_));
  empty_->kill9();
  must_undo("postgres.restore", restore_with(first_));
}

// L22: a dump of one database, restored beside the one in use, checked there, and put in its place.
class Beside : public Recovery {
 protected:
  Beside() {
    production().sql("DROP DATABASE IF EXISTS hotel WITH (FORCE)");
    for (const auto& row : production().sql("SELECT datname FROM pg_database WHERE datname LIKE 'hotel%'"))
      production().sql("DROP DATABASE " + *row[0] + " WITH (FORCE)");
    production().sql("CREATE DATABASE hotel OWNER auth");
    production().sql("ALTER DATABASE hotel SET work_mem TO '7MB'");
    production().sql("GRANT CONNECT ON DATABASE hotel TO auth");
    production().sql("CREATE TABLE bookings AS SELECT n AS id FROM generate_series(1, 500) n", "hotel");
    archive_ = production().directory() / "hotel_20260101.dump";
    DR_CHECK(production().tool("pg_dump", {"-Fc", "-f", archive_.string(), "hotel"}).code == 0);
    production().sql("DELETE FROM bookings WHERE id > 400", "hotel");
  }
  Value::Map names() { return {{"database", "hotel"}}; }
  Value::Map with_archive() { return {{"database", "hotel"}, {"file", archive_.string()}}; }
  std::string bookings(const std::string& database) {
    return production().value("SELECT count(*) FROM bookings", database);
  }
  // What the killed attempt sent last may still end our session.
  std::string bookings_after_a_kill() {
    while (true) {
      const auto rows = production().try_sql("SELECT count(*) FROM bookings", "hotel");
      if (rows.ok()) return rows->at(0).at(0).value_or("");
      if (rows.error().what.find("57P01") == std::string::npos) return rows.error().what;
    }
  }
  Path archive_;
};

TEST_F(Beside, ADumpIsRestoredBesideAndProductionStaysUntouched) {
  EXPECT_EQ(must("postgres.restore_beside", with_archive()).text_at("database"), "hotel_restore");
  EXPECT_EQ(bookings("hotel_restore"), "500");
  EXPECT_EQ(bookings("hotel"), "400");
  EXPECT_EQ(
      production().value("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'hotel_restore'"),
      "auth");
  EXPECT_EQ(production().value("SHOW work_mem", "hotel_restore"), "7MB");
  must_undo("postgres.restore_beside", with_archive());
  EXPECT_EQ(production().value("SELECT count(*) FROM pg_database WHERE datname = 'hotel_restore'"), "0");
}

TEST_F(Beside, ADatabaseThatIsThereAlreadyIsNotOverwritten) {
  production().sql("CREATE DATABASE hotel_restore");
  EXPECT_THAT(refused("postgres.restore_beside", with_archive()),
              HasSubstr("there is a database hotel_restore"));
}

TEST_F(Beside, ADumpOfAWholeServerIsNotPlayedIntoOneDatabase) {
  EXPECT_THAT(refused("postgres.restore_beside", {{"database", "hotel"}, {"file", first_.string()}}),
              HasSubstr("a dump of a whole server"));
}

TEST_F(Beside, TheSwitchKeepsTheOldOneAndCanBeTakenBack) {
  must("postgres.restore_beside", with_archive());
  const auto busy = connect(production(), "hotel");  // sessions are ended, however busy
  const std::string aside = must("postgres.switch", names()).text_at("aside");
  EXPECT_EQ(bookings("hotel"), "500");
  EXPECT_FALSE(busy->query("SELECT 1").ok());
  EXPECT_FALSE(production().try_sql("SELECT 1", aside).ok());
  must_undo("postgres.switch", names());
  EXPECT_EQ(bookings("hotel"), "400");
  EXPECT_EQ(bookings("hotel_restore"), "500");
}

TEST_F(Beside, AProductionThatIsGoneIsReplaced) {
  must("postgres.restore_beside", with_archive());
  production().sql("DROP DATABASE hotel");
  EXPECT_EQ(must("postgres.switch", names()).text_at("aside"), "");
  EXPECT_EQ(bookings("hotel"), "500");
}

TEST_F(Beside, TheOldDatabaseIsDroppedOnlyUnderItsAsideName) {
  must("postgres.restore_beside", with_archive());
  const std::string aside = must("postgres.switch", names()).text_at("aside");
  EXPECT_THAT(refused("postgres.discard_aside", {{"aside", "hotel"}, {"because", "x"}}),
              HasSubstr("was not set aside"));
  must("postgres.discard_aside", {{"aside", aside}, {"because", "integrity proven"}});
  EXPECT_EQ(production().value("SELECT count(*) FROM pg_database WHERE datname LIKE 'hotel_before%'"), "0");
}

// Steps carried out in a process of their own, in a session of its own, as the runner has them.
template <class World>
class Killed : public World {
 protected:
  pid_t act_in_a_child(std::string_view type, Value::Map with) {
    StepContext one = this->context(type, std::move(with));
    const StepType& step = *find_step_type(type);
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setsid();
    const auto recorded = step.prepare(one);
    if (recorded.ok()) {
      one.recorded = *recorded;
      static_cast<void>(replace_file(*this->fs_, recorded_file(), as_bytes(to_json(*recorded))));
      static_cast<void>(step.act(one));
    }
    ::_exit(0);
  }

  // How long it takes when nobody kills it: so that it can be killed at every part of its way.
  Duration time_of(std::string_view type, Value::Map with) {
    const MonoInstant began = this->clock_->mono();
    ::waitpid(act_in_a_child(type, std::move(with)), nullptr, 0);
    return this->clock_->mono() - began;
  }

  // Kills it, with all it started, after so long.
  void act_and_die(std::string_view type, Value::Map with, Duration after) {
    const pid_t child = act_in_a_child(type, std::move(with));
    this->clock_->pause(after);
    kill_session(child);
  }

  void kill_session(pid_t child) {
    for (const DirectoryEntry& entry : *this->fs_->list_dir("/proc")) {
      const pid_t pid = std::atoi(entry.name.c_str());
      if (pid > 0 && ::getsid(pid) == child) ::kill(pid, SIGKILL);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }

  // What the engine does with a step found without an outcome. Returns its outputs.
  Result<Value> resume(std::string_view type, Value::Map with) {
    const StepType& step = *find_step_type(type);
    StepContext one = this->context(type, std::move(with));
    if (const auto text = read_file(*this->fs_, recorded_file(), 1 << 20); text.ok()) {
      one.recorded = *parse_json(as_text(*text));
      DR_TRY(const Happened happened, step.reconcile(one));
      if (happened == Happened::kYes) {
        this->recorded_ = one.recorded;
        return one.outputs;
      }
    }
    DR_TRY(one.recorded, step.prepare(one));
    this->recorded_ = one.recorded;
    return step.act(one);
  }

  Path recorded_file() { return this->scratch_.path() / "recorded"; }
  void forget(std::string_view type) {
    static_cast<void>(this->fs_->remove_file(recorded_file()));
    static_cast<void>(this->fs_->remove_file(this->scratch_.path() / (std::string(type) + ".note.json")));
  }
};

using KilledRecovery = Killed<Recovery>;
using KilledSetAside = Killed<SetAside>;
using KilledBeside = Killed<Beside>;

TEST_F(KilledRecovery, ARestoreBegunAgainComesToTheSameEnd) {
  PostgresServer& server = empty_server();
  const Duration whole = time_of("postgres.restore", restore_with(first_));
  constexpr int kRounds = 6;
  for (int round = 0; round < kRounds; ++round) {
    must_undo("postgres.restore", restore_with(first_));
    forget("postgres.restore");
    act_and_die("postgres.restore", restore_with(first_), whole * round / kRounds);
    act_and_die("postgres.restore", restore_with(first_), whole * (round + 1) / kRounds);
    const auto outputs = resume("postgres.restore", restore_with(first_));
    ASSERT_TRUE(outputs.ok()) << "round " << round << ": " << outputs.error().what;
    EXPECT_EQ(outputs->find("counts")->integer_at("apidb.public.profiles"), 20000);
    EXPECT_EQ(users(server), "3");
    EXPECT_EQ(server.value("SELECT count(*) FROM profiles", "apidb"), "20000");
  }
}

TEST_F(KilledSetAside, ADirectoryIsWholeUnderOneNameAndOnlyOne) {
  for (int round = 0; round < 10; ++round) {
    act_and_die("postgres.set_aside", {}, round * Duration(1ms));
    EXPECT_NE(there(data_), beside("data.damaged-").size() == 1) << "round " << round;
    const auto outputs = resume("postgres.set_aside", {});
    ASSERT_TRUE(outputs.ok()) << outputs.error().what;
    EXPECT_FALSE(there(data_));
    EXPECT_TRUE(there(Path(outputs->text_at("aside")) / "PG_VERSION"));
    must_undo("postgres.set_aside", {});
    forget("postgres.set_aside");
  }
}

TEST_F(KilledBeside, ADumpBesideBegunAgainComesToTheSameEnd) {
  const Duration whole = time_of("postgres.restore_beside", with_archive());
  constexpr int kRounds = 6;
  for (int round = 0; round < kRounds; ++round) {
    must_undo("postgres.restore_beside", with_archive());
    forget("postgres.restore_beside");
    act_and_die("postgres.restore_beside", with_archive(), whole * (round + 1) / (kRounds + 1));
    const auto outputs = resume("postgres.restore_beside", with_archive());
    ASSERT_TRUE(outputs.ok()) << outputs.error().what;
    EXPECT_EQ(bookings("hotel_restore"), "500");
  }
}

TEST_F(KilledBeside, ASwitchHappenedWhollyOrNotAtAll) {
  must("postgres.restore_beside", with_archive());
  const Duration whole = time_of("postgres.switch", names());
  constexpr int kRounds = 16;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(resume("postgres.switch", names()).ok());
    EXPECT_EQ(bookings("hotel"), "500");
    must_undo("postgres.switch", names());
    EXPECT_EQ(bookings("hotel"), "400");
    forget("postgres.switch");
    act_and_die("postgres.switch", names(), whole * (round + 1) / kRounds);
    EXPECT_THAT(bookings_after_a_kill(), testing::AnyOf("400", "500"));  // production is always there
  }
}

TEST_F(KilledBeside, ASwitchKilledBetweenItsRenamesLeavesBothNamesAsTheyWere) {
  must("postgres.restore_beside", with_archive());
  // Holds up the second rename, and only that.
  const auto holder = connect(production(), "postgres");
  DR_CHECK(holder->query("BEGIN").ok());
  DR_CHECK(holder->query("SELECT 1 FROM pg_database WHERE datname = 'hotel_restore' FOR UPDATE").ok());
  const pid_t child = act_in_a_child("postgres.switch", names());
  while (production().value(
             "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'") == "0")
    clock_->pause(5ms);
  kill_session(child);
  DR_CHECK(holder->query("ROLLBACK").ok());
  EXPECT_EQ(bookings_after_a_kill(), "400");
  ASSERT_TRUE(resume("postgres.switch", names()).ok());
  EXPECT_EQ(bookings("hotel"), "500");
}

// A repository with a snapshot of a server, and log up to its end.
class FromThePoint : public Killed<Recovery> {
 protected:
  FromThePoint() {
    random_ = real_random();
    const Path repository = scratch_.path() / "repository";
    DR_CHECK(fs_->create_dir(repository).ok());
    KeyFile key;
    key.repository = random_->id<RepositoryId>();
    config_.repository.key.file = scratch_.path() / "key";
    config_.repository.copies = {{.name = "here", .url = "file://" + repository.string()}};
    DR_CHECK(replace_file(*fs_, config_.repository.key.file, as_bytes(print_key_file(key))).ok());
    const auto store = *open_directory_store(*fs_, *random_, repository);
    DR_CHECK(Repository::create({"here", store.get()}, key, *clock_, *random_).ok());
    back_up();
    target_ = production().make_directory("restored-" + scratch_.path().filename().string()) / "data";
    config_.datastores[0].data_directory = target_;
  }

  void back_up() {
    const auto opened = *open_configured_repository(*fs_, *clock_, *random_, config_.repository,
                                                    [](const SecretReference&) { return std::string(); });
    const auto server = postgres::libpq_replication(production().settings(), "daruma", *clock_);
    postgres::BackupOptions options;
    options.datastore = "databases";
    options.writer = random_->id<WriterId>();
    const auto taken = postgres::take_backup(*server, *opened.repository, *clock_, options, {});
    DR_CHECK(taken.ok());
  }
  void expect_it_starts_and_holds_everything() {
    PostgresServer restored(target_);
    restored.start();
    restored.wait_for_writes();
    EXPECT_EQ(restored.value("SELECT count(*) FROM users", "authdb"), "3");
  }

  std::unique_ptr<Random> random_;
  Path target_;
};

TEST_F(FromThePoint, APointIsFoundProvenAndRestoredForTheServersOwnUser) {
  const Value found = must("postgres.find_point", {});
  EXPECT_EQ(found.text_at("source"), "point");
  EXPECT_EQ(must("postgres.wal_archive", {{"whole", true}}).integer_at("gaps"), 0);
  const Value restored = must("postgres.restore_point", {{"at", found.text_at("at")}});
  EXPECT_EQ(restored.text_at("directory"), target_.string());
  expect_it_starts_and_holds_everything();
}

TEST_F(FromThePoint, AMomentBeforeTheFirstSnapshotIsRefused) {
  EXPECT_THAT(refused("postgres.find_point", {{"before", "2020-01-01T00:00:00Z"}}), HasSubstr("2020"));
}

TEST_F(FromThePoint, ARestoreOfAPointBegunAgainComesToTheSameEnd) {
  for (const Duration after : {20ms, 80ms, 200ms, 350ms}) act_and_die("postgres.restore_point", {}, after);
  const auto outputs = resume("postgres.restore_point", {});
  ASSERT_TRUE(outputs.ok()) << outputs.error().what;
  expect_it_starts_and_holds_everything();
}

TEST_F(FromThePoint, ADirectoryOfSomebodyElseIsNotRestoredInto) {
  DR_CHECK(fs_->create_dir(target_).ok());
  DR_CHECK(replace_file(*fs_, target_ / "precious", as_bytes("x")).ok());
  EXPECT_THAT(refused("postgres.restore_point", {}), HasSubstr("is not empty"));
}

// A new cluster with the configuration of one that was set aside.
class Anew : public Killed<Recovery> {
 protected:
  Anew() {
    old_.sql("ALTER SYSTEM SET work_mem = '9MB'");
    target_ = old_.make_directory("anew") / "data";
    config_.datastores[0].data_directory = target_;
  }
  Value::Map with() {
    return {{"like", old_.data().string()}, {"superuser_password", Value::Map{{"file", password_.string()}}}};
  }
  void expect_a_new_cluster_like_the_old_one() {
    PostgresServer made(target_);
    made.start();
    EXPECT_EQ(made.value("SHOW max_connections"), "23");
    EXPECT_EQ(made.value("SHOW work_mem"), "9MB");
    EXPECT_EQ(made.value("SHOW data_checksums"), "off");
    EXPECT_EQ(
        made.value("SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'postgres'"),
        "t");
    EXPECT_EQ(made.value("SELECT count(*) FROM pg_database"), "3");
  }
  struct Started : PostgresServer {
    Started() : PostgresServer({.checksums = false, .configuration = {"max_connections = 23"}}) { start(); }
  };
  Path password_ = [this] {
    DR_CHECK(replace_file(*fs_, scratch_.path() / "password", as_bytes("it's \\ secret\n")).ok());
    return scratch_.path() / "password";
  }();
  Started old_;
  Path target_;
};

TEST_F(Anew, AClusterIsMadeLikeTheOldOneAndKeptByUndo) {
  must("postgres.init", with());
  expect_a_new_cluster_like_the_old_one();
  EXPECT_THAT(refused("postgres.init", with()), HasSubstr("is not empty"));
  must_undo("postgres.init", with());
  EXPECT_FALSE(*exists(*fs_, target_));
}

TEST_F(Anew, AClusterBegunAgainComesToTheSameEnd) {
  for (const Duration after : {20ms, 300ms, 700ms}) act_and_die("postgres.init", with(), after);
  const auto outputs = resume("postgres.init", with());
  ASSERT_TRUE(outputs.ok()) << outputs.error().what;
  expect_a_new_cluster_like_the_old_one();
}

}  // namespace
}  // namespace daruma::run
