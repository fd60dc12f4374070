// run/steps/postgres_database.h: one database and the one beside it, as the steps restore_beside, switch and
// discard know them.
//
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run/steps/postgres_session.h"

namespace daruma::run {

inline constexpr InputRow kProductionDatabase{
    .name = "database", .required = true, .help = "the database in use"};
inline constexpr InputRow kSideDatabase{.name = "side", .help = "the one beside it; else NAME_restore"};

struct DatabasePair {
  std::string production, side;
  std::string maintenance;  // neither of them: from where both are changed
};
// kInvalid: a name that no database can have, or one name for both.
Result<DatabasePair> database_pair(const StepContext& context);
// For a runbook: what is not known yet stands in capitals.
DatabasePair database_pair_by_hand(const StepContext& context);

struct DatabaseInfo {
  std::string oid;
  bool open = false;  // takes connections
};
// nullopt: there is none of that name.
Result<std::optional<DatabaseInfo>> find_database(PostgresSession& session, const std::string& name);

// Makes `side`, empty, with the encoding, collation, owner, rights and settings of `production`; where that
// is gone, with the server's.
Status create_alike(PostgresSession& session, const DatabasePair& names);

// The longest name PostgreSQL takes.
inline constexpr size_t kLongestName = 63;
// "lastminutestay_before_20261122104207"
std::string aside_name(const std::string& database, Instant now);
// "20261122104207"
std::string digits_of(Instant now);
// Whether a name ends with `mark` and 14 digits, as those we gave away do.
bool is_aside_name(std::string_view name, std::string_view mark);

}  // namespace daruma::run
