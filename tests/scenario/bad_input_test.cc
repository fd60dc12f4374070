// Goal: whatever is wrong with what Daruma is given, it says what and what to do next, ends with the right
// code, and loses and touches nothing.
#include <gmock/gmock.h>

#include <algorithm>

#include "fmt/format.h"
#include "os/files.h"
#include "repository/envelope.h"
#include "support/booking_load.h"
#include "support/daruma_program.h"
#include "support/small_disk.h"

namespace daruma {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

enum Code { kDone = 0, kFailed = 1, kUsage = 2, kRefused = 3, kStop = 200 };

// All files below a directory, with their sizes: what must not change.
std::vector<std::string> files_below(const Path& directory) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file())
      out.push_back(fmt::format("{} {}", entry.path().native(), entry.file_size()));
  std::sort(out.begin(), out.end());
  return out;
}

class BadInput : public testing::Test {
 protected:
  BadInput() {
    server_.start();
    create_booking_tables(server_);
  }

  void book(int bookings) {
    server_.sql(
        fmt::format("INSERT INTO bookings SELECT 'client', n + coalesce((SELECT max(number) FROM "
                    "bookings), 0), 'some payload' FROM generate_series(1, {}) n",
                    bookings));
  }
  std::string count(PostgresServer& server) { return server.value("SELECT count(*) FROM bookings"); }
  void expect_ends(const std::vector<std::string>& arguments, int code,
                   const testing::Matcher<const std::string&>& says) {
    const ProcessExit ended = daruma_.run(arguments);
    EXPECT_EQ(ended.code, code);
    EXPECT_THAT(ended.output, says);
  }
  std::vector<std::string> repository_files() { return files_below(server_.directory() / "repository"); }
  Path path(const std::string& name) { return server_.directory() / name; }
  bool there(const Path& path) { return std::filesystem::exists(path); }
  std::string text_of(const std::string& name) {
    return std::string(as_text(*read_file(daruma_.fs(), path(name), 1 << 20)));
  }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(replace_file(daruma_.fs(), path(name), as_bytes(text), 0644).ok());
  }

  // Its newest commit's name.
  std::string newest_commit() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path("repository") / "commits"))
      if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(path("repository")));
    return *std::max_element(names.begin(), names.end());
  }
  void require_feature(const std::string& object, ObjectType type) {
    const Keys keys(*parse_key_file(text_of("daruma.key")));
    const Bytes old = *read_file(daruma_.fs(), path("repository") / object, 1 << 20);
    const auto opener = ObjectOpener::open(keys, type, object, old);
    ASSERT_TRUE(opener.ok());
    ObjectSealer sealer(keys, *real_random(), type, opener->id(), object, opener->clear_section(),
                        {.required = {"time-travel"}, .optional = {}});
    RecordCursor cursor(*opener, old);
    while (!cursor.at_end()) sealer.append(*cursor.next());
    ASSERT_TRUE(replace_file(daruma_.fs(), path("repository") / object, sealer.view(), 0644).ok());
  }

  // Segments of 1 MiB, and hardly any kept: WAL that nobody holds is soon gone.
  PostgresServer server_{
      {.wal_segment_mib = 1, .configuration = {"min_wal_size = 2MB", "max_wal_size = 2MB"}}};
  DarumaProgram daruma_{server_};
};

TEST_F(BadInput, AnUnknownSettingIsNamedWithItsPlace) {
  daruma_.write_configuration(DarumaProgram::configuration(server_, {}) + "    snapshot: {every: 6h}\n");
  expect_ends({"init"}, kUsage,
              AllOf(HasSubstr("daruma.yaml:11:5: "), HasSubstr("snapshot"), HasSubstr("snapshots")));
  EXPECT_FALSE(there(path("repository")));
}

TEST_F(BadInput, WithoutARepositoryItSaysHowToMakeOne) {
  const auto no_repository =
      AllOf(HasSubstr("there is no repository in file:///"), HasSubstr("`daruma init`"));
  for (const char* command : {"backup", "points", "verify", "serve", "status"})
    expect_ends({command}, kFailed, no_repository);
  expect_ends({"restore", "bookings", "--to", "restored"}, kFailed, no_repository);
  EXPECT_FALSE(there(path("repository")));
  EXPECT_FALSE(there(path("restored")));
}

