// Fuzzes the readers of a log: tails, pieces, the records in both, names.
//
// Input:  a byte that picks the reader; for damage, a u16 where the object is cut and then (u16 offset, u8
//         flip) each; for records, (u8 size, plaintext) each, sealed here so that the fuzzer reaches what
//         lies behind the cipher; for names, the name.
// Checks: what damage leaves of a tail is a front of what it held, and ends before an intact record only if
//         it says so; a piece is whole or refused; accepted names print to the same.
#include <algorithm>

#include "fuzz.h"
#include "repository/log_objects.h"
#include "repository/log_tail.h"

namespace daruma {
namespace {

const LogStream kStream{"d", 1};
const TailName kTail{"r", 1, 0, 1};
const PieceName kPiece{1, 0, 300};
constexpr size_t kRecords = 3;
constexpr size_t kRecordRaw = 100;

struct Samples {
  std::unique_ptr<Random> random = seeded_random(1);
  Keys keys = [this] {
    KeyFile file;
    file.repository = random->id<RepositoryId>();
    random->fill(file.master.writable());
    return Keys(file);
  }();
  std::string tail = tail_name(kStream, kTail);
  std::string piece = piece_name(kStream, kPiece);
  Bytes content = [this] {
    Bytes bytes(kRecords * kRecordRaw);
    random->fill(bytes);
    return bytes;
  }();
  size_t header = 0;         // of the tail
  std::vector<size_t> ends;  // of its records
  Bytes tail_object = [this] {
    ObjectSealer sealer(keys, *random, ObjectType::kTail, random->id<ObjectId>(), tail);
    header = sealer.size();
    for (size_t at = 0; at < content.size(); at += kRecordRaw) {
      sealer.append(encode_log_bytes(at, BytesView(content).subspan(at, kRecordRaw), LogCodec::kRaw));
      ends.push_back(sealer.size());
    }
    return sealer.take();
  }();
  Bytes piece_object = seal_piece(keys, *random, piece, kPiece, content, "summary");
};

const Samples& samples() {
  static const Samples made;
  return made;
}

Bytes damaged(const Bytes& object, ByteReader& in) {
  Bytes out = object;
  out.resize(std::min<size_t>(out.size(), in.get<uint16_t>()));
  while (in.left() >= 3) {
    const auto offset = in.get<uint16_t>();
    const auto flip = in.get<uint8_t>();
    if (offset < out.size()) out[offset] ^= static_cast<std::byte>(flip);
  }
  return out;
}

// How much of the log the last record that is whole and unchanged reaches.
size_t intact_end(const Bytes& object) {
  const Samples& s = samples();
  size_t reach = 0;
  for (size_t i = 0, begin = s.header; i < kRecords; begin = s.ends[i++])
    if (s.ends[i] <= object.size() && std::equal(object.begin() + static_cast<ptrdiff_t>(begin),
                                                 object.begin() + static_cast<ptrdiff_t>(s.ends[i]),
                                                 s.tail_object.begin() + static_cast<ptrdiff_t>(begin)))
      reach = (i + 1) * kRecordRaw;
  return reach;
}

void check_damaged_tail(ByteReader& in) {
  const Samples& s = samples();
  Bytes object = damaged(s.tail_object, in);
  const size_t intact = intact_end(object);
  object.resize(object.size() + 50);  // zeros, as in a directory
  const TailContent held = decode_tail(s.keys, s.tail, kTail, object);
  FUZZ_CHECK(held.bytes.size() <= intact);
  FUZZ_CHECK(std::equal(held.bytes.begin(), held.bytes.end(), s.content.begin()));
  FUZZ_CHECK(held.error || held.bytes.size() == intact);
}

void check_damaged_piece(ByteReader& in) {
  const Samples& s = samples();
  const Bytes object = damaged(s.piece_object, in);
  const auto bytes = open_piece(s.keys, s.piece, kPiece, object);
  FUZZ_CHECK(bytes.ok() == (object == s.piece_object));
  if (bytes.ok()) FUZZ_CHECK(*bytes == s.content);
}

void check_records(ByteReader& in, const Features& features) {
  const Samples& s = samples();
  const auto random = seeded_random(2);
  ObjectSealer tail(s.keys, *random, ObjectType::kTail, random->id<ObjectId>(), s.tail, {}, features);
  ObjectSealer piece(s.keys, *random, ObjectType::kPiece, random->id<ObjectId>(), s.piece, {}, features);
  while (in.left() > 0) {
    const auto size = in.get<uint8_t>();
    const BytesView record = in.get_bytes(std::min<size_t>(size, in.left()));
    if (record.empty()) continue;
    tail.append(record);
    piece.append(record);
  }
  FUZZ_CHECK(decode_tail(s.keys, s.tail, kTail, tail.view()).bytes.size() <= kPieceMax);
  const auto bytes = open_piece(s.keys, s.piece, kPiece, piece.view());
  if (bytes.ok()) FUZZ_CHECK(bytes->size() == kPiece.length);
}

void check_name(std::string_view name) {
  if (const auto tail = parse_tail_name(kStream, name)) FUZZ_CHECK(tail_name(kStream, *tail) == name);
  if (const auto piece = parse_piece_name(kStream, name)) FUZZ_CHECK(piece_name(kStream, *piece) == name);
  if (const auto branch = parse_history_name(kStream, name))
    FUZZ_CHECK(history_name(kStream, *branch) == name);
}

}  // namespace
}  // namespace daruma

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  ByteReader in(std::as_bytes(std::span(data, size)));
  switch (in.get<uint8_t>()) {
    case 0:
      check_damaged_tail(in);
      break;
    case 1:
      check_damaged_piece(in);
      break;
    case 2:
      check_records(in, {});
      break;
    case 3:
      check_records(in, {{}, {"later"}});
      break;
    default:
      check_name(as_text(in.get_bytes(in.left())));
  }
  return 0;
}
