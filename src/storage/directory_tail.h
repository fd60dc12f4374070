// storage/directory_tail.h: a file that grows at its end, for the directory store.
//
// Layout:  the appended bytes, then zeros up to a multiple of kTailChunk: they are written ahead, so that a
//          sync after an append rarely has to change the file's size or blocks, which costs a journal commit.
// Threads: as Tail.
#pragma once

#include "os/file_system.h"
#include "storage/object_store.h"

namespace daruma {

inline constexpr uint64_t kTailChunk = 1 << 20;

// A new, empty tail; its name is durable in its directory, which exists. kExists: the name is taken.
// kNoSpace: there is no room for the first chunk; nothing is left behind.
Result<std::unique_ptr<Tail>> create_directory_tail(FileSystem& fs, const Path& path);

}  // namespace daruma
