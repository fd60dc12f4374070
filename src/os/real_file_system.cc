#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "os/descriptor.h"
#include "os/errno.h"
#include "os/file_system.h"

namespace daruma {
namespace {

FileType type_of_mode(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kFile;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kOther;
}

class RealFile final : public File {
 public:
  RealFile(Descriptor descriptor, Path path) : fd_(std::move(descriptor)), path_(std::move(path)) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = uninterrupted([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) return os_error(errno, "read", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status write_at(uint64_t offset, BytesView bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted(
          [&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (n < 0) return os_error(errno, "write", path_);
      bytes = bytes.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  // Not repeated on failure: after a failed fdatasync the kernel may have dropped the pages, and a second
  // call would report a success that is none.
  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return os_error(errno, "sync", path_);
    return {};
  }

  Result<uint64_t> size() const override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0) return os_error(errno, "look at", path_);
    return static_cast<uint64_t>(st.st_size);
  }

  Status truncate(uint64_t size) override {
    if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0)
      return os_error(errno, "truncate", path_);
    return {};
  }

 private:
  Descriptor fd_;
  Path path_;
};

class RealAppendFile final : public AppendFile {
 public:
  RealAppendFile(Descriptor descriptor, Path path) : fd_(std::move(descriptor)), path_(std::move(path)) {}

  Status append(BytesView bytes) override {
    // The lock is for the undoing of a part, which must cut off nobody else's bytes. O_APPEND alone keeps two
    // writes apart, so whoever finds it taken (its holder may be stopped) goes on without.
    const bool locked = ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
    Status status = append_all(bytes);
    if (locked) ::flock(fd_.get(), LOCK_UN);
    return status;
  }

  Result<uint64_t> size() const override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0) return os_error(errno, "look at", path_);
    return static_cast<uint64_t>(st.st_size);
  }

  Result<bool> still_named() const override {
    struct stat ours {
    }, named{};
    if (::fstat(fd_.get(), &ours) != 0) return os_error(errno, "look at", path_);
    if (::stat(path_.c_str(), &named) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return false;
      return os_error(errno, "look at", path_);
    }
    return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
  }

 private:
  Status append_all(BytesView bytes) {
    off_t written = 0;
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (n < 0) {
        const int cause = errno;
        undo(written);
        return os_error(cause, "append to", path_);
      }
      written += n;
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  // Cuts off what was just appended, unless somebody has appended behind it.
  void undo(off_t written) {
    if (written == 0) return;
    const off_t end = ::lseek(fd_.get(), 0, SEEK_CUR);  // where our last write ended
    struct stat st {};
    if (end < written || ::fstat(fd_.get(), &st) != 0 || st.st_size != end) return;
    // Where even this fails a torn line stays; the error that is returned counts it as lost.
    if (::ftruncate(fd_.get(), end - written) != 0) return;
  }

  Descriptor fd_;
  Path path_;
};

class RealVolume final : public Volume {
 public:
  RealVolume(Descriptor descriptor, Path path) : fd_(std::move(descriptor)), path_(std::move(path)) {}

  Status sync() override {
    if (::syncfs(fd_.get()) != 0) return os_error(errno, "sync the file system of", path_);
    return {};
  }

 private:
  Descriptor fd_;
  Path path_;
};

class RealFileLock final : public FileLock {
 public:
  explicit RealFileLock(Descriptor descriptor) : fd_(std::move(descriptor)) {}

 private:
  Descriptor fd_;
};

Result<Descriptor> open_directory(const Path& path) {
  Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd.valid()) return os_error(errno, "open directory", path);
  return fd;
}

Result<std::unique_ptr<File>> open_file(const Path& path, int flags, uint32_t mode, std::string_view verb) {
  Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
  if (!fd.valid()) return os_error(errno, verb, path);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return os_error(errno, verb, path);
  if (S_ISDIR(st.st_mode)) return os_error(EISDIR, verb, path);
  return std::unique_ptr<File>(std::make_unique<RealFile>(std::move(fd), path));
}

Result<std::unique_ptr<AppendFile>> open_to_append(const Path& path, uint32_t mode) {
  static constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
  Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), kFlags, mode); }));
  if (!fd.valid()) return os_error(errno, "open for appending", path);
  return std::unique_ptr<AppendFile>(std::make_unique<RealAppendFile>(std::move(fd), path));
}

Result<struct statvfs> space_at(const Path& path) {
  struct statvfs st {};
  if (uninterrupted([&] { return ::statvfs(path.c_str(), &st); }) != 0)
    return os_error(errno, "ask for the free space at", path);
  return st;
}

