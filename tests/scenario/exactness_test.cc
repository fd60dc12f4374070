// Goal: what is recovered is what was there, at every kind of point: each database's pg_dump byte for byte
// that of the original at the same moment, indexes and checksums sound, and the next INSERT works.
// Method: a server with everything that is easily forgotten stands still at a mark while it is dumped; later
// each mark is restored and dumped again.
#include <gmock/gmock.h>

#include <functional>
#include <map>

#include "fmt/format.h"
#include "os/files.h"
#include "support/daruma_program.h"
#include "support/server_picture.h"

namespace daruma {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kOddName = "日本 \"x\" %f 'q'";

// What was there, and how to ask for it.
struct Mark {
  std::string at;
  ServerPicture picture;
};

class Exactness : public testing::Test {
 protected:
  explicit Exactness(PostgresOptions options = {.wal_segment_mib = 1,
                                                .configuration = {"autovacuum = off",
                                                                  "max_prepared_transactions = 10"}})
      : server_(std::move(options)) {
    server_.start();
  }

  void protect(const DarumaSetup& setup = {}) {
    daruma_.emplace(server_, setup);
    daruma_->must({"init"});
    daruma_->start_serving();
    daruma_->wait_for_green();
  }
  // All that the server has written is in the repository.
  void capture_everything() {
    daruma_->wait_until("capture of everything", [&] {
      return server_.value(
                 "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'daruma' AND "
                 "flush_lsn >= pg_current_wal_flush_lsn()") == "1";
    });
  }

