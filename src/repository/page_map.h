// repository/page_map.h: leaf maps, file entries and the manifest: where every page of a snapshot is.
//
// Format:  docs/format/snapshot.md.
// Errors:  kCorrupt where bytes are not such a record.
// Bytes come from outside: fuzzed in tests/fuzz/record_fuzz.cc.
// Threads: plain values and pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "repository/frame.h"

namespace daruma {

using SnapshotId = Id<struct SnapshotTag>;

inline constexpr uint64_t kLeafPages = 4096;
inline constexpr uint64_t kInlinePages = 64;  // a file of at most so many pages carries its map in its entry

// Up to kLeafPages neighbouring pages of one file.
struct LeafMap {
  struct Frame {
    FrameId id;
    Location location;
  };
  struct Page {
    PageHash hash;
    uint16_t frame = 0;  // index into frames
    uint16_t slot = 0;
  };
  std::vector<Frame> frames;
  std::vector<Page> pages;
};

MapId leaf_id(const Keys& keys, const LeafMap& leaf);
Bytes encode_leaf(const LeafMap& leaf);  // the body, without the record's head
Result<LeafMap> decode_leaf(BytesView body);

struct LeafRef {
  MapId id;
  Location location;
};

struct FileEntry {
  enum class Type : uint8_t { kFile = 0, kDirectory = 1, kSymlink = 2 };
  std::string path;  // relative, '/'-separated
  Type type = Type::kFile;
  uint32_t mode = 0;
  Instant modified;
  uint64_t size = 0;
  std::string target;  // of a symbolic link
  bool has_inline_leaf = false;
  LeafMap inline_leaf;
  std::vector<LeafRef> leaves;

  uint64_t pages() const { return (size + kPageSize - 1) / kPageSize; }
  uint64_t leaf_count() const { return has_inline_leaf ? 1 : leaves.size(); }
};

// Relative, no empty part, no "." and no "..".
bool is_path_inside(std::string_view path);

void put_entry(ByteWriter& out, const FileEntry& entry);
// All entries of a file table's body. kCorrupt also for a path that is absolute or climbs ('..').
Result<std::vector<FileEntry>> decode_table(BytesView body);

struct TableRef {
  MapId id;
  Location location;
  uint64_t entries = 0;
};

struct Manifest {
  SnapshotId id;
  std::string datastore;
  uint32_t page_size = kPageSize;
  Instant started;
  Instant ended;
  uint64_t files = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_stored = 0;
  std::string meta;  // JSON, the datastore's own
  std::vector<TableRef> tables;
};

Bytes encode_manifest(const Manifest& manifest);
Result<Manifest> decode_manifest(BytesView body);

}  // namespace daruma
