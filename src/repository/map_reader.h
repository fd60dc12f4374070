// repository/map_reader.h: reads the records that say where a snapshot's bytes are, each verified by its id.
//
// Format:  docs/format/snapshot.md.
// Errors:  kCorrupt names the pack; else as the store.
// Threads: pure but for reading.
#pragma once

#include "repository/repository.h"

namespace daruma {

Result<Manifest> read_manifest(const Repository& repository, const Commit& commit);
Result<std::vector<FileEntry>> read_table(const Repository& repository, const TableRef& table);
// The map of pages [leaf * kLeafPages, …) of a file that has such a leaf.
Result<LeafMap> read_leaf(const Repository& repository, const FileEntry& entry, uint64_t leaf);

// How many pages the map of that leaf covers.
inline uint64_t pages_of_leaf(const FileEntry& entry, uint64_t leaf) {
  return std::min(kLeafPages, entry.pages() - leaf * kLeafPages);
}

}  // namespace daruma
