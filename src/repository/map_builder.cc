#include "repository/map_builder.h"

#include <fmt/format.h>

namespace daruma {
namespace {

constexpr size_t kTableBytes = 512 * 1024;
constexpr size_t kIndexFrames = 64 * 1024;

}  // namespace

MapBuilder::MapBuilder(Repository& repository, uint64_t pack_bytes)
    : repository_(repository),
      uploader_(repository),
      frames_(repository, uploader_, pack_bytes),
      maps_(repository, uploader_, pack_bytes) {}

void MapBuilder::fail(const Error& error) {
  auto first = error_.lock();
  if (!*first) *first = error;
}

Status MapBuilder::status() const {
  auto error = error_.lock();
  if (*error) return **error;
  return {};
}

void MapBuilder::take(MapInput input) {
  Status done;
  if (auto* frame = std::get_if<std::future<EncodedFrame>>(&input)) {
    EncodedFrame encoded = frame->get();
    if (!status().ok()) return;
    done = place(std::move(encoded));
  } else {
    if (!status().ok()) return;
    std::visit(
        [&]<class T>(T& item) {
          if constexpr (std::is_constructible_v<Waiting, T&&>) waiting_.emplace_back(std::move(item));
        },
        input);
    done = settle();
  }
  if (!done.ok()) fail(done.error());
}

Status MapBuilder::place(EncodedFrame frame) {
  DR_CHECK(frame.number == last_placed_ + 1);
  const Location location = frames_.append(frame.record);
  placed_[frame.number] = {frame.id, location};
  last_placed_ = frame.number;
  index_.push_back({frame.id, location});
  if (frames_.full()) DR_OK(frames_.flush());
  if (index_.size() == kIndexFrames) DR_OK(put_index());
  return settle();
}

Status MapBuilder::settle() {
  while (!waiting_.empty()) {
    if (auto* leaf = std::get_if<PendingLeaf>(&waiting_.front())) {
      uint64_t last_needed = 0;
      for (const PendingPage& page : leaf->pages) last_needed = std::max(last_needed, page.new_frame);
      if (last_needed > last_placed_) return {};
      DR_OK(settle_leaf(*leaf));
      // Frame numbers only grow from page to page, so nobody asks for an earlier one again.
      placed_.erase(placed_.begin(), placed_.lower_bound(last_needed));
    } else if (auto* entry = std::get_if<FileEntry>(&waiting_.front())) {
      entry_ = std::move(*entry);
    } else {
      DR_OK(end_entry());
    }
    waiting_.pop_front();
  }
  return {};
}

LeafMap MapBuilder::build_leaf(const PendingLeaf& pending) {
  LeafMap leaf;
  std::map<FrameId, uint16_t> known;
  for (const PendingPage& page : pending.pages) {
    const LeafMap::Frame& frame = page.new_frame == 0 ? page.old_frame : placed_.at(page.new_frame);
    const auto [at, is_new] = known.emplace(frame.id, static_cast<uint16_t>(leaf.frames.size()));
    if (is_new) leaf.frames.push_back(frame);
    if (page.new_frame == 0) old_packs_.insert(page.old_frame.location.pack);
    leaf.pages.push_back({page.hash, at->second, page.slot});
  }
  return leaf;
}

Status MapBuilder::settle_leaf(const PendingLeaf& pending) {
  LeafMap leaf = build_leaf(pending);
  if (entry_.pages() <= kInlinePages) {
    entry_.has_inline_leaf = true;
    entry_.inline_leaf = std::move(leaf);
    return {};
  }
  const MapId id = leaf_id(repository_.keys(), leaf);
  if (pending.parent && pending.parent->id == id) {
    old_packs_.insert(pending.parent->location.pack);
    entry_.leaves.push_back(*pending.parent);
    return {};
  }
  DR_TRY(const Location location, append_map(encode_body(RecordKind::kLeaf, encode_leaf(leaf))));
  entry_.leaves.push_back({id, location});
  return {};
}

Status MapBuilder::end_entry() {
  if (entry_.type == FileEntry::Type::kFile && entry_.size == 0) entry_.has_inline_leaf = true;
  put_entry(table_, entry_);
  ++table_entries_;
  files_ += entry_.type == FileEntry::Type::kFile;
  entry_ = {};
  return table_.size() >= kTableBytes ? end_table() : Status{};
}

Status MapBuilder::end_table() {
  if (table_entries_ == 0) return {};
  const Bytes body = table_.take();
  table_ = {};
  TableRef table;
  table.id = {repository_.keys().hash(HashDomain::kTable, body)};
  table.entries = std::exchange(table_entries_, 0);
  DR_TRY(table.location, append_map(encode_body(RecordKind::kTable, body)));
  tables_.push_back(table);
  return {};
}

Result<Location> MapBuilder::append_map(BytesView record) {
  const Location location = maps_.append(record);
  if (maps_.full()) {
    DR_OK(frames_.flush());
    DR_OK(put_index());
    DR_OK(maps_.flush());
  }
  return location;
}

Status MapBuilder::put_index() {
  if (index_.empty()) return {};
  DR_OK(frames_.flush());
  ByteWriter out;
  out.put(static_cast<uint32_t>(index_.size()));
  for (const LeafMap::Frame& frame : index_) {
    out.put_bytes(frame.id.view());
    put_location(out, frame.location);
  }
  index_.clear();
  const auto id = repository_.random().id<ObjectId>();
  const std::string name = "index/" + id.hex();
  ObjectSealer sealer(repository_.keys(), repository_.random(), ObjectType::kIndex, id, name);
  sealer.append(encode_body(RecordKind::kIndex, out.view()));
  return uploader_.put(name, sealer.take());
}

Status MapBuilder::flush() {
  DR_OK(status());
  DR_CHECK(waiting_.empty());
  DR_OK(end_table());
  DR_OK(frames_.flush());
  DR_OK(put_index());
  DR_OK(maps_.flush());
  return uploader_.drain();
}

Result<MapBuilder::Finished> MapBuilder::finish(Manifest& manifest) {
  DR_OK(flush());
  manifest.files = files_;
  manifest.bytes_stored = uploader_.bytes_put();
  manifest.tables = tables_;
  const Bytes body = encode_manifest(manifest);
  Finished finished;
  finished.manifest_id = {repository_.keys().hash(HashDomain::kManifest, body)};
  finished.manifest = maps_.append(encode_body(RecordKind::kManifest, body));
  DR_OK(maps_.flush());
  DR_OK(uploader_.drain());
  finished.packs = frames_.packs();
  finished.packs.insert(finished.packs.end(), maps_.packs().begin(), maps_.packs().end());
  finished.old_packs = std::move(old_packs_);
  return finished;
}

}  // namespace daruma