TEST_F(BadInput, AKeyThatDoesNotFitOpensNothing) {
  daruma_.must({"init"});
  daruma_.must({"backup"});
  daruma_.configure({.repository = "another", .key = "another.key"});
  daruma_.must({"init"});
  const auto before = repository_files();

  daruma_.configure({.key = "another.key"});
  const auto wrong =
      AllOf(HasSubstr("it belongs to repository "), HasSubstr("use the key file of this repository"));
  expect_ends({"backup"}, kUsage, wrong);
  expect_ends({"restore", "bookings", "--to", "restored"}, kUsage, wrong);
  expect_ends({"init"}, kFailed, HasSubstr("there is a repository in file:///"));

  const std::string whole = text_of("daruma.key");
  write("half.key", whole.substr(0, whole.size() / 2));
  daruma_.configure({.key = "half.key"});
  const auto half = AllOf(HasSubstr("half.key: "), HasSubstr("restore it from the copy you keep apart"));
  expect_ends({"points"}, kUsage, half);
  expect_ends({"restore", "bookings", "--to", "restored"}, kUsage, half);

  daruma_.configure({.key = "lost.key"});
  const auto lost = AllOf(HasSubstr("there is no key file "), HasSubstr("lost.key"), HasSubstr("its copy"));
  expect_ends({"restore", "bookings", "--to", "restored"}, kFailed, lost);
  EXPECT_FALSE(there(path("lost.key")));
  EXPECT_FALSE(there(path("restored")));

  EXPECT_EQ(repository_files(), before);
  daruma_.configure({});
  daruma_.must({"verify", "--read-data"});
}

// An object as a later version may write it: with a feature without which it must not be read.
TEST_F(BadInput, WhatRequiresAnUnknownFeatureIsNotReadAndNamed) {
  daruma_.must({"init"});
  daruma_.must({"backup"});
  const auto unknown = HasSubstr("it requires the feature 'time-travel', which this program does not know");
  book(10);
  daruma_.must({"backup"});
  const std::string newest = newest_commit();
  require_feature(newest, ObjectType::kCommit);
  const auto named = AllOf(HasSubstr(newest), unknown);
  expect_ends({"points", "bookings"}, kDone, named);
  expect_ends({"verify"}, kFailed, named);
  expect_ends({"restore", "bookings", "--to", "restored"}, kFailed, AllOf(HasSubstr("has a hole"), named));
  expect_ends({"restore", "bookings", "--to", "restored", "--at", "immediate", "--plan"}, kDone, named);

  require_feature("repository", ObjectType::kRepository);
  const auto before = repository_files();
  for (const char* command : {"backup", "points", "verify", "serve", "status"})
    expect_ends({command}, kUsage, AllOf(unknown, HasSubstr("use a newer daruma")));
  expect_ends({"restore", "bookings", "--to", "restored"}, kUsage, unknown);
  EXPECT_FALSE(there(path("restored")));
  EXPECT_EQ(repository_files(), before);
}

TEST_F(BadInput, ATargetInUseIsNotTouched) {
  daruma_.must({"init"});
  daruma_.must({"backup"});
  expect_ends({"restore", "bookings", "--to", server_.data()}, kRefused,
              AllOf(HasSubstr("a PostgreSQL server (pid "), HasSubstr("set the directory aside")));
  expect_ends({"restore", "bookings", "--to", server_.data() / "restored"}, kRefused,
              HasSubstr("which is a PostgreSQL data directory"));
  book(1);
  server_.stop();
  const auto data = files_below(server_.data());
  expect_ends({"restore", "bookings", "--to", server_.data()}, kRefused,
              AllOf(HasSubstr("data is not empty"), HasSubstr("mv "), HasSubstr("data.damaged")));
  EXPECT_EQ(files_below(server_.data()), data);
  server_.start();
  EXPECT_EQ(count(server_), "1");
}

