#include "repository/page_map.h"

#include <fmt/format.h>

namespace daruma {
namespace {

constexpr size_t kFrameBytes = 16 + 28;
constexpr size_t kPageBytes = 16 + 2 + 2;

Error corrupt(const std::string& what) { return {Errc::kCorrupt, what}; }

// Reads a leaf map in place; a page must point at a frame that is there.
Result<LeafMap> get_leaf(ByteReader& in) {
  const auto pages = in.get<uint32_t>();
  const auto frames = in.get<uint32_t>();
  if (!in.ok() || pages > kLeafPages || frames > pages ||
      in.left() < frames * kFrameBytes + pages * kPageBytes)
    return corrupt("a leaf map is cut or its counts are impossible");
  LeafMap leaf;
  leaf.frames.resize(frames);
  leaf.pages.resize(pages);
  for (LeafMap::Frame& frame : leaf.frames) {
    frame.id.bytes = in.get_array<16>();
    frame.location = get_location(in);
  }
  for (LeafMap::Page& page : leaf.pages) {
    page.hash.bytes = in.get_array<16>();
    page.frame = in.get<uint16_t>();
    page.slot = in.get<uint16_t>();
    if (page.frame >= frames || page.slot >= kFramePages)
      return corrupt("a leaf map points outside its frames");
  }
  return leaf;
}

void put_leaf(ByteWriter& out, const LeafMap& leaf) {
  DR_CHECK(leaf.pages.size() <= kLeafPages && leaf.frames.size() <= leaf.pages.size());
  out.put(static_cast<uint32_t>(leaf.pages.size()));
  out.put(static_cast<uint32_t>(leaf.frames.size()));
  for (const LeafMap::Frame& frame : leaf.frames) {
    out.put_bytes(frame.id.view());
    put_location(out, frame.location);
  }
  for (const LeafMap::Page& page : leaf.pages) {
    out.put_bytes(page.hash.view());
    out.put(page.frame);
    out.put(page.slot);
  }
}

Status check_entry(const FileEntry& entry) {
  if (!is_path_inside(entry.path))
    return corrupt(fmt::format("'{}' is not a path inside a snapshot", entry.path));
  if (entry.type != FileEntry::Type::kFile) return {};
  const uint64_t pages = entry.pages();
  const bool fits = entry.has_inline_leaf ? entry.inline_leaf.pages.size() == pages
                                          : entry.leaves.size() == (pages + kLeafPages - 1) / kLeafPages;
  if (!fits)
    return corrupt(fmt::format("the map of '{}' does not cover its {} bytes", entry.path, entry.size));
  return {};
}

Result<FileEntry> get_entry(ByteReader& in) {
  FileEntry entry;
  entry.path = in.get_string();
  const auto type = in.get<uint8_t>();
  entry.mode = in.get<uint32_t>();
  entry.modified = {static_cast<int64_t>(in.get<uint64_t>())};
  entry.size = in.get<uint64_t>();
  entry.target = in.get_string();
  const auto is_inline = in.get<uint8_t>();
  if (!in.ok() || type > 2 || is_inline > 1) return corrupt("a file entry is cut or of an unknown type");
  entry.type = static_cast<FileEntry::Type>(type);
  if (is_inline == 1) {
    entry.has_inline_leaf = true;
    DR_TRY(entry.inline_leaf, get_leaf(in));
  } else {
    const auto leaves = in.get<uint32_t>();
    if (!in.ok() || in.left() < uint64_t{leaves} * (16 + 28)) return corrupt("a file entry is cut");
    entry.leaves.resize(leaves);
    for (LeafRef& leaf : entry.leaves) {
      leaf.id.bytes = in.get_array<16>();
      leaf.location = get_location(in);
    }
  }
  DR_OK(check_entry(entry));
  return entry;
}

}  // namespace

bool is_path_inside(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos) return false;
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

MapId leaf_id(const Keys& keys, const LeafMap& leaf) {
  ByteWriter out;
  for (const LeafMap::Page& page : leaf.pages) {
    out.put_bytes(page.hash.view());
    out.put_bytes(leaf.frames[page.frame].id.view());
    out.put(page.slot);
  }
  return {keys.hash(HashDomain::kLeaf, out.view())};
}

Bytes encode_leaf(const LeafMap& leaf) {
  ByteWriter out;
  put_leaf(out, leaf);
  return out.take();
}

Result<LeafMap> decode_leaf(BytesView body) {
  ByteReader in(body);
  DR_TRY(LeafMap leaf, get_leaf(in));
  if (!in.at_end()) return corrupt("bytes follow a leaf map");
  return leaf;
}

void put_entry(ByteWriter& out, const FileEntry& entry) {
  DR_CHECK(check_entry(entry).ok());
  out.put_string(entry.path);
  out.put(static_cast<uint8_t>(entry.type));
  out.put(entry.mode);
  out.put(static_cast<uint64_t>(entry.modified.micros));
  out.put(entry.size);
  out.put_string(entry.target);
  out.put(static_cast<uint8_t>(entry.has_inline_leaf));
  if (entry.has_inline_leaf) return put_leaf(out, entry.inline_leaf);
  out.put(static_cast<uint32_t>(entry.leaves.size()));
  for (const LeafRef& leaf : entry.leaves) {
    out.put_bytes(leaf.id.view());
    put_location(out, leaf.location);
  }
}

Result<std::vector<FileEntry>> decode_table(BytesView body) {
  ByteReader in(body);
  std::vector<FileEntry> entries;
  while (in.ok() && in.left() > 0) {
    DR_TRY(FileEntry entry, get_entry(in));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Bytes encode_manifest(const Manifest& manifest) {
  ByteWriter out;
  out.put_bytes(manifest.id.view());
  out.put_string(manifest.datastore);
  out.put(manifest.page_size);
  out.put(static_cast<uint64_t>(manifest.started.micros));
  out.put(static_cast<uint64_t>(manifest.ended.micros));
  out.put(manifest.files);
  out.put(manifest.bytes_read);
  out.put(manifest.bytes_stored);
  out.put_string(manifest.meta);
  out.put(static_cast<uint32_t>(manifest.tables.size()));
  for (const TableRef& table : manifest.tables) {
    out.put_bytes(table.id.view());
    put_location(out, table.location);
    out.put(table.entries);
  }
  return out.take();
}

Result<Manifest> decode_manifest(BytesView body) {
  ByteReader in(body);
  Manifest manifest;
  manifest.id.bytes = in.get_array<16>();
  manifest.datastore = in.get_string();
  manifest.page_size = in.get<uint32_t>();
  manifest.started = {static_cast<int64_t>(in.get<uint64_t>())};
  manifest.ended = {static_cast<int64_t>(in.get<uint64_t>())};
  manifest.files = in.get<uint64_t>();
  manifest.bytes_read = in.get<uint64_t>();
  manifest.bytes_stored = in.get<uint64_t>();
  manifest.meta = in.get_string();
  const auto tables = in.get<uint32_t>();
  if (!in.ok() || in.left() != uint64_t{tables} * (16 + 28 + 8) || manifest.page_size != kPageSize)
    return corrupt("a manifest is cut or of an unknown page size");
  manifest.tables.resize(tables);
  for (TableRef& table : manifest.tables) {
    table.id.bytes = in.get_array<16>();
    table.location = get_location(in);
    table.entries = in.get<uint64_t>();
  }
  return manifest;
}

}  // namespace daruma
