#include "os/files.h"

#include <fmt/format.h>

#include <algorithm>

namespace daruma {
namespace {

Path parent_of(const Path& path) { return path.has_parent_path() ? path.parent_path() : Path("."); }

Status write_synced(FileSystem& fs, const Path& path, BytesView bytes, uint32_t mode) {
  DR_TRY(const auto file, fs.create(path, mode));
  DR_OK(file->write_at(0, bytes));
  return file->sync();
}

// `path` is a directory, or a symbolic link to one.
Status check_directory(FileSystem& fs, const Path& path) {
  const auto through = fs.info(path / ".");
  if (through.ok()) return {};
  if (!through.is(Errc::kNotFound)) return through.error();
  return Error{Errc::kExists,
               fmt::format("cannot create directory '{}': a file has this name", path.native())};
}

}  // namespace

Result<Bytes> read_file(FileSystem& fs, const Path& path, uint64_t limit) {
  DR_TRY(const auto file, fs.open_read(path));
  DR_TRY(const uint64_t size, file->size());
  // One more than expected is asked for, because a file may grow, and /proc says 0 for everything.
  Bytes bytes(std::min(size, limit) + 1);
  for (size_t filled = 0;;) {
    DR_TRY(const size_t n, file->read_at(filled, std::span(bytes).subspan(filled)));
    filled += n;
    if (filled > limit)
      return Error{Errc::kInvalid, fmt::format("'{}' is larger than {} bytes", path.native(), limit)};
    if (filled < bytes.size()) {
      bytes.resize(filled);
      return bytes;
    }
    bytes.resize(std::min<uint64_t>(2 * bytes.size() + 4096, limit + 1));
  }
}

Status replace_file(FileSystem& fs, const Path& path, BytesView bytes, uint32_t mode) {
  const Path staged = path.native() + ".new";
  if (auto status = fs.remove_file(staged); !status.ok() && !status.is(Errc::kNotFound)) return status;
  Status status = write_synced(fs, staged, bytes, mode);
  if (status.ok()) status = fs.rename(staged, path);
  if (!status.ok()) {
    static_cast<void>(
        fs.remove_file(staged));  // the first error is the one to tell; the next call clears up too
    return status;
  }
  return fs.sync_dir(parent_of(path));
}

Status create_dirs(FileSystem& fs, const Path& path, uint32_t mode) {
  if (path.empty()) return Error{Errc::kInvalid, "cannot create a directory with an empty name"};
  if (!path.has_filename() && path.has_relative_path()) return create_dirs(fs, path.parent_path(), mode);
  Status made = fs.create_dir(path, mode);
  if (made.is(Errc::kNotFound) && path.has_relative_path() && parent_of(path) != path) {
    DR_OK(create_dirs(fs, parent_of(path), mode));
    made = fs.create_dir(path, mode);
  }
  if (made.ok()) return fs.sync_dir(parent_of(path));
  if (!made.is(Errc::kExists)) return made;
  DR_OK(check_directory(fs, path));
  // Somebody may have made it a moment ago and not synced it. Whoever may not read the parent did not make
  // it.
  Status synced = fs.sync_dir(parent_of(path));
  return synced.is(Errc::kRefused) ? Status() : synced;
}

Result<bool> exists(FileSystem& fs, const Path& path) {
  const auto info = fs.info(path);
  if (info.ok()) return true;
  if (info.is(Errc::kNotFound)) return false;
  return info.error();
}

Status remove_tree(FileSystem& fs, const Path& path) {
  const auto info = fs.info(path);
  if (info.is(Errc::kNotFound)) return {};
  if (!info.ok()) return info.error();
  if (info->type != FileType::kDirectory) return fs.remove_file(path);
  DR_TRY(const auto entries, fs.list_dir(path));
  for (const DirectoryEntry& entry : entries) DR_OK(remove_tree(fs, path / entry.name));
  return fs.remove_dir(path);
}

}  // namespace daruma
