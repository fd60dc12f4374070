// datastore/postgres/wal_summary.h: what a piece of WAL holds, written into the piece when it is sealed, so
// that a moment is found without reading every piece.
//
// Format:  docs/format/postgres.md (JSON in the piece's summary record).
// Method:  a record belongs to the piece in which it ends. A piece whose first bytes belong to a record that
//          began before, when that record cannot be read, is marked: what it hides is unknown, and a search
//          reads the piece before it too.
// Threads: WalSummarizer is used by one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {

struct WalSummary {
  std::optional<Instant> first_time;  // smallest commit or abort time
  std::optional<Instant> last_time;   // largest
  uint64_t commits = 0;
  std::vector<WalEvent> marks;  // restore points, ends of recovery, timeline-changing checkpoints
  bool head_unknown = false;    // the record that the piece begins inside could not be read
  bool damaged = false;         // the bytes stop being WAL inside the piece
};

std::string print_summary(const WalSummary& summary);
Result<WalSummary> parse_summary(std::string_view json);

// Summarizes pieces that come in order, keeping what the last one left unfinished, so that a record that
// spans two pieces is known to the second. For use as LogWriter::Options::summarize.
class WalSummarizer {
 public:
  explicit WalSummarizer(SegmentSize segment_size);
  ~WalSummarizer();
  std::string operator()(uint32_t timeline, uint64_t position, BytesView bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace daruma::postgres