  std::string now() {
    return server_.value(
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
        "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  }
  // The moment after everything so far; what follows is later.
  Mark mark_time() {
    Mark mark{"", take_picture(server_)};
    mark.at = now();
    return mark;
  }
  Mark mark_name(const std::string& name) {
    Mark mark{"name:" + name, take_picture(server_)};
    server_.sql("SELECT pg_create_restore_point('" + name + "')");
    return mark;
  }
  // The record that begins at the position belongs to it, so it is one that changes nothing.
  Mark mark_position() {
    Mark mark{"", take_picture(server_)};
    mark.at = "lsn:" + server_.value("SELECT pg_current_wal_insert_lsn()");
    server_.sql("SELECT pg_logical_emit_message(false, 'nothing', 'changes')");
    return mark;
  }
  // A transaction that does `statement`, and its number.
  std::string transaction(const std::string& statement, const std::string& database) {
    return server_.value(
        "WITH work AS (" + statement + " RETURNING 1) SELECT pg_current_xact_id() FROM work LIMIT 1",
        database);
  }

  // A transaction left prepared under `name`.
  void prepare(const std::string& name, const std::string& statement, const std::string& database) {
    const auto clock = real_clock();
    postgres::ConnectionSettings to = server_.settings();
    to.dbname = database;
    const auto connection = postgres::connect_sql(to, *clock, clock->after(60s));
    ASSERT_TRUE(connection.ok());
    for (const std::string& step : {std::string("BEGIN"), statement, "PREPARE TRANSACTION '" + name + "'"})
      ASSERT_TRUE((*connection)->query(step).ok());
  }

  // Restores to `mark` and lets `look` at the server there.
  void restore(const Mark& mark, const std::vector<std::string>& options,
               const std::function<void(PostgresServer&)>& look) {
    SCOPED_TRACE(mark.at);
    const Path target = server_.directory() / "restored %f 'q'";
    std::vector<std::string> arguments = {"restore", "bookings", "--to", target, "--at", mark.at};
    arguments.insert(arguments.end(), options.begin(), options.end());
    daruma_->must(arguments);
    {
      PostgresServer restored(target);
      restored.start();
      restored.wait_for_writes();
      EXPECT_EQ(difference(mark.picture, take_picture(restored)), "");
      expect_sound(restored);
      restored.sql(first_insert_.statement, first_insert_.database);
      look(restored);
      restored.stop();
      const ProcessExit checked = restored.tool("pg_checksums", {"--check", "-D", target});
      EXPECT_EQ(checked.code, 0) << checked.output;
    }
    for (const char* ending : {"", ".tablespaces", ".configuration"})
      ASSERT_TRUE(remove_tree(daruma_->fs(), target.native() + ending).ok());
  }
  void restore(const Mark& mark, const std::vector<std::string>& options = {}) {
    restore(mark, options, [](PostgresServer&) {});
  }
  static void expect_sound(PostgresServer& server) {
    const ProcessExit checked =
        server.tool("pg_amcheck", {"--all", "--install-missing", "--heapallindexed", "--parent-check"});
    EXPECT_EQ(checked.code, 0) << checked.output;
  }

  struct FirstInsert {
    std::string database;
    std::string statement;  // must work on every server that was recovered
  };

  PostgresServer server_;
  std::optional<DarumaProgram> daruma_;
  FirstInsert first_insert_;
};

// Two databases, one of them with a name that every layer must quote and all of it in a tablespace; every
// kind of index, TOAST, partitions, large objects, sequences, roles, prepared transactions.
class EverythingEasilyForgotten : public Exactness {
 protected:
  EverythingEasilyForgotten() {
    server_.sql("CREATE ROLE clerk LOGIN PASSWORD 'a secret'");
    server_.sql("CREATE TABLESPACE fast LOCATION '" + server_.make_directory("fast disk").native() + "'");
    server_.sql("CREATE DATABASE hotel OWNER clerk");
    server_.sql(R"(CREATE DATABASE "日本 ""x"" %f 'q'" TABLESPACE fast)");
    for (const char* statement : kHotel) server_.sql(statement, "hotel");
    for (const char* statement : kOdd) server_.sql(statement, kOddName);
    prepare("before the snapshot", kPay, "hotel");
    first_insert_ = {"hotel", "INSERT INTO bookings (guest, room, nights) VALUES ('first', 1, 'empty')"};
  }

  static constexpr const char* kHotel[] = {
      "CREATE EXTENSION btree_gist",
      ("CREATE TABLE bookings (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, guest text NOT NULL,"
       " room int NOT NULL, nights daterange NOT NULL, tags text[], position point, note text,"
       " EXCLUDE USING gist (room WITH =, nights WITH &&))"),
      "CREATE INDEX ON bookings USING hash (guest)",
      "CREATE INDEX ON bookings USING gin (tags)",
      "CREATE INDEX ON bookings USING brin (room)",
      "CREATE INDEX ON bookings USING spgist (position)",
      "CREATE INDEX ON bookings (lower(guest)) WHERE room > 3",
      "ALTER TABLE bookings ALTER note SET STORAGE EXTERNAL",
      ("INSERT INTO bookings (guest, room, nights, tags, position, note) SELECT 'guest ' || i, i, "
       "daterange(date '2026-01-01' + i, date '2026-01-03' + i), ARRAY['t' || i % 7], point(i, i % 13),"
       " repeat(md5(i::text), CASE WHEN i % 100 = 0 THEN 300 ELSE 1 END) FROM generate_series(1, 3000) i"),
      "CREATE TABLE payments (day date NOT NULL, amount numeric) PARTITION BY RANGE (day)",
      "CREATE TABLE payments_2025 PARTITION OF payments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
      ("CREATE TABLE payments_2026 PARTITION OF payments FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') "
       "TABLESPACE fast"),
      "INSERT INTO payments SELECT date '2025-06-01' + i, i * 1.5 FROM generate_series(1, 400) i",
      "CREATE SEQUENCE \"voucher's %p\" START 1000 INCREMENT 7",
      "CREATE MATERIALIZED VIEW busy AS SELECT room, count(*) FROM bookings GROUP BY room",
      "SELECT lo_from_bytea(0, decode(repeat(md5(i::text), 400), 'hex')) FROM generate_series(1, 20) i",
      "CREATE UNLOGGED TABLE scratch (n int)",
  };
  static constexpr const char* kOdd[] = {
      "CREATE TABLE \"Tab%le \"\"q\"\" 表 \\ '\" (\"co l\" text PRIMARY KEY, \"%p\" int)",
      "INSERT INTO \"Tab%le \"\"q\"\" 表 \\ '\" SELECT 'row ' || i, i FROM generate_series(1, 500) i",
  };

  static constexpr const char* kPay = "INSERT INTO payments VALUES ('2026-05-05', 19)";

  void work(int from) {
    server_.sql(fmt::format("INSERT INTO bookings (guest, room, nights) SELECT 'late ' || i, i, 'empty' FROM "
                            "generate_series({}, {}) i",
                            from, from + 50),
                "hotel");
    server_.sql("DELETE FROM bookings WHERE id % 17 = 3", "hotel");
    server_.sql("UPDATE \"Tab%le \"\"q\"\" 表 \\ '\" SET \"%p\" = \"%p\" + 1", kOddName);
    server_.sql("SELECT nextval('\"voucher''s %p\"')", "hotel");
    server_.sql("SELECT lo_unlink(min(oid)) FROM pg_largeobject_metadata", "hotel");
  }
  static void expect_usable(PostgresServer& server) {
    EXPECT_EQ(
        server.value("INSERT INTO bookings (guest, room, nights) VALUES ('first', 1, 'empty') RETURNING "
                     "id > (SELECT max(id) FROM bookings)",
                     "hotel"),
        "t");
    EXPECT_EQ(server.value("SELECT nextval('\"voucher''s %p\"') > 1000", "hotel"), "t");
    server.sql("INSERT INTO scratch VALUES (1)", "hotel");
    server.sql("COMMIT PREPARED 'before the snapshot'", "hotel");
    EXPECT_EQ(server.value("SELECT count(*) FROM payments WHERE amount = 19", "hotel"), "1");
  }
};

TEST_F(EverythingEasilyForgotten, IsThereAtEveryKindOfPoint) {
  const Mark immediate{"immediate", take_picture(server_)};
  // Whatever a shell, YAML or PostgreSQL might read in a path.
  protect({.repository = "repository %p 'q'", .key = "the key's %f"});
  work(10'000);
  const Mark time = mark_time();
  work(20'000);
  prepare("after the snapshot", kPay, "hotel");
  const Mark name = mark_name("before the 移行 %p");
  // PostgreSQL itself would stop and wait here for a human: what is restored was configured with less.
  server_.sql("ALTER SYSTEM SET max_connections = 150");
  server_.sql("ALTER SYSTEM SET max_locks_per_transaction = 100");
  server_.restart();
  daruma_->wait_for_green();
  work(30'000);
  const Mark position = mark_position();
  Mark without{"before:xid:", take_picture(server_)};
  const std::string xid = transaction("UPDATE bookings SET note = 'wrong' WHERE room > 5", "hotel");
  without.at += xid;
  const Mark with{"xid:" + xid, take_picture(server_)};
  server_.sql("COMMIT PREPARED 'after the snapshot'", "hotel");
  server_.sql("DROP MATERIALIZED VIEW busy", "hotel");
  Mark latest{"latest", take_picture(server_)};
  const Mark after_the_last_commit{now(), latest.picture};
  capture_everything();

  restore(immediate);
  restore(time);
  restore(name, {}, expect_usable);
  restore(position);
  restore(without);
  restore(with);
  restore(after_the_last_commit);
  restore(latest);
}

class TimelineSwitch : public Exactness {
 protected:
  TimelineSwitch() {
    server_.sql("CREATE TABLE bookings (id serial PRIMARY KEY, guest text)");
    server_.sql("CREATE TABLE rooms (id serial PRIMARY KEY, name text)");
    first_insert_ = {"postgres", "INSERT INTO bookings (guest) VALUES ('first')"};
    protect();
  }
  void book(const std::string& guest, int bookings = 100) {
    server_.sql(fmt::format("INSERT INTO bookings (guest) SELECT '{} ' || i FROM generate_series(1, {}) i",
                            guest, bookings));
  }
};

TEST_F(TimelineSwitch, LeavesBothWhatWasUndoneAndWhatCameAfterWithinReach) {
  book("early");
  const Mark before = mark_time();
  server_.sql("DELETE FROM bookings WHERE id % 2 = 0");
  book("mistaken");
  const Mark mistaken = mark_time();
  book("lost");
  const Mark end_of_first{"latest", take_picture(server_)};
  capture_everything();
  server_.stop();

  daruma_->recover(before.at);
  EXPECT_EQ(difference(before.picture, take_picture(server_)), "");
  daruma_->wait_for_green();
  book("second life");
  const Mark second = mark_time();
  server_.sql("INSERT INTO rooms (name) VALUES ('after the second')");
  const Mark latest{"latest", take_picture(server_)};
  capture_everything();

  restore(before);
  restore(mistaken);
  restore(second);
  restore(latest);
  restore(end_of_first, {"--timeline", "1"});
}

class ConfigurationInEtc : public Exactness {
 protected:
  ConfigurationInEtc()
      : Exactness({.configuration_outside = true,
                   .configuration = {"max_prepared_transactions = 10", "archive_mode = on",
                                     "archive_command = 'false'", "synchronous_standby_names = ''"}}) {}
};

TEST_F(ConfigurationInEtc, IsKeptBesideADirectoryThatStartsByItself) {
  server_.sql("CREATE TABLE bookings AS SELECT i FROM generate_series(1, 1000) i");
  first_insert_ = {"postgres", "INSERT INTO bookings VALUES (0)"};
  prepare("needs the setting", "INSERT INTO bookings VALUES (1001)", "postgres");
  protect();
  const Mark latest{"latest", take_picture(server_)};
  capture_everything();
  restore(latest, {}, [&](PostgresServer& restored) {
    EXPECT_EQ(restored.value("SHOW archive_mode"), "off");
    EXPECT_EQ(restored.value("SHOW config_file"), (restored.data() / "postgresql.conf").native());
    for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"}) {
      const auto kept =
          read_file(daruma_->fs(), restored.data().native() + ".configuration/" + name, 1 << 20);
      const auto original = read_file(daruma_->fs(), server_.directory() / "etc" / name, 1 << 20);
      ASSERT_TRUE(kept.ok()) << kept.error().what;
      EXPECT_EQ(as_text(*kept), as_text(*original));
    }
  });
}

// Its table is loaded without WAL, which takes wal_level = minimal.
class LargeRelation : public Exactness {
 protected:
  LargeRelation()
      : Exactness({.configuration = {"autovacuum = off", "wal_level = minimal", "max_wal_senders = 0",
                                     "max_wal_size = 4GB"}}) {
    // One row a page.
    server_.sql("CREATE TABLE wide (n int, version int, filler text) WITH (fillfactor = 10)");
    server_.sql("ALTER TABLE wide ALTER filler SET STORAGE PLAIN");
    server_.sql(
        fmt::format("DO $$ BEGIN TRUNCATE wide; INSERT INTO wide SELECT i, i % 97, i || repeat('.', 500) "
                    "FROM generate_series(1, {}) i; END $$",
                    kPages));
    server_.sql("CREATE INDEX ON wide (n)");
    server_.write_file("postgresql.auto.conf", "wal_level = replica\nmax_wal_senders = 10\n");
    server_.restart();
    first_insert_ = {"postgres", "INSERT INTO wide VALUES (0, 0, 'first')"};
    protect();
  }
  static constexpr int kPages = 131'072 + 2'000;  // 1 GiB and some
};

TEST_F(LargeRelation, IsExactOnBothSidesOfTheGibibyte) {
  EXPECT_TRUE(std::filesystem::exists(server_.data() /
                                      (server_.value("SELECT pg_relation_filepath('wide')") + ".1")));
  server_.sql("UPDATE wide SET version = version + 1, filler = 'changed' WHERE n % 1000 = 7");
  server_.sql("INSERT INTO wide SELECT -i, i, 'new' FROM generate_series(1, 500) i");
  const Mark changed = mark_name("changed");
  server_.sql("DELETE FROM wide WHERE (ctid::text::point)[0] > 130000");
  server_.sql("VACUUM (INDEX_CLEANUP ON, TRUNCATE ON) wide");  // cuts off the second segment file
  const Mark cut{"latest", take_picture(server_)};
  EXPECT_EQ(server_.value("SELECT pg_relation_size('wide') < 1 << 30"), "t");
  capture_everything();

  restore(changed);
  restore(cut);
}

}  // namespace
}  // namespace daruma
