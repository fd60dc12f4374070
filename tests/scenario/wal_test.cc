// Goal: the WAL parser sees in a real server's log what pg_waldump sees, over many segments and after
// crashes. Method: a server with small segments works (and dies); then its segment files are parsed and
// compared, record by record, with pg_waldump's word on transactions and on the XLOG manager's records.
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <thread>

#include "datastore/postgres/wal_parser.h"
#include "os/files.h"
#include "support/postgres_server.h"

namespace daruma::postgres {
namespace {

using Kind = WalEvent::Kind;
constexpr SegmentSize kSegment{1 << 20};

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos
             ? ""
             : text.substr(at + from.size(), text.find(to, at + from.size()) - at - from.size());
}

// "0/E000A8 COMMIT 773": where, what, and for whom.
std::optional<std::string> told_by(const std::string& line) {
  if (!line.starts_with("rmgr: ")) return std::nullopt;
  const std::string desc = line.substr(line.find("desc: ") + 6);
  const std::string word = desc.substr(0, desc.find_first_of(" _"));
  const bool transaction = line.starts_with("rmgr: Transaction");
  const bool wanted = transaction
                          ? word == "COMMIT" || word == "ABORT"
                          : word == "RESTORE" || word == "CHECKPOINT" || word == "SWITCH" || word == "END";
  if (!wanted || desc.starts_with("CHECKPOINT_REDO")) return std::nullopt;
  std::string xid = between(desc, "_PREPARED ", ":");
  if (xid.empty()) xid = std::to_string(std::stoul(between(line, "tx:", ",")));
  return to_string(*parse_lsn(between(line, "lsn: ", ","))) + " " + word + " " + xid;
}

std::string told_by(const WalEvent& event) {
  static const std::map<Kind, std::string> kWords = {
      {Kind::kCommit, "COMMIT"},         {Kind::kAbort, "ABORT"},   {Kind::kRestorePoint, "RESTORE"},
      {Kind::kCheckpoint, "CHECKPOINT"}, {Kind::kSwitch, "SWITCH"}, {Kind::kEndOfRecovery, "END"},
  };
  return to_string(event.start) + " " + kWords.at(event.kind) + " " + std::to_string(event.xid);
}

class Wal : public testing::Test {
 protected:
  PostgresServer server_{
      {.wal_segment_mib = 1,
       .configuration = {"max_prepared_transactions = 5", "wal_keep_size = 1GB", "max_wal_size = 1GB",
                         "wal_compression = pglz", "autovacuum = off"}}};
  int records_cut_by_a_crash_ = 0;
  Lsn start_;  // of the segment where the test's work begins

  void SetUp() override {
    server_.start();
    server_.sql("CREATE TABLE bookings(id int PRIMARY KEY, room text)");
    server_.sql("SELECT pg_switch_wal()");
    start_ = kSegment.floor(now() + (kSegment.bytes - 1));
  }
  void psql(const std::string& transaction, const std::string& then) {
    const ProcessExit ended =
        server_.tool("psql", {"-X", "-v", "ON_ERROR_STOP=1", "-c", transaction, "-c", then, "postgres"});
    EXPECT_EQ(ended.code, 0) << ended.output;
  }
  Lsn now() { return *parse_lsn(server_.value("SELECT pg_current_wal_insert_lsn()")); }

  std::string file(Lsn in_segment) {
    return server_.data() / "pg_wal" / segment_name(1, kSegment.number_of(in_segment), kSegment);
  }
  // Both read the log from start_ to its end, which is in the segment of `end`.
  std::vector<std::string> pg_waldump(Lsn end) {
    const std::string dump =
        server_.tool("pg_waldump", {"--rmgr=XLOG", "--rmgr=Transaction", file(start_), file(end)}).output;
    EXPECT_LT(dump.size(), 1u << 20) << "a tool may not say more than this, and its beginning is lost";
    std::vector<std::string> told;
    std::istringstream lines(dump);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("OVERWRITE_CONTRECORD") != std::string::npos) ++records_cut_by_a_crash_;
      if (const auto record = told_by(line)) told.push_back(*record);
    }
    return told;
  }
  std::vector<std::string> parsed(Lsn end) {
    std::vector<std::string> told;
    WalParser parser({.segment_size = kSegment}, start_,
                     [&](const WalEvent& event) { told.push_back(told_by(event)); });
    const auto fs = real_file_system();
    for (Lsn at = start_; at < end; at = at + kSegment.bytes) {
      const auto bytes = read_file(*fs, file(at), kSegment.bytes);
      EXPECT_TRUE(bytes.ok());
      const BytesView until_end = BytesView(*bytes).first(std::min(end - at, kSegment.bytes));
      const Status status = parser.feed(until_end);
      EXPECT_TRUE(status.ok()) << status.error().what;
    }
    EXPECT_EQ(parser.position(), end);
    return told;
  }
  void expect_both_tell_the_same() {
    server_.stop();
    const std::string control = server_.tool("pg_controldata", {"-D", server_.data()}).output;
    const Lsn checkpoint = *parse_lsn(between(control, "Latest checkpoint location:           ", "\n"));
    const Lsn end = checkpoint + 120;  // a shutdown checkpoint is the last record; its 114 bytes, aligned
    const auto ours = parsed(end);
    EXPECT_GT(ours.size(), 3u);
    EXPECT_EQ(ours, pg_waldump(end));
  }
};

TEST_F(Wal, OfABusyServerIsReadAsPgWaldumpReadsIt) {
  ASSERT_EQ(server_.tool("pgbench", {"-q", "-i", "-s", "1", "postgres"}).code, 0);
  ASSERT_EQ(server_.tool("pgbench", {"-n", "-c", "4", "-t", "50", "postgres"}).code, 0);
  server_.sql(
      "SELECT pg_logical_emit_message(false, 'daruma', repeat('x', 3000000))");  // over three segments
  psql(
      "BEGIN; SAVEPOINT s; INSERT INTO bookings VALUES (1, 'a'); DROP TABLE bookings; PREPARE TRANSACTION "
      "'p'",
      "COMMIT PREPARED 'p'");
  psql("BEGIN; CREATE TABLE gone(i int); PREPARE TRANSACTION 'q'", "ROLLBACK PREPARED 'q'");
  server_.sql("SELECT pg_create_restore_point('before the migration')");
  server_.sql("SELECT pg_switch_wal()");
  server_.sql("CHECKPOINT");
  expect_both_tell_the_same();
}

TEST_F(Wal, OfAServerThatDiedWhileItWroteIsReadPastEachCrash) {
  for (int crash = 0; crash < 3; ++crash) {
    const Lsn before = now();
    std::jthread writer([this] {  // ends with the server
      static_cast<void>(
          server_.try_sql("SELECT count(pg_logical_emit_message(false, 'daruma', repeat('x', 3000000))) "
                          "FROM generate_series(1, 20)"));
    });
    while (now() - before < 8 * kSegment.bytes) std::this_thread::yield();
    server_.kill9();
    writer.join();
    server_.start();
    server_.sql("INSERT INTO bookings VALUES (" + std::to_string(crash) + ", 'after the crash')");
  }
  expect_both_tell_the_same();
  EXPECT_GT(records_cut_by_a_crash_, 0);
}

}  // namespace
}  // namespace daruma::postgres
