// repository/log_objects.h: a log's immutable objects, pieces and histories, in bytes; and the record of log
// bytes that pieces and tails share.
//
// Format:  docs/format/log.md.
// Errors:  kCorrupt: bytes that do not verify or do not say what their name says, the object named. kInvalid:
//          a codec, feature or version this program does not know.
// Bytes come from outside: fuzzed in tests/fuzz/log_fuzz.cc.
// Threads: pure functions.
#pragma once

#include <string>

#include "repository/envelope.h"
#include "repository/log_names.h"

namespace daruma {

inline constexpr uint32_t kLogRawMax = 1u << 20;  // of one record; what a reader accepts

// Tails are written raw: their records are small and somebody's COMMIT waits for them.
enum class LogCodec : uint8_t { kRaw, kCompressed };
Bytes encode_log_bytes(uint64_t position, BytesView raw, LogCodec codec);

// Appends what a record of log bytes holds to `out`. kCorrupt: not such a record, or one that is not at
// `position`, or more than `room` bytes.
Status decode_log_bytes(BytesView record, uint64_t position, uint64_t room, Bytes& out);

// Whether a record of this kind is one of a later version's, in an object that says it may be skipped.
bool is_skippable(const ObjectOpener& opener, BytesView record, std::initializer_list<RecordKind> known);

// The object that stands under `name`, with its summary first.
Bytes seal_piece(const Keys& keys, Random& random, const std::string& name, const PieceName& piece,
                 BytesView bytes, std::string_view summary);
// All bytes of a piece: exactly as many as its name says.
Result<Bytes> open_piece(const Keys& keys, const std::string& name, const PieceName& piece, BytesView object);
// The datastore's summary; reads only the front of the object.
Result<std::string> read_summary(const Repository& repository, const std::string& name,
                                 const PieceName& piece);

Result<std::string> read_history(const Repository& repository, const std::string& name);

}  // namespace daruma
