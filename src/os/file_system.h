// os/file_system.h: the file system as one interface, handed down from main: the real one or a simulated
// disk.
//
// Durability is explicit, as on a real disk: bytes written survive a power cut after File::sync, names
// created, renamed or removed survive it after sync_dir of their directory. The simulated disk loses and
// tears all else.
// Errors:  kNotFound (also of a name below a file), kExists, kNoSpace and kRefused (permission) where they
//          apply, else kFailed; `what` names the path and the cause.
// Threads: a FileSystem may be used from any thread; a File from one at a time, but for concurrent read_at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace daruma {

using Path = std::filesystem::path;

enum class FileType : uint8_t { kFile, kDirectory, kSymlink, kOther };

struct FileInfo {
  FileType type = FileType::kFile;
  uint64_t size = 0;
  uint32_t mode = 0;  // permission bits
  Instant modified;
};

struct DirectoryEntry {
  std::string name;
  FileType type = FileType::kFile;
};

// An open file. Closing (destruction) makes nothing durable.
class File {
 public:
  virtual ~File() = default;
  // Reads up to out.size() bytes at `offset`; fewer only at the end of the file.
  virtual Result<size_t> read_at(uint64_t offset, std::span<std::byte> out) const = 0;
  // Writes all of `bytes`, growing the file where needed.
  virtual Status write_at(uint64_t offset, BytesView bytes) = 0;
  // Makes the bytes and the size durable (fdatasync).
  virtual Status sync() = 0;
  virtual Result<uint64_t> size() const = 0;
  virtual Status truncate(uint64_t size) = 0;
};

// A file that several processes may append to at once: what one call appends lies together, as in a log.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // Appends all of `bytes` or, where the disk is full or broken, nothing.
  virtual Status append(BytesView bytes) = 0;
  virtual Result<uint64_t> size() const = 0;
  // Whether its path still names this very file; false once it was renamed, removed or replaced.
  virtual Result<bool> still_named() const = 0;
};

// An exclusive advisory lock, held while it lives, released by the kernel when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// The mounted file system that a directory lies on.
class Volume {
 public:
  virtual ~Volume() = default;
  // Makes all bytes, sizes and names on it durable, whoever wrote them: for many files far cheaper than
  // syncing each. A write that failed since this Volume was opened is an error (on Linux from 5.8 on).
  virtual Status sync() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open_read(const Path& path) = 0;
  // Creates a new empty file. kExists: the name is taken.
  virtual Result<std::unique_ptr<File>> create(const Path& path, uint32_t mode = 0600) = 0;
  // Opens an existing file for reading and writing.
  virtual Result<std::unique_ptr<File>> open_write(const Path& path) = 0;

  // Opens a file for appending; creates it where it is missing.
  virtual Result<std::unique_ptr<AppendFile>> open_append(const Path& path, uint32_t mode = 0640) = 0;

  // One directory; kExists when the name is taken, by whatever.
  virtual Status create_dir(const Path& path, uint32_t mode = 0700) = 0;
  // Entries without "." and "..", sorted by name.
  virtual Result<std::vector<DirectoryEntry>> list_dir(const Path& path) = 0;
  virtual Status sync_dir(const Path& path) = 0;
  virtual Status remove_dir(const Path& path) = 0;
  virtual Result<std::unique_ptr<Volume>> open_volume(const Path& directory) = 0;

  // Does not follow a symbolic link at `path` itself.
  virtual Result<FileInfo> info(const Path& path) = 0;
  virtual Status set_mode(const Path& path, uint32_t mode) = 0;
  // Replaces `to` if it exists, atomically.
  virtual Status rename(const Path& from, const Path& to) = 0;
  // A second name for the same file. kExists: `to` is taken.
  virtual Status link(const Path& from, const Path& to) = 0;
  virtual Status symlink(const Path& target, const Path& path) = 0;
  virtual Result<Path> read_symlink(const Path& path) = 0;
  virtual Status remove_file(const Path& path) = 0;
  // Bytes an unprivileged writer may still use on the file system that holds `path`.
  virtual Result<uint64_t> free_bytes(const Path& path) = 0;
  // Size of the file system that holds `path`.
  virtual Result<uint64_t> total_bytes(const Path& path) = 0;
  // Creates the file where missing. kRefused: somebody else holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const Path& path) = 0;
};

// The machine's own file system.
std::unique_ptr<FileSystem> real_file_system();

}  // namespace daruma
