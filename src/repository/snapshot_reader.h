// repository/snapshot_reader.h: reads a snapshot: its files, and any bytes of them, each page verified by its
// hash.
//
// Format:  docs/format/snapshot.md.
// Errors:  kCorrupt names the pack, or the file and page, that is damaged; wrong bytes are never returned.
// Threads: every method may be called concurrently.
// Owns:    a small cache of decoded frames. The repository is borrowed and outlives it.
#pragma once

#include <functional>
#include <memory>

#include "repository/repository.h"

namespace daruma {

class SnapshotReader {
 public:
  static Result<std::unique_ptr<SnapshotReader>> open(const Repository& repository,
                                                      const Repository::StoredCommit& stored);
  ~SnapshotReader();

  const Manifest& manifest() const;
  // The packs this snapshot needs, with their sizes.
  const std::vector<PackSize>& packs() const;

  // Entries in stored order, until `each` fails. An entry's inline map stays valid only during the call.
  Status for_each_entry(const std::function<Status(const FileEntry&)>& each) const;
  // kNotFound: the snapshot has no such path. Slow the first time, as it reads all tables' paths; for single
  // look-ups.
  Result<FileEntry> find(const std::string& path) const;

  // The map of pages [leaf * kLeafPages, …), verified against its id.
  Result<LeafMap> leaf(const FileEntry& entry, uint64_t leaf) const;
  // Pages [first, first + count) of a leaf, in order, each verified, to `each(page within the leaf, bytes)`.
  // Frames are read once for all their pages that are wanted, so pages may arrive out of order.
  Status read_pages(const FileEntry& entry, const LeafMap& leaf, uint64_t first, uint64_t count,
                    const std::function<Status(uint64_t page, BytesView bytes)>& each) const;
  // Exactly the bytes [offset, offset + size) of a file. kInvalid: past its end.
  Result<Bytes> read_range(const FileEntry& entry, uint64_t offset, uint64_t size) const;

 private:
  struct State;
  explicit SnapshotReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace daruma
