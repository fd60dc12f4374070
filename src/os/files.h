// os/files.h: what is often done with files, by FileSystem alone, so that it works on every twin of it.
//
// Threads: as FileSystem.
#pragma once

#include "os/file_system.h"

namespace daruma {

// The whole file. kInvalid: larger than `limit` bytes.
Result<Bytes> read_file(FileSystem& fs, const Path& path, uint64_t limit);

// Replaces `path` whole or not at all, and durably: temporary file beside it (PATH.new), sync, rename, sync
// of the directory. One writer of a path at a time. When only the last sync fails, the new content is visible
// and a power cut may bring the old one back.
Status replace_file(FileSystem& fs, const Path& path, BytesView bytes, uint32_t mode = 0600);

// Creates `path` and its missing parents, each durable in its parent. An existing directory is success.
Status create_dirs(FileSystem& fs, const Path& path, uint32_t mode = 0700);

// True if something, anything, has this name. Errors other than kNotFound are passed on.
Result<bool> exists(FileSystem& fs, const Path& path);

// Removes a tree, deepest first. A missing `path` is success. Symbolic links are removed, never followed.
Status remove_tree(FileSystem& fs, const Path& path);

}  // namespace daruma
