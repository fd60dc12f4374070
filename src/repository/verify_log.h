// repository/verify_log.h: checks the logs of a repository: pieces, tails, histories, holes and ends.
//
// Format:  docs/format/log.md.
// Threads: used by one thread.
#pragma once

#include "repository/verify_run.h"

namespace daruma {

// Reports what is wrong with the logs; adds their ranges. Without read_data only the front of each piece is
// read.
void check_logs(VerifyRun& run);

}  // namespace daruma
