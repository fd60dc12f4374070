// repository/log_takeover.h: what the tails of a receiver that is gone hold, sorted out before anything is
// changed.
//
// Format:  docs/format/log.md.
// Threads: pure but for reading.
#pragma once

#include <vector>

#include "repository/log_names.h"
#include "repository/log_sealer.h"

namespace daruma {

struct Takeover {
  std::vector<FinishedPiece> finished;  // complete, or of a branch that was left: to be sealed
  std::optional<FinishedPiece> open;    // the newest, when it is not complete
  std::vector<std::string> empty;       // tails that hold nothing
  uint32_t next_generation = 1;         // larger than any there
};

// kCorrupt: a tail is damaged in the middle. kRefused: two tails hold other bytes for the same place.
// kInvalid: a tail was written with another piece size.
Result<Takeover> plan_takeover(const Repository& repository, const LogStream& stream,
                               const std::string& receiver, uint64_t piece_bytes);

}  // namespace daruma