Status done(int result, std::string_view verb, const Path& path) {
  if (result != 0) return os_error(errno, verb, path);
  return {};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

FileType type_of_entry(DIR* directory, const dirent& entry) {
  switch (entry.d_type) {
    case DT_REG:
      return FileType::kFile;
    case DT_DIR:
      return FileType::kDirectory;
    case DT_LNK:
      return FileType::kSymlink;
    case DT_UNKNOWN:
      break;  // some file systems do not say
    default:
      return FileType::kOther;
  }
  struct stat st {};
  if (::fstatat(::dirfd(directory), entry.d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return FileType::kOther;
  return type_of_mode(st.st_mode);
}

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open_read(const Path& path) override {
    return open_file(path, O_RDONLY, 0, "open");
  }
  Result<std::unique_ptr<File>> create(const Path& path, uint32_t mode) override {
    return open_file(path, O_RDWR | O_CREAT | O_EXCL, mode, "create");
  }
  Result<std::unique_ptr<File>> open_write(const Path& path) override {
    return open_file(path, O_RDWR, 0, "open for writing");
  }

  Result<std::unique_ptr<AppendFile>> open_append(const Path& path, uint32_t mode) override {
    return open_to_append(path, mode);
  }

  Status create_dir(const Path& path, uint32_t mode) override {
    return done(::mkdir(path.c_str(), mode), "create directory", path);
  }

  Result<std::vector<DirectoryEntry>> list_dir(const Path& path) override {
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
    if (!directory) return os_error(errno, "list", path);
    std::vector<DirectoryEntry> entries;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (!entry && errno != 0) return os_error(errno, "list", path);
      if (!entry) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), type_of_entry(directory.get(), *entry)});
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Status sync_dir(const Path& path) override {
    DR_TRY(const Descriptor fd, open_directory(path));
    return done(::fsync(fd.get()), "sync directory", path);
  }

  Status remove_dir(const Path& path) override {
    return done(::rmdir(path.c_str()), "remove directory", path);
  }

  Result<std::unique_ptr<Volume>> open_volume(const Path& directory) override {
    DR_TRY(Descriptor fd, open_directory(directory));
    return std::unique_ptr<Volume>(std::make_unique<RealVolume>(std::move(fd), directory));
  }

  Result<FileInfo> info(const Path& path) override {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) return os_error(errno, "look at", path);
    return FileInfo{type_of_mode(st.st_mode), static_cast<uint64_t>(st.st_size), st.st_mode & 07777,
                    Instant{st.st_mtim.tv_sec * 1'000'000 + st.st_mtim.tv_nsec / 1000}};
  }

  Status set_mode(const Path& path, uint32_t mode) override {
    return done(::chmod(path.c_str(), mode), "set the mode of", path);
  }

  Status rename(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return os_error(errno, fmt::format("rename '{}' to", from.native()), to);
  }

  Status link(const Path& from, const Path& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    return os_error(errno, fmt::format("link '{}' to", from.native()), to);
  }

  Status symlink(const Path& target, const Path& path) override {
    return done(::symlink(target.c_str(), path.c_str()), "create symbolic link", path);
  }

  Result<Path> read_symlink(const Path& path) override {
    std::string target(4096, '\0');  // PATH_MAX: the kernel stores no longer one
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0) return os_error(errno, "read symbolic link", path);
    target.resize(static_cast<size_t>(size));
    return Path(target);
  }

  Status remove_file(const Path& path) override { return done(::unlink(path.c_str()), "remove", path); }

  Result<uint64_t> free_bytes(const Path& path) override {
    DR_TRY(const struct statvfs st, space_at(path));
    return uint64_t{st.f_bavail} * st.f_frsize;
  }

  Result<uint64_t> total_bytes(const Path& path) override {
    DR_TRY(const struct statvfs st, space_at(path));
    return uint64_t{st.f_blocks} * st.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> lock(const Path& path) override {
    Descriptor fd(uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); }));
    if (!fd.valid()) return os_error(errno, "open lock file", path);
    if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return os_error(errno, "lock", path);
      return Error{Errc::kRefused, fmt::format("'{}' is locked by somebody else", path.native()),
                   "wait until the other daruma process has ended, or end it"};
    }
    return std::unique_ptr<FileLock>(std::make_unique<RealFileLock>(std::move(fd)));
  }
};

}  // namespace

std::unique_ptr<FileSystem> real_file_system() { return std::make_unique<RealFileSystem>(); }

}  // namespace daruma
