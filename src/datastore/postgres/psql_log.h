// datastore/postgres/psql_log.h: what psql complained about, out of what it printed (VERBOSITY=verbose).
//
// psql goes on after an error, and a dump of pg_dumpall is certain to meet some ("role postgres already
// exists"), so each complaint is judged by its SQLSTATE, which is the same in every language.
// Threads: plain values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace daruma::postgres {

struct Complaint {
  std::string line;      // of the input, as psql counts; empty: it does not say
  std::string sqlstate;  // empty: psql's own, as in "invalid command" or "connection to server was lost"
  std::string message;
};
// "line 12: 42710: role "postgres" already exists"
std::string to_text(const Complaint& complaint);

// One line that psql printed. nullopt: no complaint (a notice, a warning, a detail of the line before).
std::optional<Complaint> parse_complaint(std::string_view line);

// Whether one of `allowed` covers it: "SQLSTATE", or "SQLSTATE: message" with * and ? in the message.
bool is_allowed(const Complaint& complaint, const std::vector<std::string>& allowed);

// What restoring a dump of pg_dumpall as `role` into a new cluster must meet: that role is there already, and
// a dump made with --clean cannot drop it first.
std::vector<std::string> allowed_for(const std::string& role);

}  // namespace daruma::postgres
