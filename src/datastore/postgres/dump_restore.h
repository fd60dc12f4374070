// datastore/postgres/dump_restore.h: plays a dump into a running server with PostgreSQL's own tools: psql,
// fed through a bounded pipe, for SQL; pg_restore for archives.
//
// Every complaint of psql is judged while the dump is played: the first that is not allowed ends it. What was
// played before it stays in the server: whoever calls knows how to begin anew.
// Secrets: the password goes into the one child's environment, never into its arguments.
// Errors:  kFailed: the complaint, named. kCorrupt: the dump cannot be read. kCancelled: the deadline.
//          kNotFound: psql or pg_restore is not installed.
// Threads: plain functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "datastore/postgres/dump_files.h"
#include "datastore/postgres/psql_log.h"
#include "datastore/postgres/replication.h"

namespace daruma::postgres {

struct PlayOptions {
  ConnectionSettings into;           // of SQL: the database to begin in; of an archive: the database it fills
  std::vector<std::string> allowed;  // of psql's complaints: see psql_log.h
  std::string application_name = "daruma";  // how its sessions call themselves in the server
  Path log;                                 // what psql prints; a new file
  Deadline deadline;
  std::function<void(uint64_t done, uint64_t total)> progress = [](uint64_t, uint64_t) {
  };  // bytes of the file
};

struct Played {
  DumpFacts facts;                    // of an archive: nothing but the size of its file
  std::vector<Complaint> complaints;  // allowed ones
};

Result<Played> play_dump(FileSystem& fs, ProcessRunner& processes, const DumpFile& dump,
                         const PlayOptions& options);

// How psql and pg_restore learn where to connect.
std::vector<std::pair<std::string, std::string>> libpq_environment(const ConnectionSettings& settings);

}  // namespace daruma::postgres
