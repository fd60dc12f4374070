#include "repository/snapshot_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>

#include "repository/map_reader.h"

namespace daruma {
namespace {

constexpr size_t kFramesKept = 48;
constexpr size_t kTablesKept = 4;
constexpr int kPrefixesMax = 2;  // one behind the other

// The most recently used values, at most `capacity`. Shared, because a reader may outlast an eviction.
template <class Key, class Value>
class RecentCache {
 public:
  explicit RecentCache(size_t capacity) : capacity_(capacity) {}

  std::shared_ptr<const Value> find(const Key& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }
  void insert(const Key& key, std::shared_ptr<const Value> value) {
    if (by_key_.contains(key)) return;
    order_.emplace_front(key, std::move(value));
    by_key_[key] = order_.begin();
    if (order_.size() <= capacity_) return;
    by_key_.erase(order_.back().first);
    order_.pop_back();
  }

 private:
  using Order = std::list<std::pair<Key, std::shared_ptr<const Value>>>;
  size_t capacity_;
  Order order_;
  std::unordered_map<Key, typename Order::iterator> by_key_;
};

using Table = std::vector<FileEntry>;
struct EntryPlace {
  size_t table = 0;
  size_t entry = 0;
};

}  // namespace

struct SnapshotReader::State {
  State(const Repository& repository_in, std::vector<PackSize> packs_in)
      : repository(repository_in), packs(std::move(packs_in)) {}

  const Repository& repository;
  std::vector<PackSize> packs;
  Manifest manifest;
  Guarded<RecentCache<FrameId, DecodedFrame>> frames{RecentCache<FrameId, DecodedFrame>(kFramesKept)};
  Guarded<RecentCache<size_t, Table>> tables{RecentCache<size_t, Table>(kTablesKept)};
  Guarded<std::optional<std::unordered_map<std::string, EntryPlace>>> paths;
  Guarded<std::optional<std::map<FrameId, Location>>> index;

  Result<std::shared_ptr<const Table>> table(size_t number) {
    if (auto cached = tables.lock()->find(number)) return cached;
    DR_TRY(Table entries, read_table(repository, manifest.tables[number]));
    auto shared = std::make_shared<const Table>(std::move(entries));
    tables.lock()->insert(number, shared);
    return shared;
  }

  Result<std::shared_ptr<const DecodedFrame>> frame(const LeafMap::Frame& wanted,
                                                    int prefixes_left = kPrefixesMax) {
    if (auto cached = frames.lock()->find(wanted.id)) return cached;
    auto decoded = frame_at(wanted.id, wanted.location, prefixes_left);
    if (!decoded.ok()) {
      // The hint led nowhere or to damage: the index may know another place.
      const auto elsewhere = indexed(wanted.id);
      if (!elsewhere.ok() || *elsewhere == wanted.location) return std::move(decoded).error();
      decoded = frame_at(wanted.id, *elsewhere, prefixes_left);
    }
    if (!decoded.ok()) return std::move(decoded).error();
    auto shared = std::make_shared<const DecodedFrame>(*std::move(decoded));
    frames.lock()->insert(wanted.id, shared);
    return shared;
  }

  // Frames that are prefixes of others, as far down as they may stand behind each other.
  struct Prefixes final : PrefixSource {
    Prefixes(State& state_in, int left_in) : state(state_in), left(left_in) {}
    Result<Bytes> raw_of(const FrameId& id, const Location& location) override {
      if (left == 0) return Error{Errc::kCorrupt, "a frame has too many prefixes behind each other"};
      DR_TRY(const auto decoded, state.frame({id, location}, left - 1));
      return decoded->raw;
    }
    State& state;
    const int left;
  };

  Result<DecodedFrame> frame_at(const FrameId& id, const Location& location, int prefixes_left) {
    DR_TRY(const Bytes record, repository.read_record(location));
    Prefixes prefixes(*this, prefixes_left);
    auto decoded = decode_frame(record, prefixes);
    if (!decoded.ok()) return std::move(decoded).error().in(pack_name(location.pack));
    if (decoded->id != id)
      return Error{Errc::kCorrupt, fmt::format("{}: the record at offset {} is another frame",
                                               pack_name(location.pack), location.offset)};
    return decoded;
  }

  Result<Location> indexed(const FrameId& id) {
    auto loaded = index.lock();
    if (!*loaded) {
      DR_TRY(const auto objects, repository.store().list("index/"));
      loaded->emplace();
      for (const ObjectInfo& object : objects) {
        // A damaged index only makes the fallback know less; verify reports it.
        const Status read = repository.read_object(
            object.name, ObjectType::kIndex, [&](uint64_t, const Bytes& record) -> Status {
              DR_TRY(const Bytes body, decode_body(RecordKind::kIndex, record));
              ByteReader in(body);
              for (auto count = in.get<uint32_t>(); count > 0 && in.ok(); --count) {
                FrameId frame_id;
                frame_id.bytes = in.get_array<16>();
                (*loaded)->emplace(frame_id, get_location(in));
              }
              return {};
            });
        static_cast<void>(read.ok());
      }
    }
    const auto found = (*loaded)->find(id);
    if (found == (*loaded)->end()) return Error{Errc::kNotFound, "no index names this frame"};
    return found->second;
  }

