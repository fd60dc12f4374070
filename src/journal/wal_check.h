// journal/wal_check.h: tells damage in SQLite's write-ahead log from the torn end that a crash leaves.
//
// SQLite takes the first frame that does not verify for the end of the log, and would forget what was
// committed after it without a word.
// Format:  the write-ahead log of SQLite (sqlite.org, "Database File Format", section 4).
// Threads: a pure function of the file.
#pragma once

#include "os/file_system.h"

namespace daruma {

// Of `journal`'s log; a log that is not there is success. kCorrupt: a frame does not verify, and a commit
// that was synced lies after it, or the log's own header does not verify.
Status check_wal(FileSystem& fs, const Path& journal);

}  // namespace daruma
