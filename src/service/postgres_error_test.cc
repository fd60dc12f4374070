// What errors of PostgreSQL's become, and that what a client sent stays out of them.
#include "service/postgres_error.h"

#include <gtest/gtest.h>

namespace daruma::service {
namespace {

TEST(PostgresError, CodesSayWhatTheCallerCanDo) {
  struct Row {
    const char* sqlstate;
    Errc code;
  };
  for (const auto& [sqlstate, code] :
       {Row{"23505", Errc::kExists}, Row{"23P01", Errc::kExists}, Row{"23503", Errc::kInvalid},
        Row{"23514", Errc::kInvalid}, Row{"22P02", Errc::kInvalid}, Row{"40001", Errc::kUnavailable},
        Row{"40P01", Errc::kUnavailable}, Row{"55P03", Errc::kUnavailable}, Row{"57014", Errc::kUnavailable},
        Row{"57P01", Errc::kUnavailable}, Row{"57P03", Errc::kUnavailable}, Row{"53300", Errc::kUnavailable},
        Row{"08006", Errc::kUnavailable}, Row{"25006", Errc::kUnavailable}, Row{"42P01", Errc::kFailed},
        Row{"P0001", Errc::kFailed}, Row{"XX000", Errc::kFailed}})
    EXPECT_EQ(code_of_sqlstate(sqlstate), code) << sqlstate;
}

TEST(PostgresError, NamesTheDatabaseTheStateAndTheMessage) {
  const Error error =
      postgres_error("authdb", "23505", "duplicate key value violates unique constraint \"users_email\"");
  EXPECT_EQ(error.what, "authdb: 23505: duplicate key value violates unique constraint \"users_email\"");
}

TEST(PostgresError, LeavesOutTheValuesOfWrongInputInEveryLanguage) {
  EXPECT_EQ(postgres_error("DB", "22P02", "invalid input syntax for type uuid: \"secret\"").what,
            "DB: 22P02: invalid input syntax for type uuid");
  EXPECT_EQ(postgres_error("DB", "22P02", "ungültige Eingabesyntax für Typ uuid: »secret«").what,
            "DB: 22P02: ungültige Eingabesyntax für Typ uuid");
  EXPECT_EQ(postgres_error("DB", "22001", "value too long for type character varying(10)").what,
            "DB: 22001: value too long for type character varying(10)");
}

TEST(PostgresError, WithoutAStateTheConnectionIsToBlame) {
  const Error error = postgres_error("DB", "", "server closed the connection unexpectedly\n");
  EXPECT_EQ(error.code, Errc::kUnavailable);
  EXPECT_EQ(error.what, "DB: server closed the connection unexpectedly");
}

}  // namespace
}  // namespace daruma::service
