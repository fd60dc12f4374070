// service/postgres_error.h: what an error of PostgreSQL's means to who asked. For service/postgres*.cc.
//
// Source:  PostgreSQL documentation, appendix A (error codes).
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace daruma::service {

// kUnavailable: serialization failure, deadlock, lock not free, query cancelled, server shutting down or out
// of resources or read-only, connection lost; kExists: unique or exclusion violation; kInvalid: classes 22
// (data) and 23 (constraints); kFailed: the rest.
Errc code_of_sqlstate(std::string_view sqlstate);

// "NAME: SQLSTATE: message". Of class 22 the message is cut before the first quotation mark, since what
// follows is what the client sent. `name`: of the database, for people.
Error postgres_error(std::string_view name, std::string_view sqlstate, std::string_view message);

// Of a statement that was prepared earlier: the server has forgotten it (26000), or its tables have changed
// so that its plan does not fit (0A000). Nothing was done; a new connection helps.
bool is_stale_plan(std::string_view sqlstate);

}  // namespace daruma::service
