#include "repository/map_reader.h"

#include <fmt/format.h>

namespace daruma {
namespace {

Error in_pack(const Location& location, const std::string& what) {
  return {Errc::kCorrupt,
          fmt::format("{}: the record at offset {} {}", pack_name(location.pack), location.offset, what)};
}

Result<Bytes> read_body(const Repository& repository, RecordKind kind, const Location& location) {
  DR_TRY(const Bytes record, repository.read_record(location));
  auto body = decode_body(kind, record);
  if (!body.ok()) return std::move(body).error().in(pack_name(location.pack));
  return body;
}

}  // namespace

Result<Manifest> read_manifest(const Repository& repository, const Commit& commit) {
  DR_TRY(const Bytes body, read_body(repository, RecordKind::kManifest, commit.manifest));
  if (repository.keys().hash(HashDomain::kManifest, body) != commit.manifest_id.bytes)
    return in_pack(commit.manifest, "is another manifest");
  auto manifest = decode_manifest(body);
  if (!manifest.ok()) return std::move(manifest).error().in(pack_name(commit.manifest.pack));
  if (manifest->id != commit.snapshot) return in_pack(commit.manifest, "is another snapshot's manifest");
  return manifest;
}

Result<std::vector<FileEntry>> read_table(const Repository& repository, const TableRef& table) {
  DR_TRY(const Bytes body, read_body(repository, RecordKind::kTable, table.location));
  if (repository.keys().hash(HashDomain::kTable, body) != table.id.bytes)
    return in_pack(table.location, "is another file table");
  auto entries = decode_table(body);
  if (!entries.ok()) return std::move(entries).error().in(pack_name(table.location.pack));
  if (entries->size() != table.entries) return in_pack(table.location, "lacks entries");
  return entries;
}

Result<LeafMap> read_leaf(const Repository& repository, const FileEntry& entry, uint64_t leaf) {
  DR_CHECK(leaf < entry.leaf_count());
  if (entry.has_inline_leaf) return entry.inline_leaf;
  const LeafRef& ref = entry.leaves[leaf];
  DR_TRY(const Bytes body, read_body(repository, RecordKind::kLeaf, ref.location));
  auto map = decode_leaf(body);
  if (!map.ok()) return std::move(map).error().in(pack_name(ref.location.pack));
  if (map->pages.size() != pages_of_leaf(entry, leaf) || leaf_id(repository.keys(), *map) != ref.id)
    return in_pack(ref.location, fmt::format("is another map than that of '{}' from page {}", entry.path,
                                             leaf * kLeafPages));
  return map;
}

}  // namespace daruma
