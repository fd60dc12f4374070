// os/sim_file_system.h: a disk that loses what was not synced and tears what was under way.
//
// Fault model. A write is visible at once and durable after File::sync of that file. A name (create,
// rename, link, remove, mkdir) is visible at once and durable after sync_dir of its directory (both
// directories of a rename), and both after Volume::sync. power_cut(): of everything not durable a subset
// chosen by the seed survives, in 512-byte sectors for writes, each by itself for names; seed 0 keeps
// nothing. A sector or name that changed several times may come back in any of its states since its last
// sync; a rename within one directory survives whole or not at all; a file's size survives by itself, with
// zeros where no sector did. Synced bytes never change, but for damage() on purpose. Modes are durable at
// once. Times of change are counted, not read from a clock.
// Relative paths start at "/", the only directory of a new disk.
// Threads: any; one lock.
#pragma once

#include <memory>

#include "os/file_system.h"

namespace daruma {

class SimFileSystem final : public FileSystem {
 public:
  enum class Fault : uint8_t {
    kError,  // the call fails with kFailed and does nothing
    kFull,   // it, or else the next call that needs space, fails with kNoSpace; a write has written a part
    kTorn,   // a write writes a part, then the power is gone; any other call: power is gone before it
    kPower,  // power is gone after the call did its work, before it returns
  };  // Needing space: a new name, a growing write. While the power is gone every call fails with kFailed.

  explicit SimFileSystem(uint64_t seed = 0);
  ~SimFileSystem() override;

  // The n-th call from now that changes or syncs anything (reads do not count; 1 is the next) meets `fault`.
  void fail_call(uint64_t n, Fault fault);
  // Whether the armed fault was met.
  bool fault_met() const;
  // Calls counted so far (those that change or sync).
  uint64_t calls() const;
  // The power goes and comes back: what was not durable is lost by the fault model, open Files answer kFailed
  // for ever, locks are gone, a pending or met fault is disarmed.
  void power_cut();
  // What would be left after a power cut now; planted bugs and tests compare it. Paths of all durable files.
  std::vector<Path> durable_files() const;
  // Flips bits (xor) of one durable and visible byte. kNotFound, kInvalid (past the end).
  Status damage(const Path& path, uint64_t offset, std::byte flip);
  // Fails every call that needs space with kNoSpace from now on, or stops doing so.
  void set_full(bool full);

  Result<std::unique_ptr<File>> open_read(const Path& path) override;
  Result<std::unique_ptr<File>> create(const Path& path, uint32_t mode) override;
  Result<std::unique_ptr<File>> open_write(const Path& path) override;
  Result<std::unique_ptr<AppendFile>> open_append(const Path& path, uint32_t mode) override;
  Status create_dir(const Path& path, uint32_t mode) override;
  Result<std::vector<DirectoryEntry>> list_dir(const Path& path) override;
  Status sync_dir(const Path& path) override;
  Status remove_dir(const Path& path) override;
  Result<std::unique_ptr<Volume>> open_volume(const Path& directory) override;
  Result<FileInfo> info(const Path& path) override;
  Status set_mode(const Path& path, uint32_t mode) override;
  Status rename(const Path& from, const Path& to) override;
  Status link(const Path& from, const Path& to) override;
  Status symlink(const Path& target, const Path& path) override;
  Result<Path> read_symlink(const Path& path) override;
  Status remove_file(const Path& path) override;
  Result<uint64_t> free_bytes(const Path& path) override;
  Result<uint64_t> total_bytes(const Path& path) override;
  Result<std::unique_ptr<FileLock>> lock(const Path& path) override;

 private:
  struct State;
  friend class SimFile;
  friend class SimAppendFile;
  friend class SimVolume;
  friend class SimFileLock;
  std::shared_ptr<State> state_;
};

}  // namespace daruma
