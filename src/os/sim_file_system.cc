#include "os/sim_file_system.h"

#include <algorithm>

#include "base/guarded.h"
#include "base/size.h"
#include "os/sim_disk.h"

namespace daruma {
namespace {

void list_durable(const SimInode& directory, const Path& path, std::vector<Path>& files) {
  for (const auto& [name, inode] : directory.names.durable()) {
    if (inode->type == FileType::kFile) files.push_back(path / name);
    if (inode->type == FileType::kDirectory) list_durable(*inode, path / name, files);
  }
}

SimInodePtr new_inode(FileType type, uint32_t mode) {
  return std::make_shared<SimInode>(SimInode{.type = type, .mode = mode});
}

}  // namespace

// Shared, because open files and locks may outlive the file system.
struct SimFileSystem::State {
  Guarded<SimDisk> disk;

  Status add(const Path& path, const SimInodePtr& inode, std::string_view verb) {
    auto access = disk.lock();
    return access->change(verb, path, true, [&] {
      const Status added = access->add_name(path, inode, verb);
      if (added.ok()) access->touch(inode);
      return added;
    });
  }

  Result<SimInodePtr> find_file(const Path& path, std::string_view verb) {
    auto access = disk.lock();
    if (access->power_is_gone) return sim_power_gone(verb, path);
    DR_TRY(const SimPlace place, access->find(path, true, verb));
    if (place.inode->type == FileType::kDirectory) return os_error(EISDIR, verb, path);
    return place.inode;
  }
};

class SimFile final : public File {
 public:
  SimFile(std::shared_ptr<SimFileSystem::State> state, SimInodePtr inode, Path path, bool writable)
      : state_(std::move(state)), inode_(std::move(inode)), path_(std::move(path)), writable_(writable) {
    power_cuts_ = state_->disk.lock()->power_cuts;
  }

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const override {
    auto disk = state_->disk.lock();
    DR_OK(check_alive(*disk, "read"));
    const Bytes& bytes = inode_->content.bytes();
    if (offset >= bytes.size()) return size_t{0};
    const size_t n = std::min<uint64_t>(out.size(), bytes.size() - offset);
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(offset), n, out.begin());
    return n;
  }

  Status write_at(uint64_t offset, BytesView bytes) override {
    auto disk = state_->disk.lock();
    DR_OK(check_writable(*disk, "write"));
    const auto write = [&](size_t size) {
      inode_->content.write(offset, bytes.first(size));
      disk->touch(inode_);
      return Status();
    };
    const bool grows = offset + bytes.size() > inode_->content.bytes().size();
    const auto whole = [&] { return write(bytes.size()); };
    const auto half = [&] { static_cast<void>(write(bytes.size() / 2)); };
    return disk->change("write", path_, grows, whole, half);
  }

  Status sync() override {
    auto disk = state_->disk.lock();
    DR_OK(check_alive(*disk, "sync"));
    return disk->change("sync", path_, false, [&] {
      inode_->content.sync();
      return Status();
    });
  }

  Result<uint64_t> size() const override {
    auto disk = state_->disk.lock();
    DR_OK(check_alive(*disk, "look at"));
    return inode_->content.bytes().size();
  }

  Status truncate(uint64_t size) override {
    auto disk = state_->disk.lock();
    DR_OK(check_writable(*disk, "truncate"));
    return disk->change("truncate", path_, false, [&] {
      inode_->content.truncate(size);
      disk->touch(inode_);
      return Status();
    });
  }

 private:
  Status check_alive(const SimDisk& disk, std::string_view verb) const {
    if (disk.power_is_gone || disk.power_cuts != power_cuts_) return sim_power_gone(verb, path_);
    return {};
  }
  Status check_writable(const SimDisk& disk, std::string_view verb) const {
    if (!writable_) return os_error(EBADF, verb, path_);
    return check_alive(disk, verb);
  }

  std::shared_ptr<SimFileSystem::State> state_;
  SimInodePtr inode_;
  Path path_;
  bool writable_;
  uint64_t power_cuts_;  // when it was opened
};

