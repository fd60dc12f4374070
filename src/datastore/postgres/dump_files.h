// datastore/postgres/dump_files.h: dumps that lie in a directory, as the manuals make them
// (all_databases_*.sql.gz, lastminutestay_YYYYMMDD.dump): when they were taken, and whether they can be read.
//
// Source:  requirements A8, L22.
// Threads: plain functions.
#pragma once

#include <string>
#include <vector>

#include "datastore/postgres/dump_scan.h"
#include "os/process.h"

namespace daruma::postgres {

struct DumpFile {
  enum class Form : uint8_t { kSql, kArchive };  // for psql; for pg_restore
  Path path;
  Form form = Form::kSql;
  uint64_t bytes = 0;
  // The dump holds nothing that was committed later. From the date and time in the name, else from when the
  // file was last changed; a name with a date alone means that day's end, unless the change was before.
  Instant taken;
  bool by_name = false;
};

// The files of `directory` that match one of `patterns` (* and ?), newest first. Names with a date and a time
// are read in a zone so far east of UTC. kNotFound: no such directory.
Result<std::vector<DumpFile>> list_dumps(FileSystem& fs, const Path& directory,
                                         const std::vector<std::string>& patterns, Duration east_of_utc = {});
// One file. kNotFound: it is not there.
Result<DumpFile> dump_file(FileSystem& fs, const Path& path, Duration east_of_utc = {});

bool matches(std::string_view name, std::string_view pattern);

// Reads all of it. kCorrupt, with the reason: it is damaged, or was not finished. Of an archive, the rows are
// not counted.
Result<DumpFacts> prove_dump(FileSystem& fs, ProcessRunner& processes, const DumpFile& dump,
                             Deadline deadline);

}  // namespace daruma::postgres
