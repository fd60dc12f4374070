#include "repository/snapshot_writer.h"

#include <fmt/format.h>

#include <deque>
#include <set>
#include <variant>

#include "base/worker_pool.h"
#include "repository/map_builder.h"
#include "repository/snapshot_reader.h"

namespace daruma {
namespace {

constexpr size_t kRangeBytes = kFramePages * kPageSize;
constexpr size_t kRangesUnderWay = 48;
constexpr size_t kFramesUnderWay = 48;
constexpr size_t kSpreadMax = 4;  // frames that an aligned range may come from

// Up to 32 neighbouring pages of one file, aligned, with what the parent has there.
struct Range {
  Bytes bytes;
  uint64_t first_page = 0;
  std::shared_ptr<const LeafMap> parent;  // shared by the ranges of one leaf
};
struct HashedRange {
  Range range;
  std::vector<PageHash> hashes;
};
struct BeginFile {
  FileEntry entry;
};
struct EndFile {};
struct ParentLeaf {
  std::optional<LeafRef> ref;
};
using Input = std::variant<BeginFile, ParentLeaf, std::future<HashedRange>, EndFile>;

BytesView page_of(BytesView bytes, size_t page) {
  const size_t at = page * kPageSize;
  return bytes.subspan(at, std::min<size_t>(kPageSize, bytes.size() - at));
}
size_t pages_in(BytesView bytes) { return (bytes.size() + kPageSize - 1) / kPageSize; }

// The assembler: decides page by page what is new, and fills frames. Runs on one thread.
class Assembler {
 public:
  Assembler(const Keys& keys, WorkerPool& pool, BoundedQueue<MapInput>& out)
      : keys_(keys), pool_(pool), out_(out) {}

  void begin_file(FileEntry entry) { out_.push(std::move(entry)); }
  void parent_leaf(std::optional<LeafRef> ref) { leaf_.parent = ref; }

  void take(HashedRange hashed) {
    const std::vector<bool> kept = pages_kept(hashed);
    for (size_t i = 0; i < hashed.hashes.size(); ++i) {
      PendingPage page{hashed.hashes[i], 0, {}, 0};
      if (kept[i]) {
        const LeafMap& parent = *hashed.range.parent;
        const LeafMap::Page& old = parent.pages[(hashed.range.first_page + i) % kLeafPages];
        page.old_frame = parent.frames[old.frame];
        page.slot = old.slot;
      } else {
        page.slot = static_cast<uint16_t>(frame_hashes_.size());
        page.new_frame = frame_number_;
        add_to_frame(hashed.hashes[i], page_of(hashed.range.bytes, i));
      }
      leaf_.pages.push_back(page);
      if (leaf_.pages.size() == kLeafPages) end_leaf();
    }
  }

  void end_file() {
    if (!leaf_.pages.empty()) end_leaf();
    out_.push(EndEntry{});
  }

  void end_frame() {
    if (frame_hashes_.empty()) return;
    out_.push(pool_.submit([&keys = keys_, number = frame_number_, hashes = std::move(frame_hashes_),
                            sizes = std::move(frame_sizes_), raw = std::move(frame_raw_)] {
      const FrameId id = frame_id(keys, hashes);
      return EncodedFrame{number, id, encode_frame(id, sizes, raw)};
    }));
    frame_hashes_ = {};
    frame_sizes_ = {};
    frame_raw_ = {};
    ++frame_number_;
  }

 private:
  // Which pages of the range may keep pointing where the parent points.
  static std::vector<bool> pages_kept(const HashedRange& hashed) {
    std::vector<bool> kept(hashed.hashes.size(), false);
    const LeafMap* parent = hashed.range.parent.get();
    if (!parent) return kept;
    std::set<FrameId> spread;
    bool changed = false;
    for (size_t i = 0; i < kept.size(); ++i) {
      const size_t at = (hashed.range.first_page + i) % kLeafPages;
      kept[i] = at < parent->pages.size() && parent->pages[at].hash == hashed.hashes[i];
      if (kept[i]) spread.insert(parent->frames[parent->pages[at].frame].id);
      changed |= !kept[i];
    }
    if (changed && spread.size() + 1 > kSpreadMax) kept.assign(kept.size(), false);
    return kept;
  }

