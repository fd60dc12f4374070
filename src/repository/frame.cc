#include "repository/frame.h"

#include <fmt/format.h>
#include <zstd.h>

namespace daruma {
namespace {

constexpr uint8_t kRaw = 0;
constexpr uint8_t kZstd = 1;
constexpr uint8_t kZstdWithPrefix = 2;

struct Contexts {
  ZSTD_CCtx* compressing = ZSTD_createCCtx();
  ZSTD_DCtx* decompressing = ZSTD_createDCtx();
  ~Contexts() {
    ZSTD_freeCCtx(compressing);
    ZSTD_freeDCtx(decompressing);
  }
};
thread_local Contexts contexts;

Error corrupt(const char* what) { return {Errc::kCorrupt, what}; }

}  // namespace

void put_location(ByteWriter& out, const Location& location) {
  out.put_bytes(location.pack.view());
  out.put(location.offset);
  out.put(location.size);
}

Location get_location(ByteReader& in) {
  Location location;
  location.pack.bytes = in.get_array<16>();
  location.offset = in.get<uint64_t>();
  location.size = in.get<uint32_t>();
  return location;
}

FrameId frame_id(const Keys& keys, const std::vector<PageHash>& pages) {
  static_assert(sizeof(PageHash) == 16);
  return {keys.hash(HashDomain::kFrame, std::as_bytes(std::span(pages)))};
}

Compressed compress(BytesView raw) {
  Compressed out{kZstd, Bytes(ZSTD_compressBound(raw.size()))};
  const size_t size = ZSTD_compressCCtx(contexts.compressing, out.bytes.data(), out.bytes.size(), raw.data(),
                                        raw.size(), kZstdLevel);
  if (ZSTD_isError(size) || size >= raw.size()) return {kRaw, to_bytes(raw)};
  out.bytes.resize(size);
  return out;
}

Result<Bytes> decompress(uint8_t codec, BytesView bytes, uint32_t raw_size, BytesView prefix) {
  if (codec == kRaw) {
    if (bytes.size() != raw_size) return corrupt("a record's size does not match its bytes");
    return to_bytes(bytes);
  }
  if (codec != kZstd && codec != kZstdWithPrefix)
    return Error{Errc::kInvalid, fmt::format("codec {} is not known to this program", codec),
                 "use a newer daruma"};
  // The frame's own header is asked first, so that a lie costs no memory.
  if (ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != raw_size)
    return corrupt("a record's size does not match its bytes");
  Bytes raw(raw_size);
  if (codec == kZstdWithPrefix) ZSTD_DCtx_refPrefix(contexts.decompressing, prefix.data(), prefix.size());
  const size_t size =
      ZSTD_decompressDCtx(contexts.decompressing, raw.data(), raw.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) || size != raw_size) return corrupt("a record does not decompress");
  return raw;
}

Bytes encode_frame(const FrameId& id, const std::vector<uint16_t>& sizes_minus_one, BytesView raw) {
  DR_CHECK(!sizes_minus_one.empty() && sizes_minus_one.size() <= kFramePages);
  const Compressed body = compress(raw);
  ByteWriter out;
  out.put(static_cast<uint8_t>(RecordKind::kFrame));
  out.put(body.codec);
  out.put(static_cast<uint16_t>(sizes_minus_one.size()));
  out.put(static_cast<uint32_t>(raw.size()));
  out.put_bytes(id.view());
  out.put_bytes(std::as_bytes(std::span(sizes_minus_one)));
  out.put_bytes(body.bytes);
  return out.take();
}

Result<DecodedFrame> decode_frame(BytesView record, PrefixSource& prefixes) {
  ByteReader in(record);
  const auto kind = in.get<uint8_t>();
  const auto codec = in.get<uint8_t>();
  const auto pages = in.get<uint16_t>();
  const auto raw_size = in.get<uint32_t>();
  DecodedFrame frame;
  frame.id.bytes = in.get_array<16>();
  if (kind != static_cast<uint8_t>(RecordKind::kFrame) || pages == 0 || pages > kFramePages ||
      raw_size > kFrameRawMax)
    return corrupt("this record is not a frame");
  Bytes prefix;
  if (codec == kZstdWithPrefix) {
    FrameId prefix_id;
    prefix_id.bytes = in.get_array<16>();
    const Location location = get_location(in);
    if (!in.ok()) return corrupt("a frame is cut");
    DR_TRY(prefix, prefixes.raw_of(prefix_id, location));
  }
  frame.offsets.push_back(0);
  for (unsigned i = 0; i < pages; ++i) frame.offsets.push_back(frame.offsets.back() + in.get<uint16_t>() + 1);
  if (!in.ok() || frame.offsets.back() != raw_size) return corrupt("a frame's page sizes do not add up");
  DR_TRY(frame.raw, decompress(codec, in.get_bytes(in.left()), raw_size, prefix));
  return frame;
}

Bytes encode_body(RecordKind kind, BytesView raw) {
  DR_CHECK(raw.size() <= kBodyRawMax);
  const Compressed body = compress(raw);
  ByteWriter out;
  out.put(static_cast<uint8_t>(kind));
  out.put(body.codec);
  out.put(static_cast<uint32_t>(raw.size()));
  out.put_bytes(body.bytes);
  return out.take();
}

Result<Bytes> decode_body(RecordKind kind, BytesView record) {
  ByteReader in(record);
  const auto stored_kind = in.get<uint8_t>();
  const auto codec = in.get<uint8_t>();
  const auto raw_size = in.get<uint32_t>();
  if (!in.ok() || stored_kind != static_cast<uint8_t>(kind) || raw_size > kBodyRawMax ||
      codec == kZstdWithPrefix)
    return corrupt("this record is not of the kind that was looked for");
  return decompress(codec, in.get_bytes(in.left()), raw_size);
}

}  // namespace daruma
