// repository/repository_fixture.h: a small repository, and trees of files to snapshot and compare, for tests.
//
// Threads: plain values.
#pragma once

#include <map>
#include <string>

#include "os/random.h"
#include "repository/snapshot_reader.h"
#include "repository/snapshot_writer.h"
#include "storage/memory_store.h"

namespace daruma {

inline KeyFile test_key(uint64_t seed = 1) {
  const auto random = seeded_random(seed);
  KeyFile key;
  key.repository = random->id<RepositoryId>();
  random->fill(key.master.writable());
  return key;
}

// Bytes that do not compress, always the same for one seed.
inline Bytes test_bytes(uint64_t seed, size_t size) {
  Bytes bytes(size);
  seeded_random(seed)->fill(bytes);
  return bytes;
}

// One page per seed, small when compressed.
inline Bytes test_pages(const std::vector<uint64_t>& seeds) {
  Bytes bytes;
  for (const uint64_t seed : seeds) {
    const Bytes page = test_bytes(seed, 64);
    for (size_t i = 0; i < kPageSize / page.size(); ++i) bytes.insert(bytes.end(), page.begin(), page.end());
  }
  return bytes;
}

// The seeds first, first + 1, … of `count` pages.
inline std::vector<uint64_t> seeds_from(uint64_t first, size_t count) {
  std::vector<uint64_t> seeds(count);
  for (uint64_t& seed : seeds) seed = first++;
  return seeds;
}

struct TestFile {
  FileEntry::Type type = FileEntry::Type::kFile;
  uint32_t mode = 0600;
  Instant modified = {1'600'000'000'000'000};
  std::string target = {};
  Bytes bytes = {};

  bool operator==(const TestFile&) const = default;
};
using TestTree = std::map<std::string, TestFile>;

inline TestFile test_file(Bytes bytes) { return {.bytes = std::move(bytes)}; }

inline Result<Repository::StoredCommit> take_snapshot(Repository& repository, const WriterId& writer,
                                                      const TestTree& tree,
                                                      SnapshotWriter::Options options = {},
                                                      size_t write_size = 100'000) {
  options.datastore = "bookings";
  const auto out = SnapshotWriter::start(repository, std::move(options));
  for (const auto& [path, file] : tree) {
    FileEntry entry;
    entry.path = path;
    entry.type = file.type;
    entry.mode = file.mode;
    entry.modified = file.modified;
    entry.size = file.bytes.size();
    entry.target = file.target;
    DR_OK(out->begin_file(entry));
    for (size_t at = 0; at < file.bytes.size(); at += write_size)
      DR_OK(out->write(BytesView(file.bytes).subspan(at, std::min(write_size, file.bytes.size() - at))));
    DR_OK(out->end_file());
  }
  return out->commit(writer, repository.clock().now(),
                     []() -> Result<std::string> { return std::string("{}"); });
}

// Everything in a snapshot, every byte of it.
inline Result<TestTree> read_tree(const SnapshotReader& snapshot) {
  TestTree tree;
  DR_OK(snapshot.for_each_entry([&](const FileEntry& entry) -> Status {
    TestFile file{entry.type, entry.mode, entry.modified, entry.target, {}};
    if (entry.type == FileEntry::Type::kFile) {
      DR_TRY(file.bytes, snapshot.read_range(entry, 0, entry.size));
    }
    tree.emplace(entry.path, std::move(file));
    return {};
  }));
  return tree;
}

inline Result<TestTree> read_tree(const Repository& repository, const Repository::StoredCommit& stored) {
  DR_TRY(const auto snapshot, SnapshotReader::open(repository, stored));
  return read_tree(*snapshot);
}

// A repository in memory; all randomness comes from its seed.
struct TestRepository {
  explicit TestRepository(uint64_t seed = 1) : random(seeded_random(seed)), key(test_key(seed)) {
    DR_CHECK(Repository::create({"memory", &store}, key, clock, *random).ok());
    open = *Repository::open({{"memory", &store}}, key, clock, *random);
    writer = random->id<WriterId>();
  }

  Repository& operator*() { return *open; }
  Repository* operator->() { return open.get(); }
  Result<Repository::StoredCommit> take(const TestTree& tree, const SnapshotReader* parent = nullptr) {
    clock.advance(1min);
    return take_snapshot(*open, writer, tree, {.parent = parent});
  }
  // The snapshot's reader, as the parent of another.
  std::unique_ptr<SnapshotReader> read(const Repository::StoredCommit& stored) {
    return *SnapshotReader::open(*open, stored);
  }

  MemoryStore store;
  ManualClock clock;
  std::unique_ptr<Random> random;
  KeyFile key;
  std::unique_ptr<Repository> open;
  WriterId writer;
};

}  // namespace daruma
