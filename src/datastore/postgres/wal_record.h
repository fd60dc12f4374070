// datastore/postgres/wal_record.h: what one whole WAL record says. The parser's inner half; others use
// wal_parser.h.
//
// Source:  PostgreSQL 13–17: src/include/access/{xlogrecord,xact,xlog_internal}.h, catalog/pg_control.h.
// Method:  a record is a header of 24 bytes, then headers of its parts (block references, origin, main data),
// then the
//          parts' bytes in the same order. Nothing but the record itself is aligned.
// Threads: pure functions.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "datastore/postgres/lsn.h"
#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {

inline constexpr uint32_t kRecordHeaderBytes = 24;
inline constexpr uint32_t kRecordAlignment = 8;
// The server assembles a record in one allocation, which it limits to this.
inline constexpr uint32_t kRecordBytesMax = (1u << 30) - 1;

struct RecordHeader {
  uint32_t length = 0;  // of the whole record, this header included
  uint32_t xid = 0;
  Lsn previous;  // where the record before this one starts
  uint8_t info = 0;
  uint8_t manager = 0;  // resource manager: who wrote the record and replays it
  uint32_t crc = 0;
};
// `record` has at least kRecordHeaderBytes.
RecordHeader read_record_header(BytesView record);

// Over the bytes after the header, then the header up to the CRC. `record` is whole.
bool record_crc_matches(BytesView record);

// How a record's page images are flagged: the one thing in our reach that differs between versions.
struct WalVersion {
  uint16_t page_magic = 0;
  uint8_t image_applies = 0;     // replay puts the image in place (else it only serves a consistency check)
  uint8_t image_compressed = 0;  // any of these bits
};
// nullptr: the magic of no version we know.
const WalVersion* find_wal_version(uint16_t page_magic);

bool is_segment_switch(const RecordHeader& header);
// False for a record that is kOther whatever it contains, so that most records need not be taken apart.
bool may_be_reported_by_kind(const RecordHeader& header);

// `whole` is as long as its header says and its CRC matches. Fills everything but start and end. kCorrupt: a
// record that contradicts itself; the message does not name its position.
Result<WalEvent> decode_record(BytesView whole, const WalVersion& version);

// The start of the record that was cut off by a crash, if this is the record that says so.
std::optional<Lsn> aborted_record_named_by(BytesView whole, const WalVersion& version);

}  // namespace daruma::postgres