class SimAppendFile final : public AppendFile {
 public:
  SimAppendFile(std::shared_ptr<SimFileSystem::State> state, SimInodePtr inode, Path path)
      : state_(std::move(state)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        power_cuts_(state_->disk.lock()->power_cuts) {}

  Status append(BytesView bytes) override {
    auto disk = state_->disk.lock();
    DR_OK(check_alive(*disk, "append to"));
    const uint64_t end = inode_->content.bytes().size();
    const auto write = [&](size_t size) {
      inode_->content.write(end, bytes.first(size));
      disk->touch(inode_);
      return Status();
    };
    const auto whole = [&] { return write(bytes.size()); };
    const auto half = [&] { static_cast<void>(write(bytes.size() / 2)); };
    Status status = disk->change("append to", path_, true, whole, half);
    if (status.is(Errc::kNoSpace)) inode_->content.truncate(end);
    return status;
  }

  Result<uint64_t> size() const override {
    auto disk = state_->disk.lock();
    DR_OK(check_alive(*disk, "look at"));
    return inode_->content.bytes().size();
  }

  Result<bool> still_named() const override {
    auto disk = state_->disk.lock();
    DR_OK(check_alive(*disk, "look at"));
    const auto place = disk->find(path_, true, "look at");
    if (!place.ok() && !place.is(Errc::kNotFound)) return place.error();
    return place.ok() && place->inode == inode_;
  }

 private:
  Status check_alive(const SimDisk& disk, std::string_view verb) const {
    if (disk.power_is_gone || disk.power_cuts != power_cuts_) return sim_power_gone(verb, path_);
    return {};
  }

  std::shared_ptr<SimFileSystem::State> state_;
  SimInodePtr inode_;
  Path path_;
  uint64_t power_cuts_;  // when it was opened
};

class SimVolume final : public Volume {
 public:
  SimVolume(std::shared_ptr<SimFileSystem::State> state, Path path)
      : state_(std::move(state)), path_(std::move(path)), power_cuts_(state_->disk.lock()->power_cuts) {}

  Status sync() override {
    auto disk = state_->disk.lock();
    if (disk->power_cuts != power_cuts_) return sim_power_gone("sync", path_);
    return disk->change("sync the file system of", path_, false, [&] {
      disk->sync_all();
      return Status();
    });
  }

 private:
  std::shared_ptr<SimFileSystem::State> state_;
  Path path_;
  uint64_t power_cuts_;  // when it was opened
};

class SimFileLock final : public FileLock {
 public:
  SimFileLock(std::shared_ptr<SimFileSystem::State> state, SimInodePtr inode)
      : state_(std::move(state)), inode_(std::move(inode)), power_cuts_(state_->disk.lock()->power_cuts) {}
  ~SimFileLock() override {
    auto disk = state_->disk.lock();
    if (disk->power_cuts == power_cuts_) disk->locked.erase(inode_.get());
  }

