#include "repository/log_objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "repository/frame.h"

namespace daruma {
namespace {

constexpr size_t kPieceRecordRaw = 256u << 10;
constexpr uint64_t kFrontGuess = 4096;  // a piece's header and summary are usually smaller

constexpr uint8_t kCodecRaw = 0;
constexpr uint8_t kCodecZstd = 1;

struct PieceSummary {
  uint32_t records = 0;
  std::string text;
};

bool is_kind(BytesView record, RecordKind kind) {
  return !record.empty() && record.front() == static_cast<std::byte>(kind);
}

Result<PieceSummary> decode_summary(BytesView record, const PieceName& piece) {
  ByteReader in(record);
  const auto kind = in.get<uint8_t>();
  const auto position = in.get<uint64_t>();
  const auto length = in.get<uint32_t>();
  PieceSummary summary;
  summary.records = in.get<uint32_t>();
  summary.text = in.get_string();
  if (kind != static_cast<uint8_t>(RecordKind::kSummary) || !in.at_end())
    return Error{Errc::kCorrupt, "it does not begin with a summary"};
  if (position != piece.position || length != piece.length)
    return Error{Errc::kCorrupt,
                 fmt::format("it holds {} bytes at {}, not what its name says", length, position)};
  return summary;
}

Result<Bytes> open_records(const ObjectOpener& opener, const PieceName& piece, BytesView object) {
  RecordCursor cursor(opener, object);
  DR_TRY(const Bytes front, cursor.next());
  DR_TRY(const PieceSummary summary, decode_summary(front, piece));
  Bytes out;
  out.reserve(piece.length);
  uint32_t records = 0;
  while (!cursor.at_end()) {
    DR_TRY(const Bytes record, cursor.next());
    if (is_skippable(opener, record, {RecordKind::kSummary, RecordKind::kLogBytes})) continue;
    DR_OK(decode_log_bytes(record, piece.position + out.size(), piece.length - out.size(), out));
    ++records;
  }
  if (out.size() != piece.length || records != summary.records)
    return Error{Errc::kCorrupt, fmt::format("it ends after {} of {} bytes", out.size(), piece.length)};
  return out;
}

// Header and first record of an object, as few bytes as it takes.
Result<Bytes> read_front(ObjectStore& store, const std::string& name) {
  DR_TRY(const ObjectInfo info, store.head(name));
  DR_TRY(Bytes front, store.get_range(name, 0, std::min(info.size, kFrontGuess)));
  auto header = ObjectOpener::header_size(front);
  if (!header.ok()) return std::move(header).error().in(name);
  const uint64_t record_at = uint64_t{*header} + kRecordPrefix;
  if (record_at > front.size())
    return Error{Errc::kCorrupt, fmt::format("{}: its header does not end where it can", name)};
  const uint64_t needed = record_at + load_le<uint32_t>(front.data() + *header);
  if (needed <= front.size()) return front;
  if (needed > info.size) return Error{Errc::kCorrupt, fmt::format("{}: it ends inside its summary", name)};
  return store.get_range(name, 0, needed);
}

}  // namespace

Bytes encode_log_bytes(uint64_t position, BytesView raw, LogCodec codec) {
  DR_CHECK(!raw.empty() && raw.size() <= kLogRawMax);
  Compressed body;
  if (codec == LogCodec::kCompressed) body = compress(raw);
  ByteWriter out;
  out.put(static_cast<uint8_t>(RecordKind::kLogBytes));
  out.put(body.codec);
  out.put(position);
  out.put(static_cast<uint32_t>(raw.size()));
  out.put_bytes(codec == LogCodec::kCompressed ? BytesView(body.bytes) : raw);
  return out.take();
}

Status decode_log_bytes(BytesView record, uint64_t position, uint64_t room, Bytes& out) {
  ByteReader in(record);
  const auto kind = in.get<uint8_t>();
  const auto codec = in.get<uint8_t>();
  const auto at = in.get<uint64_t>();
  const auto raw_size = in.get<uint32_t>();
  if (!in.ok() || kind != static_cast<uint8_t>(RecordKind::kLogBytes))
    return Error{Errc::kCorrupt, "a record in it holds no log bytes"};
  if (at != position || raw_size == 0 || raw_size > kLogRawMax || raw_size > room)
    return Error{Errc::kCorrupt, fmt::format("a record in it claims {} bytes at {}, where {} should follow",
                                             raw_size, at, position)};
  if (codec != kCodecRaw && codec != kCodecZstd)
    return Error{Errc::kInvalid, fmt::format("codec {} is not known to this program", codec),
                 "use a newer daruma"};
  DR_TRY(const Bytes raw, decompress(codec, in.get_bytes(in.left()), raw_size));
  out.insert(out.end(), raw.begin(), raw.end());
  return {};
}

bool is_skippable(const ObjectOpener& opener, BytesView record, std::initializer_list<RecordKind> known) {
  if (opener.features().optional.empty()) return false;
  return std::none_of(known.begin(), known.end(), [&](RecordKind kind) { return is_kind(record, kind); });
}

Bytes seal_piece(const Keys& keys, Random& random, const std::string& name, const PieceName& piece,
                 BytesView bytes, std::string_view summary) {
  DR_CHECK(bytes.size() == piece.length);
  ObjectSealer sealer(keys, random, ObjectType::kPiece, random.id<ObjectId>(), name);
  ByteWriter front;
  front.put(static_cast<uint8_t>(RecordKind::kSummary));
  front.put(piece.position);
  front.put(piece.length);
  front.put(static_cast<uint32_t>((bytes.size() + kPieceRecordRaw - 1) / kPieceRecordRaw));
  front.put_string(summary);
  sealer.append(front.view());
  for (size_t at = 0; at < bytes.size(); at += kPieceRecordRaw) {
    const BytesView raw = bytes.subspan(at, std::min(kPieceRecordRaw, bytes.size() - at));
    sealer.append(encode_log_bytes(piece.position + at, raw, LogCodec::kCompressed));
  }
  return sealer.take();
}

Result<Bytes> open_piece(const Keys& keys, const std::string& name, const PieceName& piece,
                         BytesView object) {
  auto opener = ObjectOpener::open(keys, ObjectType::kPiece, name, object);
  if (!opener.ok()) return std::move(opener).error().in(name);
  auto bytes = open_records(*opener, piece, object);
  if (!bytes.ok()) return std::move(bytes).error().in(name);
  return bytes;
}

Result<std::string> read_summary(const Repository& repository, const std::string& name,
                                 const PieceName& piece) {
  DR_TRY(const Bytes front, read_front(repository.store(), name));
  auto opener = ObjectOpener::open(repository.keys(), ObjectType::kPiece, name, front);
  if (!opener.ok()) return std::move(opener).error().in(name);
  auto record = RecordCursor(*opener, front).next();
  if (!record.ok()) return std::move(record).error().in(name);
  auto summary = decode_summary(*record, piece);
  if (!summary.ok()) return std::move(summary).error().in(name);
  return std::move(summary->text);
}

Result<std::string> read_history(const Repository& repository, const std::string& name) {
  std::optional<std::string> text;
  DR_OK(repository.read_object(name, ObjectType::kHistory, [&](uint64_t, const Bytes& record) -> Status {
    if (text || !is_kind(record, RecordKind::kHistory)) return Error{Errc::kCorrupt, "it is not one history"};
    text = as_text(BytesView(record).subspan(1));
    return {};
  }));
  if (!text) return Error{Errc::kCorrupt, name + ": it holds no history"};
  return *std::move(text);
}

}  // namespace daruma
