// datastore/postgres/control_file.h: global/pg_control, the server's own record of itself.
//
// Source:  PostgreSQL src/include/catalog/pg_control.h, versions 1300 (13 to 16) and 1700 (17).
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "datastore/postgres/lsn.h"

namespace daruma::postgres {

struct ControlFile {
  uint64_t system_identifier = 0;
  uint32_t control_version = 0;
  uint32_t catalog_version = 0;
  uint32_t state = 0;  // DBState: 1 shut down … 6 in production
  Lsn checkpoint;
  Lsn checkpoint_redo;
  Timeline checkpoint_timeline = 0;
  uint32_t block_size = 0;
  SegmentSize wal_segment_size;
  uint32_t data_checksum_version = 0;  // 0: no page checksums
};

// kCorrupt: too short, or the CRC does not match. kInvalid: a control version we do not know, named.
Result<ControlFile> parse_control_file(BytesView bytes);

// The timeline history file: who a timeline's ancestors are and where each was left.
struct TimelineAncestor {
  Timeline timeline = 0;
  Lsn left_at;  // the first position that is no longer this ancestor's
  std::string reason;
};
// In file order, oldest first. kCorrupt: a line that is neither empty, comment, nor "timeline LSN reason", or
// timelines that do not increase.
Result<std::vector<TimelineAncestor>> parse_history(std::string_view text);

}  // namespace daruma::postgres
