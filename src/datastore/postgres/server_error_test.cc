// Goal: whoever is refused by a server reads the one line to run next, and retries only what may work later.
#include "datastore/postgres/server_error.h"

#include <gmock/gmock.h>

namespace daruma::postgres {
namespace {

using testing::HasSubstr;

const Peer kReceiver{"daruma", "db.example", "db.example:5432", true};
const Peer kReader{"daruma", "db.example", "db.example:5432", false};

Error refused(const std::string& sqlstate, const std::string& message, const Peer& peer) {
  return server_error({sqlstate, message}, peer, "asking");
}

TEST(ServerError, NamesWhatWasDoneTheMessageItsDetailAndTheCode) {
  const Error error =
      server_error({"58030", "could not read", "disk"}, kReader, "reading a setting of db:5432");
  EXPECT_EQ(error.what, "reading a setting of db:5432: could not read (disk) [58030]");
  EXPECT_EQ(error.code, Errc::kFailed);
}

TEST(ServerError, AMissingReplicationRightHintsTheAlterRole) {
  const Error error = refused("42501", "must be superuser or replication role to start walsender", kReceiver);
  EXPECT_EQ(error.code, Errc::kRefused);
  EXPECT_EQ(error.hint, "as a superuser: ALTER ROLE daruma REPLICATION;");
}

TEST(ServerError, AMissingHbaLineHintsTheLineWithOurAddress) {
  const Error error = refused(
      "28000", "no pg_hba.conf entry for replication connection from host \"192.0.2.7\", user \"daruma\"",
      kReceiver);
  EXPECT_EQ(error.code, Errc::kRefused);
  EXPECT_EQ(error.hint,
            "add this line to the server's pg_hba.conf: \"host replication daruma 192.0.2.7/32 "
            "scram-sha-256\", then: "
            "SELECT pg_reload_conf();");
  EXPECT_THAT(refused("28000", "no pg_hba.conf entry for host \"2001:db8::7\"", kReader).hint,
              HasSubstr("host all daruma 2001:db8::7/128"));
  EXPECT_THAT(
      refused("28000", "no pg_hba.conf entry for host \"[local]\"", Peer{"daruma", "/run", "", true}).hint,
      HasSubstr("\"local replication daruma scram-sha-256\""));
}

TEST(ServerError, AMissingFunctionRightHintsTheGrant) {
  EXPECT_EQ(refused("42501", "permission denied for function pg_create_restore_point", kReader).hint,
            "as a superuser: GRANT EXECUTE ON FUNCTION pg_create_restore_point TO daruma;");
  EXPECT_EQ(refused("42501", "must be superuser or have privileges of pg_read_all_settings", kReader).hint,
            "as a superuser: GRANT pg_read_all_settings TO daruma;");
}

TEST(ServerError, SlotsAndWalAreNotFoundOrExistOnlyOnReplicationConnections) {
  EXPECT_EQ(refused("42704", "no slot", kReceiver).code, Errc::kNotFound);
  EXPECT_EQ(refused("58P01", "WAL removed", kReceiver).code, Errc::kNotFound);
  EXPECT_EQ(refused("42710", "slot exists", kReceiver).code, Errc::kExists);
  EXPECT_EQ(refused("55006", "slot is active", kReceiver).code, Errc::kUnavailable);
  EXPECT_EQ(refused("42704", "no type", kReader).code, Errc::kFailed);
}

TEST(ServerError, WhatPassesIsWorthARetry) {
  for (const char* sqlstate : {"57P01", "57P03", "53300", "08006", ""}) {
    EXPECT_EQ(refused(sqlstate, "later", kReader).code, Errc::kUnavailable) << sqlstate;
  }
}

TEST(ConnectionFailure, TellsTheLastAttemptsCodeAndMessageInAnyLanguage) {
  const ServerFault fault = parse_connection_failure(
      "connection to server at \"::1\", port 5432 failed: Connection refused\n"
      "connection to server at \"127.0.0.1\", port 5432 failed: 致命的エラー:  28P01: "
      "パスワード認証に失敗しました\n"
      "LOCATION:  auth_failed, auth.c:335\n");
  EXPECT_EQ(fault.sqlstate, "28P01");
  EXPECT_EQ(fault.message, "パスワード認証に失敗しました");
}

TEST(ConnectionFailure, KeepsLibpqsOwnWordsWhenTheServerNeverSpoke) {
  const ServerFault fault =
      parse_connection_failure("connection failed: Connection refused\n\tIs it running?\n");
  EXPECT_EQ(fault.sqlstate, "");
  EXPECT_EQ(fault.message, "connection failed: Connection refused Is it running?");
  EXPECT_EQ(parse_connection_failure("").message, "");
}

}  // namespace
}  // namespace daruma::postgres
