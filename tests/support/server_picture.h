// tests/support/server_picture.h: everything a server holds, as text, to compare with what another one holds.
//
// Threads: one.
#pragma once

#include <map>
#include <string>

#include "support/postgres_server.h"

namespace daruma {

struct ServerPicture {
  std::map<std::string, std::string> dumps;  // pg_dump of every database, by its name
  std::string roles;                         // pg_dumpall --roles-only
  std::string prepared;                      // the prepared transactions
};

// Of a server on which nobody works.
ServerPicture take_picture(PostgresServer& server);

// The first place at which what was recovered is not what the original was; empty: nowhere. A sequence may
// be further on, never back: PostgreSQL logs 32 numbers at once, and those that a transaction took which was
// not committed in time stay taken.
std::string difference(const ServerPicture& original, const ServerPicture& recovered);

}  // namespace daruma