TEST_F(BadInput, APointThatIsNotThereIsRefusedBeforeAnythingIsWritten) {
  daruma_.must({"init"});
  expect_ends({"restore", "bookings", "--to", "restored"}, kFailed,
              AllOf(HasSubstr("bookings"), HasSubstr("snapshot"), HasSubstr("daruma backup")));
  daruma_.must({"backup"});
  const auto to = [&](const std::string& at, int code, const testing::Matcher<const std::string&>& says) {
    SCOPED_TRACE(at);
    expect_ends({"restore", "bookings", "--to", "restored", "--at", at}, code, says);
  };
  to("2001-02-03T04:05:06Z", kRefused,
     AllOf(HasSubstr("is before anything that can be recovered: the first snapshot of bookings"),
           HasSubstr("the earliest moment is --at 20")));
  to("2999-01-01T00:00:00Z", kUsage,
     AllOf(HasSubstr("2999-01-01T00:00:00Z is in the future"), HasSubstr("--at latest")));
  to("lsn:FF/0", kRefused,
     AllOf(HasSubstr("FF/0 is past the end of the log held"), HasSubstr("--at latest")));
  to("lsn:0/1", kRefused, HasSubstr("is before anything that can be recovered"));
  to("xid:4000000000", kRefused,
     HasSubstr("the end of transaction 4000000000 is not in the log held of bookings"));
  to("name:nobody-made-it", kRefused, HasSubstr("restore point 'nobody-made-it' is not in the log held"));
  to("2026-01-01 10:00", kUsage, HasSubstr("2026-01-01 10:00"));
  to("yesterday", kUsage, HasSubstr("yesterday"));
  expect_ends({"restore", "bookings", "--to", "restored", "--timeline", "7"}, kRefused,
              HasSubstr("no WAL of timeline 7 of bookings is held"));
  expect_ends({"restore", "guests", "--to", "restored"}, kFailed, HasSubstr("guests"));
  EXPECT_FALSE(there(path("restored")));
}

TEST_F(BadInput, AnotherDatabaseClusterIsNotMixedIn) {
  daruma_.must({"init"});
  daruma_.must({"backup"});
  const auto before = repository_files();
  PostgresServer other{{.wal_segment_mib = 1}};
  other.start();
  std::string yaml = DarumaProgram::configuration(server_, {});
  const std::string old_host = fmt::format("host: \"{}\"", server_.directory().native());
  yaml.replace(yaml.find(old_host), old_host.size(), fmt::format("host: \"{}\"", other.directory().native()));
  daruma_.write_configuration(yaml);

  const auto refused = AllOf(HasSubstr("the server's system identifier is " +
                                       other.value("SELECT system_identifier FROM pg_control_system()")),
                             HasSubstr("and datastore 'bookings' in this repository is of " +
                                       server_.value("SELECT system_identifier FROM pg_control_system()")),
                             HasSubstr("give it a datastore name of its own"));
  expect_ends({"backup"}, kRefused, refused);
  daruma_.start_serving();
  daruma_.wait_until("the refusal", [&] { return daruma_.status("capture") == "stopped"; });
  EXPECT_FALSE(daruma_.green());
  EXPECT_THAT(daruma_.serve_log(), AllOf(HasSubstr("ALARM"), refused));
  EXPECT_EQ(daruma_.stop_serving().code, kDone);
  EXPECT_EQ(other.value("SELECT count(*) FROM pg_replication_slots"), "0");
  EXPECT_EQ(repository_files(), before);
}

TEST_F(BadInput, MissingRightsSayWhatToRun) {
  daruma_.must({"init"});
  server_.sql("CREATE ROLE guest LOGIN");
  daruma_.configure({.connection = "user: guest"});
  const auto rights = HasSubstr("as a superuser: ALTER ROLE guest REPLICATION;");
  expect_ends({"backup"}, kRefused, rights);
  daruma_.start_serving();
  daruma_.wait_until("the refusal", [&] { return daruma_.status("capture") == "stopped"; });
  EXPECT_THAT(daruma_.serve_log(), rights);
  daruma_.stop_serving();

  server_.sql("ALTER ROLE guest REPLICATION");
  server_.write_file("pg_hba.conf", "local all all trust\n");
  server_.sql("SELECT pg_reload_conf()");
  daruma_.wait_until("the new pg_hba.conf", [&] {
    const ProcessExit ended = daruma_.run({"backup"});
    return ended.code == kRefused && ended.output.find("pg_hba.conf") != std::string::npos;
  });
  expect_ends({"backup"}, kRefused, HasSubstr("\"local replication guest scram-sha-256\""));

  // A role with REPLICATION alone is enough.
  server_.write_file("pg_hba.conf", "local all all trust\nlocal replication all trust\n");
  server_.sql("SELECT pg_reload_conf()");
  daruma_.wait_until("a backup", [&] { return daruma_.run({"backup"}).code == kDone; });
  daruma_.must({"restore", "bookings", "--to", "restored"});
}

