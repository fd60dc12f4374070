#include "repository/verify_packs.h"

#include <fmt/format.h>

#include <algorithm>

namespace daruma {
namespace {

constexpr size_t kFramesKept = 32 * 1024;  // about 20 MiB
constexpr int kPrefixesMax = 2;            // one behind the other

// Frames that others name as their prefix, read anew each time: this version writes none.
struct Prefixes final : PrefixSource {
  Prefixes(const Repository& repository_in, int left_in) : repository(repository_in), left(left_in) {}

  Result<Bytes> raw_of(const FrameId& id, const Location& location) override {
    if (left == 0) return Error{Errc::kCorrupt, "a frame has too many prefixes behind each other"};
    DR_TRY(const Bytes record, repository.read_record(location));
    Prefixes further(repository, left - 1);
    DR_TRY(DecodedFrame frame, decode_frame(record, further));
    if (frame.id != id) return Error{Errc::kCorrupt, "a frame's prefix is another frame"};
    return std::move(frame.raw);
  }

  const Repository& repository;
  const int left;
};

// Where the record behind a damaged one begins, if its size can be believed.
std::optional<uint64_t> behind(const ObjectOpener& opener, BytesView object, uint64_t offset) {
  if (object.size() - offset < kRecordPrefix) return {};
  const uint64_t next = offset + kRecordPrefix + load_le<uint32_t>(object.data() + offset);
  if (next == object.size()) return next;
  if (next > object.size() || !opener.record(next, object.subspan(next)).ok()) return {};
  return next;
}

}  // namespace

void FrameIndex::read(VerifyRun& run, const std::string& name) {
  size_t records = 0;
  bool needed = false;
  const auto each = [&](uint64_t, const Bytes& record) -> Status {
    ++records;
    DR_TRY(const Bytes body, decode_body(RecordKind::kIndex, record));
    ByteReader in(body);
    for (auto count = in.get<uint32_t>(); count > 0 && in.ok(); --count) {
      FrameId id;
      id.bytes = in.get_array<16>();
      const Location location = get_location(in);
      needed |= run.needed.contains(location.pack);
      packs_[location.pack].push_back({location.offset, load_le<uint64_t>(id.bytes.data())});
    }
    return in.at_end() ? Status{} : Error{Errc::kCorrupt, "its count is a lie"};
  };
  Status read = run.repository.read_object(name, ObjectType::kIndex, each);
  if (read.ok() && records == 0) read = Error{Errc::kCorrupt, "it ends after its header"};
  if (!read.ok())
    run.damage(name, cause_in(name, read.error()), {{}, "no recovery point: it is a fallback"});
  else if (!needed)
    run.garbage(name, "no commit that can be read needs what it names");
}

bool FrameIndex::take(const PackId& pack, std::vector<Place> frames) {
  auto node = packs_.extract(pack);
  if (node.empty()) return frames.empty();
  std::ranges::sort(node.mapped());
  std::ranges::sort(frames);
  return node.mapped() == frames;
}

Result<const PackChecker::Frame*> PackChecker::frame(const LeafMap::Frame& wanted) {
  const auto& [pack, offset, size] = wanted.location;
  walk(pack);
  const Frame* frame = nullptr;
  if (const auto kept = frames_.find({pack, offset}); kept != frames_.end()) {
    frame = &kept->second;
  } else {
    DR_TRY(const Bytes record, run_.repository.read_record(wanted.location));
    run_.report.bytes_read += size;
    DR_TRY(Frame checked, check_frame(offset, record));
    frame = &keep(pack, offset, std::move(checked));
  }
  if (frame->id != wanted.id)
    return Error{Errc::kCorrupt, fmt::format("the record at offset {} is another frame", offset)};
  return frame;
}

void PackChecker::walk(const PackId& pack) {
  if (!walked_.insert(pack).second) return;
  Object object{pack_name(pack), {}, {}, true};
  auto bytes = run_.repository.store().get(object.name);
  if (bytes.is(Errc::kNotFound)) return;  // whoever names it says so
  if (bytes.ok()) {
    object.bytes = *std::move(bytes);
    run_.report.bytes_read += object.bytes.size();
    walk_records(pack, object);
  } else {
    report(object, cause_in(object.name, bytes.error()));
  }
  if (object.whole && run_.needed.contains(pack) && !index_.take(pack, std::move(object.frames)))
    run_.damage(object.name, "no index says where its frames are: an index object is missing",
                {{}, "no recovery point: it is a fallback"});
  run_.finished(object.name);
}

void PackChecker::walk_records(const PackId& pack, Object& object) {
  const auto opener =
      ObjectOpener::open(run_.repository.keys(), ObjectType::kPack, object.name, object.bytes);
  if (!opener.ok()) return report(object, cause_in(object.name, opener.error()));
  if (opener->id() != pack) return report(object, "it is another pack");
  for (uint64_t offset = opener->header_bytes(); offset < object.bytes.size();) {
    const BytesView rest = BytesView(object.bytes).subspan(offset);
    const auto record = opener->record(offset, rest);
    Status good = record.ok() ? check_record(pack, offset, *opener, *record, object) : record.error();
    if (!good.ok()) report(object, cause_in(object.name, good.error()));
    const auto next = record.ok() ? offset + kRecordPrefix + load_le<uint32_t>(rest.data())
                                  : behind(*opener, object.bytes, offset);
    if (!next) return;  // what maps name behind it is looked at one by one
    offset = *next;
  }
}

Status PackChecker::check_record(const PackId& pack, uint64_t offset, const ObjectOpener& opener,
                                 BytesView record, Object& object) {
  const auto kind = static_cast<RecordKind>(record.front());
  if (kind == RecordKind::kFrame) {
    DR_TRY(Frame frame, check_frame(offset, record));
    object.frames.push_back({offset, load_le<uint64_t>(frame.id.bytes.data())});
    keep(pack, offset, std::move(frame));
    return {};
  }
  if (kind == RecordKind::kLeaf || kind == RecordKind::kTable || kind == RecordKind::kManifest)
    return decode_body(kind, record).ok()
               ? Status{}
               : Error{Errc::kCorrupt, fmt::format("the map at offset {} does not decompress", offset)};
  if (!opener.features().optional.empty()) return {};  // a later version's
  return Error{Errc::kCorrupt, fmt::format("the record at offset {} is of an unknown kind", offset)};
}

Result<PackChecker::Frame> PackChecker::check_frame(uint64_t offset, BytesView record) const {
  Prefixes prefixes(run_.repository, kPrefixesMax);
  auto decoded = decode_frame(record, prefixes);
  if (!decoded.ok())
    return std::move(decoded).error().in(fmt::format("the frame at offset {} cannot be decoded", offset));
  Frame frame{decoded->id, {}};
  std::vector<PageHash> hashes;
  for (size_t slot = 0; slot < decoded->pages(); ++slot) {
    const BytesView page = decoded->page(slot);
    hashes.push_back(run_.repository.keys().page_hash(page));
    frame.pages.push_back({hashes.back(), static_cast<uint16_t>(page.size() - 1)});
  }
  if (frame_id(run_.repository.keys(), hashes) != frame.id)
    return Error{Errc::kCorrupt, fmt::format("the frame at offset {} is not what its id says", offset)};
  return frame;
}

void PackChecker::report(Object& object, const std::string& cause) {
  object.whole = false;
  const PackId pack = *PackId::parse(std::string_view(object.name).substr(sizeof("packs/xx/") - 1));
  if (run_.needed.contains(pack))
    run_.damage(object.name, cause);
  else
    run_.garbage(object.name, cause);
}

const PackChecker::Frame& PackChecker::keep(const PackId& pack, uint64_t offset, Frame frame) {
  if (frames_.size() >= kFramesKept) frames_.clear();
  return frames_[{pack, offset}] = std::move(frame);
}

}  // namespace daruma
