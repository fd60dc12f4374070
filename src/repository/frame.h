// repository/frame.h: frames, and the compressed bodies of maps: what is compressed and read as one.
//
// Format:  docs/format/snapshot.md.
// Errors:  kCorrupt: bytes that are not such a record, or a size that is a lie. kInvalid: a codec this
// program does not know. Bytes come from outside: fuzzed in tests/fuzz/record_fuzz.cc. Threads: pure
// functions; compression contexts are per thread.
#pragma once

#include <vector>

#include "repository/envelope.h"

namespace daruma {

using PackId = ObjectId;

// Where a record is. A hint: the id rules.
struct Location {
  PackId pack;
  uint64_t offset = 0;
  uint32_t size = 0;  // of the record's ciphertext and tag

  bool operator==(const Location&) const = default;
};
void put_location(ByteWriter& out, const Location& location);
Location get_location(ByteReader& in);

inline constexpr uint32_t kPageSize = 8192;
inline constexpr size_t kFramePages = 32;           // at most
inline constexpr uint32_t kFrameRawMax = 1u << 20;  // what a reader accepts
inline constexpr uint32_t kBodyRawMax = 64u << 20;
inline constexpr int kZstdLevel = 1;

// A frame's pages, decoded: page i is bytes [offset[i], offset[i+1]).
struct DecodedFrame {
  FrameId id;
  Bytes raw;
  std::vector<uint32_t> offsets;  // one more than pages

  size_t pages() const { return offsets.size() - 1; }
  BytesView page(size_t slot) const {
    return BytesView(raw).subspan(offsets[slot], offsets[slot + 1] - offsets[slot]);
  }
};

FrameId frame_id(const Keys& keys, const std::vector<PageHash>& pages);

// The plaintext record of a frame of pages of these sizes.
Bytes encode_frame(const FrameId& id, const std::vector<uint16_t>& sizes_minus_one, BytesView raw);

// A frame that names a prefix (codec 2) is decoded with `fetch_prefix`, which returns the raw bytes of that
// older frame.
struct PrefixSource {
  virtual ~PrefixSource() = default;
  virtual Result<Bytes> raw_of(const FrameId& id, const Location& location) = 0;
};
Result<DecodedFrame> decode_frame(BytesView record, PrefixSource& prefixes);

// The records of maps, tables, manifests and indexes: kind, codec, raw size, body.
Bytes encode_body(RecordKind kind, BytesView raw);
Result<Bytes> decode_body(RecordKind kind, BytesView record);

// zstd at kZstdLevel; raw bytes are returned where compression does not pay (codec 0).
struct Compressed {
  uint8_t codec = 0;
  Bytes bytes;
};
Compressed compress(BytesView raw);
// kCorrupt: not exactly `raw_size` bytes come out.
Result<Bytes> decompress(uint8_t codec, BytesView bytes, uint32_t raw_size, BytesView prefix = {});

}  // namespace daruma
