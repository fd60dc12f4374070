// tests/support/snapshot_bugs.h: a disk and a store with one of the bugs that taking snapshots must not have,
// planted. The crash tests of snapshots are good only as long as they find each of them.
//
// Threads: as what they decorate.
#pragma once

#include <utility>
#include <vector>

#include "os/file_system.h"
#include "repository/repository.h"

namespace daruma {

enum class SnapshotBug : uint8_t {
  kNone,
  kFileNeverSynced,       // File::sync says that it did
  kDirectoryNeverSynced,  // sync_dir says that it did
  kCommitBeforeManifest,  // packs of maps, and the manifest, are put after the commit
  kManifestBeforeFrames,  // packs of frames are put after the manifest
  kPutBeforeDurable,      // every put says that it did, and does it at the next one
};
inline constexpr SnapshotBug kSnapshotBugs[] = {
    SnapshotBug::kFileNeverSynced, SnapshotBug::kDirectoryNeverSynced, SnapshotBug::kCommitBeforeManifest,
    SnapshotBug::kManifestBeforeFrames, SnapshotBug::kPutBeforeDurable};

class ForgetfulDisk final : public FileSystem {
 public:
  ForgetfulDisk(FileSystem& below, SnapshotBug bug) : below_(below), bug_(bug) {}

  Result<std::unique_ptr<File>> open_read(const Path& path) override { return below_.open_read(path); }
  Result<std::unique_ptr<File>> create(const Path& path, uint32_t mode) override {
    return forgetful(below_.create(path, mode));
  }
  Result<std::unique_ptr<File>> open_write(const Path& path) override {
    return forgetful(below_.open_write(path));
  }
  Result<std::unique_ptr<AppendFile>> open_append(const Path& path, uint32_t mode) override {
    return below_.open_append(path, mode);
  }
  Status create_dir(const Path& path, uint32_t mode) override { return below_.create_dir(path, mode); }
  Result<std::vector<DirectoryEntry>> list_dir(const Path& path) override { return below_.list_dir(path); }
  Status sync_dir(const Path& path) override {
    return bug_ == SnapshotBug::kDirectoryNeverSynced ? Status{} : below_.sync_dir(path);
  }
  Status remove_dir(const Path& path) override { return below_.remove_dir(path); }
  Result<std::unique_ptr<Volume>> open_volume(const Path& directory) override {
    return below_.open_volume(directory);
  }
  Result<FileInfo> info(const Path& path) override { return below_.info(path); }
  Status set_mode(const Path& path, uint32_t mode) override { return below_.set_mode(path, mode); }
  Status rename(const Path& from, const Path& to) override { return below_.rename(from, to); }
  Status link(const Path& from, const Path& to) override { return below_.link(from, to); }
  Status symlink(const Path& target, const Path& path) override { return below_.symlink(target, path); }
  Result<Path> read_symlink(const Path& path) override { return below_.read_symlink(path); }
  Status remove_file(const Path& path) override { return below_.remove_file(path); }
  Result<uint64_t> free_bytes(const Path& path) override { return below_.free_bytes(path); }
  Result<uint64_t> total_bytes(const Path& path) override { return below_.total_bytes(path); }
  Result<std::unique_ptr<FileLock>> lock(const Path& path) override { return below_.lock(path); }

 private:
  class ForgetfulFile final : public File {
   public:
    explicit ForgetfulFile(std::unique_ptr<File> below) : below_(std::move(below)) {}
    Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const override {
      return below_->read_at(offset, out);
    }
    Status write_at(uint64_t offset, BytesView bytes) override { return below_->write_at(offset, bytes); }
    Status sync() override { return {}; }
    Result<uint64_t> size() const override { return below_->size(); }
    Status truncate(uint64_t size) override { return below_->truncate(size); }

   private:
    std::unique_ptr<File> below_;
  };

  Result<std::unique_ptr<File>> forgetful(Result<std::unique_ptr<File>> file) const {
    if (!file.ok() || bug_ != SnapshotBug::kFileNeverSynced) return file;
    return std::unique_ptr<File>(std::make_unique<ForgetfulFile>(*std::move(file)));
  }

  FileSystem& below_;
  const SnapshotBug bug_;
};

// Holds puts back, and makes up for them later.
class MisorderingStore final : public ObjectStore {
 public:
  MisorderingStore(ObjectStore& below, const KeyFile& key, SnapshotBug bug)
      : below_(below), keys_(key), bug_(bug) {}

  Status put(const std::string& name, BytesView bytes, std::optional<Instant> retain_until) override {
    const std::optional<RecordKind> last = last_kind_of_pack(name, bytes);
    const bool frames = last == RecordKind::kFrame;
    const bool hold = bug_ == SnapshotBug::kPutBeforeDurable ||
                      (bug_ == SnapshotBug::kCommitBeforeManifest && last && !frames) ||
                      (bug_ == SnapshotBug::kManifestBeforeFrames && frames);
    const bool release = bug_ == SnapshotBug::kPutBeforeDurable ||
                         (bug_ == SnapshotBug::kCommitBeforeManifest && name.starts_with("commits/")) ||
                         (bug_ == SnapshotBug::kManifestBeforeFrames && last == RecordKind::kManifest);
    const auto late = release ? std::exchange(held_, {}) : std::vector<Held>();
    if (hold) held_.push_back({name, to_bytes(bytes)});
    Status put = hold ? Status{} : below_.put(name, bytes, retain_until);
    for (const Held& object : late) static_cast<void>(below_.put(object.name, object.bytes).ok());
    return put;
  }

  Result<Bytes> get(const std::string& name) override { return below_.get(name); }
  Result<Bytes> get_range(const std::string& name, uint64_t offset, uint64_t length) override {
    return below_.get_range(name, offset, length);
  }
  Result<ObjectInfo> head(const std::string& name) override { return below_.head(name); }
  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override { return below_.list(prefix); }
  Status remove(const std::string& name) override { return below_.remove(name); }
  Status extend(const std::string& name, Instant retain_until) override {
    return below_.extend(name, retain_until);
  }
  Result<std::unique_ptr<Tail>> create_tail(const std::string& name) override {
    return below_.create_tail(name);
  }
  std::string url() const override { return below_.url(); }

 private:
  struct Held {
    std::string name;
    Bytes bytes;
  };

  // What the last record of a pack is; nullopt: no pack.
  std::optional<RecordKind> last_kind_of_pack(const std::string& name, BytesView bytes) const {
    if (!name.starts_with("packs/")) return {};
    const auto opener = ObjectOpener::open(keys_, ObjectType::kPack, name, bytes);
    DR_CHECK(opener.ok());
    RecordCursor cursor(*opener, bytes);
    Bytes record;
    while (!cursor.at_end()) record = *cursor.next();
    return static_cast<RecordKind>(record.at(0));
  }

  ObjectStore& below_;
  const Keys keys_;
  const SnapshotBug bug_;
  std::vector<Held> held_;
};

}  // namespace daruma
