// datastore/postgres/server_error.h: what a server's refusal means to us: our code and the next step, from
// its SQLSTATE. One table, read by the replication and the SQL connection alike.
//
// Source:  PostgreSQL documentation, appendix "PostgreSQL Error Codes". Codes are used and texts only shown,
//          because a server may speak any language.
// Threads: pure functions.
#pragma once

#include <string>

#include "base/result.h"

namespace daruma::postgres {

// Whom a connection speaks to and as whom; for messages, so no password is among it.
struct Peer {
  std::string user;
  std::string host;    // empty or a directory: a Unix socket
  std::string server;  // for messages: "127.0.0.1:5432"
  bool replication = false;
};

struct ServerFault {
  std::string sqlstate;  // empty: the server never spoke
  std::string message;
  std::string detail = {};
};

// "doing: message (detail) [SQLSTATE]". A fault without SQLSTATE is kUnavailable: the connection could not be
// made or broke.
Error server_error(const ServerFault& fault, const Peer& peer, const std::string& doing);

// Splits what libpq says about a failed connection, made with PQERRORS_VERBOSE: its last "SEVERITY: SQLSTATE:
// message".
ServerFault parse_connection_failure(const std::string& text);

}  // namespace daruma::postgres