 private:
  std::shared_ptr<SimFileSystem::State> state_;
  SimInodePtr inode_;
  uint64_t power_cuts_;  // when it was taken
};

SimFileSystem::SimFileSystem(uint64_t seed) : state_(std::make_shared<State>()) {
  state_->disk.lock()->seed = seed;
}
SimFileSystem::~SimFileSystem() = default;

void SimFileSystem::fail_call(uint64_t n, Fault fault) {
  auto disk = state_->disk.lock();
  disk->fault_at = disk->calls + n;
  disk->fault = fault;
  disk->fault_met = false;
}

bool SimFileSystem::fault_met() const { return state_->disk.lock()->fault_met; }
uint64_t SimFileSystem::calls() const { return state_->disk.lock()->calls; }
void SimFileSystem::power_cut() { state_->disk.lock()->cut_power(); }
void SimFileSystem::set_full(bool full) { state_->disk.lock()->full = full; }

std::vector<Path> SimFileSystem::durable_files() const {
  auto disk = state_->disk.lock();
  std::vector<Path> files;
  list_durable(*disk->root, "/", files);
  return files;
}

Status SimFileSystem::damage(const Path& path, uint64_t offset, std::byte flip) {
  auto disk = state_->disk.lock();
  DR_TRY(const SimPlace place, disk->find(path, true, "damage"));
  SimContent& content = place.inode->content;
  if (offset >= std::min<uint64_t>(content.durable_size(), content.bytes().size()))
    return Error{Errc::kInvalid,
                 fmt::format("cannot damage '{}': no durable byte at {}", path.native(), offset)};
  content.flip(offset, flip);
  return {};
}

Result<std::unique_ptr<File>> SimFileSystem::open_read(const Path& path) {
  DR_TRY(SimInodePtr inode, state_->find_file(path, "open"));
  return std::unique_ptr<File>(std::make_unique<SimFile>(state_, std::move(inode), path, false));
}

Result<std::unique_ptr<File>> SimFileSystem::open_write(const Path& path) {
  DR_TRY(SimInodePtr inode, state_->find_file(path, "open for writing"));
  return std::unique_ptr<File>(std::make_unique<SimFile>(state_, std::move(inode), path, true));
}

Result<std::unique_ptr<File>> SimFileSystem::create(const Path& path, uint32_t mode) {
  const SimInodePtr inode = new_inode(FileType::kFile, mode);
  DR_OK(state_->add(path, inode, "create"));
  return std::unique_ptr<File>(std::make_unique<SimFile>(state_, inode, path, true));
}

Result<std::unique_ptr<AppendFile>> SimFileSystem::open_append(const Path& path, uint32_t mode) {
  const auto created = create(path, mode);
  if (!created.ok() && !created.is(Errc::kExists)) return created.error();
  DR_TRY(SimInodePtr inode, state_->find_file(path, "open for appending"));
  return std::unique_ptr<AppendFile>(std::make_unique<SimAppendFile>(state_, std::move(inode), path));
}

Status SimFileSystem::create_dir(const Path& path, uint32_t mode) {
  return state_->add(path, new_inode(FileType::kDirectory, mode), "create directory");
}

Status SimFileSystem::symlink(const Path& target, const Path& path) {
  const SimInodePtr inode = new_inode(FileType::kSymlink, 0777);
  inode->target = target;
  return state_->add(path, inode, "create symbolic link");
}

Status SimFileSystem::link(const Path& from, const Path& to) {
  const std::string verb = fmt::format("link '{}' to", from.native());
  auto disk = state_->disk.lock();
  return disk->change(verb, to, true, [&]() -> Status {
    DR_TRY(const SimPlace source, disk->find(from, false, verb));
    if (source.inode->type == FileType::kDirectory) return os_error(EPERM, verb, to);
    return disk->add_name(to, source.inode, verb);
  });
}

Status SimFileSystem::rename(const Path& from, const Path& to) {
  auto disk = state_->disk.lock();
  return disk->change("rename to", to, false, [&] { return disk->rename(from, to); });
}

Status SimFileSystem::remove_file(const Path& path) {
  auto disk = state_->disk.lock();
  return disk->change("remove", path, false, [&] { return disk->remove_name(path, false); });
}

Status SimFileSystem::remove_dir(const Path& path) {
  auto disk = state_->disk.lock();
  return disk->change("remove directory", path, false, [&] { return disk->remove_name(path, true); });
}

Result<std::unique_ptr<Volume>> SimFileSystem::open_volume(const Path& directory) {
  {
    auto disk = state_->disk.lock();
    if (disk->power_is_gone) return sim_power_gone("open directory", directory);
    DR_OK(disk->find_directory(directory, "open directory"));
  }
  return std::unique_ptr<Volume>(std::make_unique<SimVolume>(state_, directory));
}

Status SimFileSystem::set_mode(const Path& path, uint32_t mode) {
  auto disk = state_->disk.lock();
  return disk->change("set the mode of", path, false, [&]() -> Status {
    DR_TRY(const SimPlace place, disk->find(path, true, "set the mode of"));
    place.inode->mode = mode;
    return {};
  });
}

Status SimFileSystem::sync_dir(const Path& path) {
  auto disk = state_->disk.lock();
  return disk->change("sync directory", path, false, [&]() -> Status {
    DR_TRY(const SimInodePtr directory, disk->find_directory(path, "sync directory"));
    directory->names.sync();
    return {};
  });
}

Result<std::vector<DirectoryEntry>> SimFileSystem::list_dir(const Path& path) {
  auto disk = state_->disk.lock();
  if (disk->power_is_gone) return sim_power_gone("list", path);
  DR_TRY(const SimInodePtr directory, disk->find_directory(path, "list"));
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, inode] : directory->names.visible()) entries.push_back({name, inode->type});
  return entries;
}

Result<FileInfo> SimFileSystem::info(const Path& path) {
  auto disk = state_->disk.lock();
  if (disk->power_is_gone) return sim_power_gone("look at", path);
  DR_TRY(const SimPlace place, disk->find(path, false, "look at"));
  const SimInode& inode = *place.inode;
  return FileInfo{inode.type, inode.content.bytes().size(), inode.mode, inode.modified};
}

Result<Path> SimFileSystem::read_symlink(const Path& path) {
  auto disk = state_->disk.lock();
  if (disk->power_is_gone) return sim_power_gone("read symbolic link", path);
  DR_TRY(const SimPlace place, disk->find(path, false, "read symbolic link"));
  if (place.inode->type != FileType::kSymlink) return os_error(EINVAL, "read symbolic link", path);
  return place.inode->target;
}

Result<uint64_t> SimFileSystem::free_bytes(const Path& path) {
  DR_TRY(const uint64_t total, total_bytes(path));
  return state_->disk.lock()->full ? 0 : total;
}

Result<uint64_t> SimFileSystem::total_bytes(const Path& path) {
  auto disk = state_->disk.lock();
  if (disk->power_is_gone) return sim_power_gone("ask for the free space at", path);
  DR_OK(disk->find(path, true, "ask for the free space at"));
  return 1024 * kGiB;
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const Path& path) {
  const auto created = create(path, 0600);
  if (!created.ok() && !created.is(Errc::kExists)) return created.error();
  DR_TRY(SimInodePtr inode, state_->find_file(path, "open lock file"));
  if (!state_->disk.lock()->locked.insert(inode.get()).second)
    return Error{Errc::kRefused, fmt::format("'{}' is locked by somebody else", path.native())};
  return std::unique_ptr<FileLock>(std::make_unique<SimFileLock>(state_, std::move(inode)));
}

}  // namespace daruma
