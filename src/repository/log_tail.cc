#include "repository/log_tail.h"

#include <fmt/format.h>

#include <algorithm>

#include "repository/aead.h"
#include "repository/log_objects.h"

namespace daruma {
namespace {

constexpr uint64_t kTailHeaderBytes = 118;  // no features, no clear section
constexpr uint64_t kTailRecordMax = kLogRawMax + 64;
constexpr int kReadsMax = 10;

// How many bytes there are up to the last that is not zero. Most of a tail's file is zeros: whole blocks
// first.
uint64_t written_size(BytesView file) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  size_t size = file.size();
  while (size >= kZeros.size() &&
         std::memcmp(file.data() + size - kZeros.size(), kZeros.data(), kZeros.size()) == 0)
    size -= kZeros.size();
  while (size > 0 && file[size - 1] == std::byte{0}) --size;
  return size;
}

// The offset of a record behind `end` that verifies. What was never written is zero, so only the bytes up to
// the last that is not are looked at; every offset there may be a record's, because its size may be damaged.
std::optional<uint64_t> later_record(const ObjectOpener& opener, BytesView file, uint64_t end) {
  const uint64_t written = written_size(file);
  for (uint64_t at = end + 1; at + kRecordPrefix < written; ++at) {
    const uint64_t size = load_le<uint32_t>(file.data() + at);
    if (size <= kAeadTagSize || size > kTailRecordMax || size > file.size() - at - kRecordPrefix) continue;
    if (opener.record(at, file.subspan(at)).ok()) return at;
  }
  return {};
}

TailContent unreadable(const std::string& name, BytesView file, Error error) {
  // Nothing is written behind a header that is not durable yet: a crash can have torn it only there.
  if (written_size(file) <= kTailHeaderBytes) return {};
  return {{}, std::move(error).in(name)};
}

}  // namespace

TailWriter::TailWriter(Repository& repository, std::string name)
    : name_(std::move(name)),
      sealer_(repository.keys(), repository.random(), ObjectType::kTail, repository.random().id<ObjectId>(),
              name_) {}

Result<std::unique_ptr<TailWriter>> TailWriter::create(Repository& repository, const std::string& name) {
  std::unique_ptr<TailWriter> writer(new TailWriter(repository, name));
  DR_TRY(writer->tail_, repository.store().create_tail(name));
  DR_OK(writer->tail_->append(writer->sealer_.take_new()));
  DR_OK(writer->tail_->sync());
  return writer;
}

Status TailWriter::append(uint64_t position, BytesView bytes) {
  for (size_t at = 0; at < bytes.size(); at += kLogRawMax) {
    const BytesView raw = bytes.subspan(at, std::min<size_t>(kLogRawMax, bytes.size() - at));
    sealer_.append(encode_log_bytes(position + at, raw, LogCodec::kRaw));
    DR_OK(tail_->append(sealer_.take_new()));
    DR_OK(tail_->sync());
  }
  return {};
}

TailContent decode_tail(const Keys& keys, const std::string& name, const TailName& tail, BytesView file) {
  auto opener = ObjectOpener::open(keys, ObjectType::kTail, name, file);
  if (!opener.ok()) return unreadable(name, file, std::move(opener).error());
  TailContent content;
  uint64_t at = opener->header_bytes();
  while (at < file.size()) {
    const auto record = opener->record(at, file.subspan(at));
    if (!record.ok()) break;
    if (!is_skippable(*opener, *record, {RecordKind::kLogBytes})) {
      Status status = decode_log_bytes(*record, tail.position + content.bytes.size(),
                                       kPieceMax - content.bytes.size(), content.bytes);
      if (!status.ok()) return {std::move(content.bytes), std::move(status).error().in(name)};
    }
    at += kRecordPrefix + load_le<uint32_t>(file.data() + at);
  }
  if (const auto later = later_record(*opener, file, at))
    content.error =
        Error{Errc::kCorrupt,
              fmt::format("{}: the bytes from offset {} to {} are damaged: a record behind them verifies",
                          name, at, *later)};
  return content;
}

Result<TailContent> read_tail(const Repository& repository, const std::string& name, const TailName& tail) {
  std::optional<uint64_t> damaged_at;
  for (int reads = 1;; ++reads) {
    DR_TRY(const Bytes file, repository.store().get(name));
    TailContent content = decode_tail(repository.keys(), name, tail, file);
    // A reader may pass a place before it is written and the next after: that looks like damage once, and the
    // next look sees more.
    if (!content.error || damaged_at == content.bytes.size() || reads == kReadsMax) return content;
    damaged_at = content.bytes.size();
  }
}

}  // namespace daruma