  void add_to_frame(const PageHash& hash, BytesView bytes) {
    if (frame_raw_.empty()) frame_raw_.reserve(kRangeBytes);
    frame_hashes_.push_back(hash);
    frame_sizes_.push_back(static_cast<uint16_t>(bytes.size() - 1));
    frame_raw_.insert(frame_raw_.end(), bytes.begin(), bytes.end());
    if (frame_hashes_.size() == kFramePages) end_frame();
  }

  void end_leaf() { out_.push(std::exchange(leaf_, {})); }

  const Keys& keys_;
  WorkerPool& pool_;
  BoundedQueue<MapInput>& out_;
  PendingLeaf leaf_;
  uint64_t frame_number_ = 1;
  std::vector<PageHash> frame_hashes_;
  std::vector<uint16_t> frame_sizes_;
  Bytes frame_raw_;
};

class Writer final : public SnapshotWriter {
 public:
  Writer(Repository& repository, Options options)
      : repository_(repository),
        options_(std::move(options)),
        maps_(repository, options_.pack_bytes),
        pool_(std::max(1u, options_.workers)),
        placing_([this] { place(); }),
        assembling_([this] { assemble(); }) {}

  ~Writer() override { join(); }

  Status begin_file(const FileEntry& entry) override {
    DR_OK(failed_);
    return remember(begin(entry));
  }
  Status write(BytesView bytes) override {
    DR_OK(failed_);
    return remember(take(bytes));
  }
  Status end_file() override {
    DR_OK(failed_);
    return remember(end());
  }

  uint64_t bytes_read() const override { return read_; }
  uint64_t bytes_stored() const override { return maps_.bytes_stored(); }

  Result<Repository::StoredCommit> commit(const WriterId& writer, Instant started,
                                          const std::function<Result<std::string>()>& meta) override {
    DR_OK(failed_);
    DR_CHECK(!in_file_);
    join();
    DR_OK(maps_.status());
    Manifest manifest;
    manifest.id = repository_.random().id<SnapshotId>();
    manifest.datastore = options_.datastore;
    manifest.started = started;
    manifest.bytes_read = read_;
    DR_OK(maps_.flush());  // so that `meta` can tell how much was stored
    DR_TRY(manifest.meta, meta());
    manifest.ended = repository_.clock().now();
    DR_TRY(const MapBuilder::Finished finished, maps_.finish(manifest));

    Commit commit;
    commit.snapshot = manifest.id;
    commit.datastore = options_.datastore;
    commit.kind = options_.parent ? "changes" : "full";
    commit.manifest_id = finished.manifest_id;
    commit.manifest = finished.manifest;
    commit.meta = manifest.meta;
    std::vector<PackSize> packs = finished.packs;
    if (options_.parent)
      for (const PackSize& pack : options_.parent->packs())
        if (finished.old_packs.contains(pack.pack)) packs.push_back(pack);
    return repository_.append_commit(writer, std::move(commit), packs);
  }

 private:
  Status remember(Status status) {
    if (!status.ok()) failed_ = status;
    return status;
  }

  Status begin(const FileEntry& entry) {
    DR_CHECK(!in_file_);
    if (!is_path_inside(entry.path))
      return Error{Errc::kInvalid, fmt::format("'{}' is not a path inside a snapshot", entry.path)};
    in_file_ = true;
    const bool is_file = entry.type == FileEntry::Type::kFile;
    entry_ = {entry.path, entry.type, entry.mode, entry.modified, is_file ? entry.size : 0, entry.target,
              false,      {},         {}};
    written_ = 0;
    parent_entry_.reset();
    if (options_.parent && is_file) {
      auto found = options_.parent->find(entry.path);
      if (found.ok() && found->type == FileEntry::Type::kFile)
        parent_entry_ = *std::move(found);
      else if (!found.ok() && !found.is(Errc::kNotFound))
        return found.error();
    }
    return push(BeginFile{entry_});
  }