  // The same error, with the page that it hits.
  Error at_page(const FileEntry& entry, const LeafMap& leaf, uint64_t page, Error error) const {
    if (!entry.has_inline_leaf) {
      const MapId id = leaf_id(repository.keys(), leaf);
      const auto found = std::ranges::find(entry.leaves, id, &LeafRef::id);
      page += static_cast<uint64_t>(found - entry.leaves.begin()) * kLeafPages;
    }
    error.what += fmt::format(" (page {} of '{}')", page, entry.path);
    return error;
  }
};

SnapshotReader::SnapshotReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
SnapshotReader::~SnapshotReader() = default;

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(const Repository& repository,
                                                             const Repository::StoredCommit& stored) {
  auto state = std::make_unique<State>(repository, stored.packs);
  DR_TRY(state->manifest, read_manifest(repository, stored.commit));
  return std::unique_ptr<SnapshotReader>(new SnapshotReader(std::move(state)));
}

const Manifest& SnapshotReader::manifest() const { return state_->manifest; }
const std::vector<PackSize>& SnapshotReader::packs() const { return state_->packs; }

Status SnapshotReader::for_each_entry(const std::function<Status(const FileEntry&)>& each) const {
  for (size_t number = 0; number < state_->manifest.tables.size(); ++number) {
    DR_TRY(const auto table, state_->table(number));
    for (const FileEntry& entry : *table) DR_OK(each(entry));
  }
  return {};
}

Result<FileEntry> SnapshotReader::find(const std::string& path) const {
  EntryPlace place;
  {
    auto paths = state_->paths.lock();
    if (!*paths) {
      std::unordered_map<std::string, EntryPlace> all;
      for (size_t number = 0; number < state_->manifest.tables.size(); ++number) {
        DR_TRY(const auto table, state_->table(number));
        for (size_t i = 0; i < table->size(); ++i) all[(*table)[i].path] = {number, i};
      }
      paths->emplace(std::move(all));
    }
    const auto found = (*paths)->find(path);
    if (found == (*paths)->end())
      return Error{Errc::kNotFound, fmt::format("the snapshot has no file '{}'", path)};
    place = found->second;
  }
  DR_TRY(const auto table, state_->table(place.table));
  return (*table)[place.entry];
}

Result<LeafMap> SnapshotReader::leaf(const FileEntry& entry, uint64_t leaf) const {
  return read_leaf(state_->repository, entry, leaf);
}

Status SnapshotReader::read_pages(const FileEntry& entry, const LeafMap& leaf, uint64_t first, uint64_t count,
                                  const std::function<Status(uint64_t, BytesView)>& each) const {
  DR_CHECK(first + count <= leaf.pages.size());
  std::vector<uint64_t> wanted(count);
  for (uint64_t i = 0; i < count; ++i) wanted[i] = first + i;
  std::ranges::stable_sort(wanted, {}, [&](uint64_t page) { return leaf.pages[page].frame; });
  std::shared_ptr<const DecodedFrame> frame;
  int64_t frame_number = -1;
  for (const uint64_t number : wanted) {
    const LeafMap::Page& page = leaf.pages[number];
    if (frame_number != page.frame) {
      auto found = state_->frame(leaf.frames[page.frame]);
      if (!found.ok()) return state_->at_page(entry, leaf, number, std::move(found).error());
      frame = *std::move(found);
      frame_number = page.frame;
    }
    if (page.slot >= frame->pages() ||
        state_->repository.keys().page_hash(frame->page(page.slot)) != page.hash)
      return state_->at_page(entry, leaf, number,
                             {Errc::kCorrupt, pack_name(leaf.frames[page.frame].location.pack) +
                                                  ": a page is not what was stored"});
    DR_OK(each(number, frame->page(page.slot)));
  }
  return {};
}

Result<Bytes> SnapshotReader::read_range(const FileEntry& entry, uint64_t offset, uint64_t size) const {
  if (entry.type != FileEntry::Type::kFile)
    return Error{Errc::kInvalid, fmt::format("'{}' is no file and has no bytes", entry.path)};
  if (offset > entry.size || size > entry.size - offset)
    return Error{Errc::kInvalid, fmt::format("'{}' has {} bytes, and {} from {} were asked for", entry.path,
                                             entry.size, size, offset)};
  Bytes out(size);
  const uint64_t end = offset + size;
  for (uint64_t at = offset; at < end;) {
    const uint64_t leaf_number = at / kPageSize / kLeafPages;
    const uint64_t leaf_start = leaf_number * kLeafPages * kPageSize;
    const uint64_t leaf_end = std::min(end, leaf_start + kLeafPages * kPageSize);
    DR_TRY(const LeafMap map, leaf(entry, leaf_number));
    const uint64_t first = (at - leaf_start) / kPageSize;
    const uint64_t last = (leaf_end - leaf_start + kPageSize - 1) / kPageSize;
    DR_OK(read_pages(entry, map, first, last - first, [&](uint64_t page, BytesView bytes) -> Status {
      const uint64_t page_at = leaf_start + page * kPageSize;
      const uint64_t from = std::max(at, page_at);
      const uint64_t to = std::min(leaf_end, page_at + bytes.size());
      if (from >= to) return state_->at_page(entry, map, page, {Errc::kCorrupt, "a page is too short"});
      std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(from - page_at), to - from,
                  out.begin() + static_cast<ptrdiff_t>(from - offset));
      return {};
    }));
    at = leaf_end;
  }
  return out;
}

}  // namespace daruma
