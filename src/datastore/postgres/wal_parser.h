// datastore/postgres/wal_parser.h: reads WAL bytes as they arrive and tells the records that matter to
// recovery.
//
// Source:  PostgreSQL 13–17: src/include/access/{xlogrecord,xlog_internal,xact}.h, catalog/pg_control.h
// (record and page
//          layout, resource managers XLOG and Transaction), src/backend/access/transam/README.
// Method:  incremental. Bytes come in LSN order in pieces of any size; memory holds at most one record.
// Feeding may start
//          at any segment boundary: a record that began before is skipped (first_record_skipped()).
// Errors:  kCorrupt names the LSN where the bytes stop being WAL (bad magic, page address, CRC, length, back
// pointer).
//          A parser that returned an error takes no more bytes. Zeroed pages and the zeroed rest of a page
//          after the last record are the end of the log, not an error: see at_end().
// Bytes come from outside: every length is checked before it is believed (fuzzed in tests/fuzz/wal_fuzz.cc).
// Threads: one at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "datastore/postgres/lsn.h"

namespace daruma::postgres {

// A block that replay writes as a whole, whatever its bytes were before: the record carries its full image,
// or initialises it anew. (An image kept only for a consistency check is neither.)
struct BlockImage {
  uint32_t tablespace = 0;
  uint32_t database = 0;
  uint32_t relation = 0;  // relfilenode
  uint8_t fork = 0;       // 0 main, 1 fsm, 2 vm, 3 init
  uint32_t block = 0;
  bool stored = true;  // false: initialised anew, no image in the record
};

struct WalEvent {
  enum class Kind : uint8_t {
    kCommit,          // COMMIT and COMMIT PREPARED
    kAbort,           // ABORT and ROLLBACK PREPARED
    kRestorePoint,    // pg_create_restore_point: `name`, `time`
    kCheckpoint,      // online or shutdown: `time` to the second, `timeline`, `previous_timeline`, `redo`
    kEndOfRecovery,   // a promotion: `time`, `timeline`, `previous_timeline`
    kSwitch,          // the rest of this segment is empty
    kFullPageImages,  // only when asked for: `images`
    kOther,           // only when asked for: any other record
  };
  Kind kind{};
  Lsn start;  // of the record
  Lsn end;    // where the next record may begin (aligned; not past a page header)
  uint32_t xid = 0;
  Instant time;  // commit, abort, restore point, end of recovery: microseconds; checkpoint: seconds
  std::string name;
  Timeline timeline = 0;
  Timeline previous_timeline = 0;
  Lsn redo;
  std::vector<BlockImage> images;
};

class WalParser {
 public:
  struct Options {
    SegmentSize segment_size;
    bool report_images = false;
    bool report_other = false;
    // Ignored when zero; else every long page header must carry it (kCorrupt names both).
    uint64_t system_identifier = 0;
  };
  using Sink = std::function<void(const WalEvent&)>;

  // `start` is a segment's first byte.
  WalParser(Options options, Lsn start, Sink sink);
  ~WalParser();
  WalParser(WalParser&&) noexcept;
  WalParser& operator=(WalParser&&) noexcept;

  // The next bytes, continuing exactly where the last ended. Events are delivered before it returns.
  Status feed(BytesView bytes);

  Lsn position() const;         // of the next byte expected
  Lsn last_record_end() const;  // end of the last whole record; none before the first one
  Lsn last_record_start() const;
  // True once bytes that can only be the end of the log (zeros where a record or page header must be) were
  // met. Bytes that follow are ignored until the end of that segment, where parsing starts afresh.
  bool at_end() const;
  // Whether a record that began before `start` was skipped.
  bool first_record_skipped() const;
  uint64_t system_identifier() const;  // from the first long page header; 0 before it
  Timeline page_timeline() const;      // of the last page header seen; 0 before it

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// CRC-32C (Castagnoli), as PostgreSQL uses it for WAL records and pg_control. `crc` continues an earlier
// result.
uint32_t crc32c(BytesView bytes, uint32_t crc = 0);

}  // namespace daruma::postgres