// Waiting for WAL that nobody brings would be five minutes of a bad night.
TEST_F(BadInput, ABackupDoesNotWaitForACaptureThatOnlyAPersonCanMend) {
  daruma_.must({"init"});
  server_.sql("ALTER SYSTEM SET synchronous_commit = remote_apply");
  server_.sql("SELECT pg_reload_conf()");
  daruma_.start_serving();
  daruma_.wait_until("the refusal", [&] { return daruma_.status("capture") == "stopped"; });
  book(10);
  daruma_.must({"backup"});
  daruma_.must({"restore", "bookings", "--to", "restored"});

  server_.sql("ALTER SYSTEM RESET synchronous_commit");
  server_.sql("SELECT pg_reload_conf()");
  daruma_.wait_for_green();
  EXPECT_EQ(daruma_.stop_serving().code, kDone);
  EXPECT_THAT(daruma_.serve_log(), HasSubstr("capture ends; the log is safe up to "));
}

TEST_F(BadInput, WhileTheRepositoryIsAwayPostgresqlStopsAndDoesNotPromote) {
  daruma_.must({"init"});
  daruma_.must({"backup"});
  daruma_.start_serving();
  daruma_.wait_for_green();
  book(100);
  daruma_.make_synchronous();
  book(100);
  daruma_.stop_serving();
  server_.kill9();
  server_.set_data_aside("data.damaged");
  daruma_.must({"restore", "bookings", "--to", server_.data()});

  ASSERT_TRUE(daruma_.fs().rename(path("repository"), path("repository.away")).ok());
  EXPECT_TRUE(server_.try_start(60s).is(Errc::kFailed));
  EXPECT_THAT(server_.log(), AllOf(HasSubstr("there is no repository in file:///"),
                                   Not(HasSubstr("archive recovery complete"))));
  const ProcessExit control = server_.tool("pg_controldata", {"-D", server_.data()});
  EXPECT_THAT(control.output, AllOf(HasSubstr("in archive recovery"), HasSubstr("TimeLineID:       1")));

  ASSERT_TRUE(daruma_.fs().rename(path("repository.away"), path("repository")).ok());
  server_.start();
  server_.wait_for_writes();
  EXPECT_EQ(count(server_), "200");
}

TEST_F(BadInput, WalGetStopsPostgresqlWhenItCannotKnow) {
  daruma_.must({"init"});
  daruma_.must({"backup"});
  const std::string segment = server_.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
  const auto get = [&](const std::string& file) {
    return std::vector<std::string>{"wal-get", "--datastore", "bookings", file, "data/fetched"};
  };
  // Not run in a data directory.
  expect_ends(get(segment), kStop, HasSubstr("pg_control"));
  daruma_.configure({.key = "lost.key"});
  expect_ends(get(segment), kStop, testing::_);
  expect_ends({"wal-get"}, kStop, testing::_);
  EXPECT_FALSE(there(path("data/fetched")));
}

// A slot's holder, ended again and again until the slot could be dropped.
constexpr const char* kDropSlot =
    "DO $$ BEGIN LOOP BEGIN PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active; "
    "PERFORM pg_drop_replication_slot('daruma'); EXIT; EXCEPTION WHEN object_in_use THEN NULL; END; END "
    "LOOP; "
    "END $$";

class LostSlot : public BadInput {
 protected:
  LostSlot() {
    daruma_.must({"init"});
    daruma_.start_serving();
    daruma_.wait_for_green();
    book(10);
  }
  // Until the server has removed the WAL of now.
  void write_wal_until_it_is_gone() {
    const std::string segment = server_.value("SELECT pg_walfile_name(pg_current_wal_lsn())");
    daruma_.wait_until("removal of WAL", [&] {
      server_.sql("SELECT pg_switch_wal()");
      book(1);
      server_.sql("CHECKPOINT");
      return !there(server_.data() / "pg_wal" / segment);
    });
  }
  boost::json::array log_spans() { return daruma_.json({"points", "bookings"}).at("log").as_array(); }
  size_t snapshots() { return daruma_.json({"points", "bookings"}).at("snapshots").as_array().size(); }
  // The hole was named, a new snapshot was taken by itself, and it can be recovered.
  void expect_gap_and_recovery() {
    daruma_.wait_until("a new snapshot", [&] { return snapshots() == 2; });
    daruma_.wait_for_green();
    EXPECT_THAT(daruma_.serve_log(), HasSubstr("ALARM bookings: the log has a gap from "));
    const boost::json::array spans = log_spans();
    ASSERT_EQ(spans.size(), 2u);
    EXPECT_NE(spans[0].at("to_lsn"), spans[1].at("from_lsn"));
    expect_ends({"restore", "bookings", "--to", "restored", "--timeline", "1", "--at",
                 std::string("lsn:") + std::string(spans[1].at("from_lsn").as_string())},
                kRefused, AllOf(HasSubstr("the WAL of bookings has a hole: "), HasSubstr("--at ")));
    book(5);
    const std::string expected = count(server_);
    daruma_.make_synchronous();
    server_.kill9();
    daruma_.recover("latest");
    EXPECT_EQ(count(server_), expected);
  }
};

