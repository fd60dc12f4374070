// os/sim_inode.h: a file or directory of the simulated disk: what is visible, and the way back to what is
// durable.
//
// What is visible is kept whole; beside it stands a history of the changes since the last sync, each with
// what was there before. So a sync only forgets the history, and only a power cut walks it.
// Threads: none; SimFileSystem holds its lock.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "os/file_system.h"
#include "os/split_mix.h"

namespace daruma {

inline constexpr uint64_t kSimSector = 512;

// How much of one history survives a power cut.
enum class SimFate : uint8_t { kNothing, kEverything, kSome };

// The bytes of a file.
class SimContent {
 public:
  const Bytes& bytes() const { return bytes_; }
  bool dirty() const { return !history_.empty(); }
  uint64_t durable_size() const { return dirty() ? history_.front().old_size : bytes_.size(); }

  void write(uint64_t offset, BytesView bytes);
  void truncate(uint64_t size);
  void sync() { history_.clear(); }
  // Every sector goes back to one of its states since the last sync, and so does the size.
  void power_cut(SimFate fate, SplitMix& random);
  // Flips bits of a byte that is visible and durable.
  void flip(uint64_t offset, std::byte bits);

 private:
  struct Overwrite {
    uint64_t old_size;
    uint64_t first_sector;
    uint64_t sectors;
    Bytes old;  // of these sectors, as far as the file went
  };

  void undo(const Overwrite& change, uint64_t sector);
  void keep_some(SplitMix& random);
  void keep_nothing();

  Bytes bytes_;
  std::vector<Overwrite> history_;
};

struct SimInode;
// Shared, because names, open files and histories all keep what they refer to.
using SimInodePtr = std::shared_ptr<SimInode>;

// The names in a directory.
class SimNames {
 public:
  using Map = std::map<std::string, SimInodePtr, std::less<>>;

  const Map& visible() const { return names_; }
  Map durable() const;
  bool dirty() const { return !history_.empty(); }
  SimInodePtr find(std::string_view name) const;

  // `inode` null: the name goes.
  void set(const std::string& name, SimInodePtr inode);
  // Both names change in one step, which survives whole or not at all.
  void rename(const std::string& from, const std::string& to);
  void sync() { history_.clear(); }
  // Every name goes back to one of its states since the last sync.
  void power_cut(SimFate fate, SplitMix& random);

 private:
  struct Before {
    std::string name;
    SimInodePtr inode;
  };
  using Change = std::vector<Before>;  // one or two names

  Before assign(const std::string& name, SimInodePtr inode);

  Map names_;
  std::vector<Change> history_;
};

struct SimInode {
  FileType type = FileType::kFile;
  uint32_t mode = 0;
  Instant modified = {};
  SimContent content = {};  // of a file
  SimNames names = {};      // of a directory
  Path target = {};         // of a symbolic link

  bool listed = false;  // among those that a power cut may change

  bool dirty() const { return content.dirty() || names.dirty(); }
};

}  // namespace daruma