  Status take(BytesView bytes) {
    DR_CHECK(in_file_);
    if (bytes.size() > entry_.size - written_ - range_.size())
      return Error{Errc::kInvalid, fmt::format("'{}' is longer than the {} bytes it was announced with",
                                               entry_.path, entry_.size)};
    read_ += bytes.size();
    while (!bytes.empty()) {
      if (range_.empty()) range_.reserve(std::min<uint64_t>(kRangeBytes, entry_.size - written_));
      const size_t size = std::min(bytes.size(), kRangeBytes - range_.size());
      range_.insert(range_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
      bytes = bytes.subspan(size);
      if (range_.size() == kRangeBytes) DR_OK(end_range());
    }
    return {};
  }

  Status end() {
    DR_CHECK(in_file_);
    if (!range_.empty()) DR_OK(end_range());
    if (written_ != entry_.size)
      return Error{Errc::kInvalid,
                   fmt::format("'{}' ended after {} of {} bytes", entry_.path, written_, entry_.size)};
    in_file_ = false;
    return push(EndFile{});
  }

  Status push(Input input) {
    if (Status status = maps_.status(); !status.ok()) return status;
    inputs_.push(std::move(input));
    return {};
  }

  // At the first page of each leaf: what the parent has there.
  Status load_parent_leaf(uint64_t page) {
    parent_leaf_.reset();
    ParentLeaf announce;
    const uint64_t leaf = page / kLeafPages;
    if (parent_entry_ && leaf < parent_entry_->leaf_count()) {
      DR_TRY(LeafMap map, options_.parent->leaf(*parent_entry_, leaf));
      parent_leaf_ = std::make_shared<const LeafMap>(std::move(map));
      if (!parent_entry_->has_inline_leaf) announce.ref = parent_entry_->leaves[leaf];
    }
    return push(std::move(announce));
  }

  Status end_range() {
    const uint64_t first_page = written_ / kPageSize;
    if (first_page % kLeafPages == 0) DR_OK(load_parent_leaf(first_page));
    written_ += range_.size();
    Range range{std::exchange(range_, {}), first_page, parent_leaf_};
    return push(pool_.submit([this, path = entry_.path, range = std::move(range)]() mutable {
      HashedRange hashed;
      for (size_t i = 0; i < pages_in(range.bytes); ++i) {
        const BytesView page = page_of(range.bytes, i);
        hashed.hashes.push_back(repository_.keys().page_hash(page));
        if (options_.inspect && page.size() == kPageSize) options_.inspect(path, range.first_page + i, page);
      }
      hashed.range = std::move(range);
      return hashed;
    }));
  }

  void assemble() {
    Assembler assembler(repository_.keys(), pool_, placed_);
    while (auto input = inputs_.pop()) {
      if (auto* begin = std::get_if<BeginFile>(&*input))
        assembler.begin_file(std::move(begin->entry));
      else if (auto* parent = std::get_if<ParentLeaf>(&*input))
        assembler.parent_leaf(parent->ref);
      else if (auto* range = std::get_if<std::future<HashedRange>>(&*input))
        assembler.take(range->get());
      else
        assembler.end_file();
    }
    assembler.end_frame();
    placed_.close();
  }

  void place() {
    while (auto input = placed_.pop()) maps_.take(*std::move(input));
  }

  void join() {
    inputs_.close();
    if (assembling_.joinable()) assembling_.join();
    if (placing_.joinable()) placing_.join();
  }

  Repository& repository_;
  const Options options_;

  // The caller's.
  Status failed_;
  FileEntry entry_;
  std::optional<FileEntry> parent_entry_;
  std::shared_ptr<const LeafMap> parent_leaf_;
  bool in_file_ = false;
  uint64_t written_ = 0;
  Bytes range_;
  std::atomic<uint64_t> read_{0};

  BoundedQueue<Input> inputs_{kRangesUnderWay};
  BoundedQueue<MapInput> placed_{kFramesUnderWay};
  MapBuilder maps_;
  WorkerPool pool_;
  std::jthread placing_;
  std::jthread assembling_;
};

}  // namespace

std::unique_ptr<SnapshotWriter> SnapshotWriter::start(Repository& repository, Options options) {
  return std::make_unique<Writer>(repository, std::move(options));
}

}  // namespace daruma