TEST_F(LostSlot, IsMadeAgainAndNothingIsMissing) {
  server_.sql(kDropSlot);
  book(10);
  daruma_.wait_until("the slot", [&] {
    return server_.value("SELECT count(*) FROM pg_replication_slots WHERE active") == "1";
  });
  daruma_.make_synchronous();
  book(10);
  EXPECT_EQ(log_spans().size(), 1u);
  EXPECT_EQ(snapshots(), 1u);
  server_.kill9();
  daruma_.recover("latest");
  EXPECT_EQ(count(server_), "30");
}

TEST_F(LostSlot, WithItsWalIsAHoleAfterWhichANewSnapshotIsTaken) {
  daruma_.kill_serving();
  server_.sql(kDropSlot);
  write_wal_until_it_is_gone();
  daruma_.start_serving();
  // Even when nobody lives to take the snapshot that the hole asks for, the next one does.
  daruma_.wait_until("the hole", [&] { return daruma_.serve_log().find("has a gap") != std::string::npos; });
  daruma_.kill_serving();
  daruma_.start_serving();
  expect_gap_and_recovery();
}

TEST_F(LostSlot, ThatWasInvalidatedIsAHoleAfterWhichANewSnapshotIsTaken) {
  daruma_.kill_serving();
  server_.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
  server_.sql("SELECT pg_reload_conf()");
  write_wal_until_it_is_gone();
  daruma_.start_serving();
  expect_gap_and_recovery();
}

// A repository on a file system of its own, so small that it fills up.
class FullDisk : public BadInput {
 protected:
  void SetUp() override {
    if (!SmallDisk::possible()) GTEST_SKIP() << "only root can mount a small file system";
    disk_.emplace(server_.make_directory("small"), 64);
    daruma_.configure({.repository = "small/repository"});
    daruma_.must({"init"});
  }
  std::optional<SmallDisk> disk_;
};

TEST_F(FullDisk, ABackupThatDoesNotFitFailsAndHarmsNothing) {
  disk_->resize_kib(1024);
  expect_ends({"backup"}, kFailed,
              AllOf(HasSubstr("No space left on device"), HasSubstr("small/repository")));
  daruma_.must({"verify", "--read-data"});
  disk_->resize_kib(64 * 1024);
  daruma_.must({"backup"});
  daruma_.must({"verify", "--read-data"});
  daruma_.must({"restore", "bookings", "--to", "restored"});
}

TEST_F(FullDisk, CommitsWaitWhileTheRepositoryIsFullAndGoOn) {
  daruma_.start_serving();
  daruma_.make_synchronous();
  disk_->resize_kib(disk_->used_kib() + 1536);
  BookingWitness witness(daruma_.fs(), path("witness.txt"));
  BookingLoad load(server_.settings(), witness, 4, "load", 1);
  // Between two tries a little may fit, and for a moment it streams again.
  daruma_.wait_until("the full disk",
                     [&] { return daruma_.status("capture") == "stalled" && !daruma_.green(); });
  EXPECT_THAT(daruma_.serve_log(), AllOf(HasSubstr("ALARM bookings: the repository takes nothing: "),
                                         HasSubstr("No space left on device")));
  EXPECT_EQ(load.failed(), 0);

  disk_->resize_kib(64 * 1024);
  const uint64_t until = load.acknowledged() + 100;
  daruma_.wait_until("the load", [&] { return load.acknowledged() >= until; });
  daruma_.wait_for_green();
  load.end();
  server_.kill9();
  daruma_.recover("latest");
  const BookingComparison found = compare_bookings(server_, witness);
  EXPECT_EQ(found.missing + found.different, 0u);
  EXPECT_EQ(found.found, found.acknowledged);
  daruma_.must({"verify", "--read-data"});
}

}  // namespace
}  // namespace daruma
