#include "repository/verify_snapshots.h"

#include <fmt/format.h>

#include "repository/map_reader.h"

namespace daruma {
namespace {

constexpr const char* kMissing = "it is missing";  // as Repository::read_record says

std::string page_range(uint64_t first, uint64_t last, const std::string& path) {
  return first == last ? fmt::format("page {} of '{}'", first, path)
                       : fmt::format("pages {}-{} of '{}'", first, last, path);
}

}  // namespace

std::string describe(const Commit& commit) {
  return fmt::format("snapshot {} of {} ({})", commit.snapshot.hex().substr(0, 8), commit.datastore,
                     to_rfc3339(commit.time));
}

void SnapshotChecker::hit(const std::string& object, const std::string& cause, const std::string& place) {
  good_ = false;
  run_.damage(object, cause, {place, label_});
}

void SnapshotChecker::hit(const Location& location, const Error& error, const std::string& place) {
  const std::string object = pack_name(location.pack);
  hit(object, cause_in(object, error), place);
}

void SnapshotChecker::check(const Repository::StoredCommit& stored) {
  label_ = describe(stored.commit);
  good_ = true;
  used_ = {stored.commit.manifest.pack};
  check_presence(stored.packs);
  const auto manifest = read_manifest(run_.repository, stored.commit);
  run_.report.bytes_read += stored.commit.manifest.size;
  if (manifest.ok())
    check_tables(*manifest);
  else
    hit(stored.commit.manifest, manifest.error(), "the manifest, so all files");
  check_named(stored);
  ++run_.report.snapshots;
  run_.report.snapshots_good += good_;
}

void SnapshotChecker::check_presence(const std::vector<PackSize>& packs) {
  for (const PackSize& pack : packs) {
    const std::string name = pack_name(pack.pack);
    const auto there = run_.objects.find(name);
    if (there == run_.objects.end())
      hit(name, kMissing, {});
    else if (there->second != pack.size)
      hit(name, fmt::format("it has {} bytes, and {} were written", there->second, pack.size), {});
  }
}

// A pack that the commit does not name would not be copied, kept or looked for.
void SnapshotChecker::check_named(const Repository::StoredCommit& stored) {
  for (const PackSize& pack : stored.packs) used_.erase(pack.pack);
  for (const PackId& pack : used_)
    hit(commit_name(stored.commit.writer, stored.commit.number), "it does not name all packs that it needs",
        pack_name(pack));
}

void SnapshotChecker::check_tables(const Manifest& manifest) {
  uint64_t files = 0;
  bool all_read = true;
  for (size_t number = 0; number < manifest.tables.size(); ++number) {
    const TableRef& table = manifest.tables[number];
    used_.insert(table.location.pack);
    const auto entries = read_table(run_.repository, table);
    run_.report.bytes_read += table.location.size;
    if (!entries.ok()) {
      hit(table.location, entries.error(),
          fmt::format("table {} of {}, so {} files", number + 1, manifest.tables.size(), table.entries));
      all_read = false;
      continue;
    }
    for (const FileEntry& entry : *entries) {
      files += entry.type == FileEntry::Type::kFile;
      check_entry(entry);
    }
  }
  if (all_read && files != manifest.files)
    hit(pack_name(manifest.tables.empty() ? *used_.begin() : manifest.tables.back().location.pack),
        fmt::format("{} files were stored, and its tables name {}", manifest.files, files), {});
}

void SnapshotChecker::check_entry(const FileEntry& entry) {
  if (entry.type != FileEntry::Type::kFile) return;
  if (entry.has_inline_leaf) return check_leaf(entry, 0);
  for (uint64_t number = 0; number < entry.leaves.size(); ++number) {
    const Location& location = entry.leaves[number].location;
    used_.insert(location.pack);
    const auto seen = leaves_.find({location.pack, location.offset});
    if (seen != leaves_.end() && seen->second.good)
      used_.insert(seen->second.packs.begin(), seen->second.packs.end());
    else
      check_leaf(entry, number);
  }
}

void SnapshotChecker::check_leaf(const FileEntry& entry, uint64_t number) {
  const auto leaf = read_leaf(run_.repository, entry, number);
  if (!leaf.ok())
    return hit(entry.leaves[number].location, leaf.error(),
               fmt::format("the map of '{}' from page {}", entry.path, number * kLeafPages));
  SeenLeaf seen{true, {}};
  for (const LeafMap::Frame& frame : leaf->frames) seen.packs.insert(frame.location.pack);
  used_.insert(seen.packs.begin(), seen.packs.end());

  const std::vector<Fault> faults = page_faults(entry, number, *leaf);
  for (size_t first = 0; first < faults.size();) {
    size_t end = first + 1;
    while (end < faults.size() && faults[end] == faults[first]) ++end;
    if (!faults[first].cause.empty()) {
      seen.good = false;
      const uint64_t base = number * kLeafPages;
      hit(pack_name(faults[first].pack), faults[first].cause,
          page_range(base + first, base + end - 1, entry.path));
    }
    first = end;
  }
  if (entry.has_inline_leaf) return;
  const Location& location = entry.leaves[number].location;
  run_.report.bytes_read += location.size;
  leaves_[{location.pack, location.offset}] = std::move(seen);
}

std::vector<SnapshotChecker::Fault> SnapshotChecker::page_faults(const FileEntry& entry, uint64_t number,
                                                                 const LeafMap& leaf) {
  std::vector<std::vector<size_t>> pages_of(leaf.frames.size());
  for (size_t i = 0; i < leaf.pages.size(); ++i) pages_of[leaf.pages[i].frame].push_back(i);
  std::vector<Fault> faults(leaf.pages.size());
  for (size_t at = 0; at < leaf.frames.size(); ++at) {
    const LeafMap::Frame& frame = leaf.frames[at];
    if (!packs_) {
      for (const size_t i : pages_of[at]) faults[i] = frame_fault(frame);
      continue;
    }
    const auto checked = packs_->frame(frame);
    for (const size_t i : pages_of[at]) {
      const LeafMap::Page& page = leaf.pages[i];
      const uint64_t offset = (number * kLeafPages + i) * kPageSize;
      const uint64_t size = std::min<uint64_t>(kPageSize, entry.size - offset);
      if (!checked.ok())
        faults[i] = {frame.location.pack, cause_in(pack_name(frame.location.pack), checked.error())};
      else if (page.slot >= (*checked)->pages.size() || (*checked)->pages[page.slot].hash != page.hash ||
               (*checked)->pages[page.slot].size_minus_one + uint64_t{1} != size)
        faults[i] = {frame.location.pack, "a page is not what was stored"};
      else
        ++run_.report.pages_checked;
    }
  }
  return faults;
}

// What can be told of a frame without reading it.
SnapshotChecker::Fault SnapshotChecker::frame_fault(const LeafMap::Frame& frame) const {
  const auto& [pack, offset, size] = frame.location;
  const auto there = run_.objects.find(pack_name(pack));
  if (there == run_.objects.end()) return {pack, kMissing};
  if (there->second < kRecordPrefix + size || offset > there->second - kRecordPrefix - size)
    return {pack, fmt::format("it ends before the record at offset {}", offset)};
  return {};
}

}  // namespace daruma
