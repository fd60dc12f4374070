// repository/snapshot_writer.h: takes files as they stream in, in any order, and makes a snapshot of them.
//
// Format:  docs/format/snapshot.md.
// Order:   packs, index, maps, manifest, commit (docs/format/README.md). Until commit() returns, nothing
// names the packs. Method:  the caller's thread cuts files into ranges of 32 pages; workers hash them; one
// thread compares with the parent's
//          map and fills frames; workers compress; one thread seals, places and builds maps. Memory is
//          bounded by the queues (about 100 MiB), not by the size of the data.
// Errors:  as the repository; the first failure anywhere is returned by the next call and by commit().
// Threads: one caller at a time; it has threads of its own.
#pragma once

#include <functional>
#include <memory>

#include "base/size.h"
#include "repository/repository.h"

namespace daruma {

class SnapshotReader;

class SnapshotWriter {
 public:
  // Looks at each whole page as it passes, on worker threads, concurrently. `page` counts within the file.
  using PageInspector = std::function<void(const std::string& path, uint64_t page, BytesView bytes)>;

  struct Options {
    std::string datastore = {};
    unsigned workers = 2;
    PageInspector inspect = {};
    // Borrowed, outlives the writer: pages that it has at the same place are not stored again. null: a full
    // snapshot.
    const SnapshotReader* parent = nullptr;
    // When a pack is full. Packs under way are in memory whole; tests use small ones.
    uint64_t pack_bytes = 16 * kMiB;
  };
  static std::unique_ptr<SnapshotWriter> start(Repository& repository, Options options);
  // Without commit() the packs written so far are garbage that nothing names.
  virtual ~SnapshotWriter() = default;

  // A file of exactly entry.size bytes follows through write(), then end_file(). Directories and links have
  // no bytes. Only path, type, mode, modified, size and target of the entry are read.
  virtual Status begin_file(const FileEntry& entry) = 0;
  virtual Status write(BytesView bytes) = 0;
  virtual Status end_file() = 0;

  // Bytes read and stored so far, from any thread, for progress.
  virtual uint64_t bytes_read() const = 0;
  virtual uint64_t bytes_stored() const = 0;

  // Everything above becomes durable, then a recovery point in `writer`'s chain. `meta` is called when all
  // pages were inspected and stored, to say what the datastore wants to remember (JSON).
  virtual Result<Repository::StoredCommit> commit(const WriterId& writer, Instant started,
                                                  const std::function<Result<std::string>()>& meta) = 0;
};

}  // namespace daruma
