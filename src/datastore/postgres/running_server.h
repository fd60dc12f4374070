// datastore/postgres/running_server.h: does a server run in a data directory?
//
// A postmaster.pid alone proves nothing: it survives a crash, and its number may be another program's by now.
// PostgreSQL's processes work in their data directory, so we look for those: also for children that outlived
// their postmaster, which still write.
// Threads: plain functions.
#pragma once

#include <optional>

#include "os/file_system.h"

namespace daruma::postgres {

// The process id of one that runs there; nullopt: none does. A process that lives under the number in
// postmaster.pid and does not let itself be looked at counts as one.
std::optional<int> running_server(FileSystem& fs, const Path& data_directory);
// The same by its postmaster.pid alone: the server itself, not a child that outlived it.
std::optional<int> running_postmaster(FileSystem& fs, const Path& data_directory);

}  // namespace daruma::postgres
