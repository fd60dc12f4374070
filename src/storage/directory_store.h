// storage/directory_store.h: an object store in a directory.
//
// Layout:  object a/b/c is the file ROOT/a/b/c; an object under way is ROOT/.staging/<random>, linked to its
//          name when synced. Left-overs in .staging are garbage of crashes; opening the store removes those
//          older than a day. A tail is written in place (storage/directory_tail.h).
// Order:   write staged file, sync it, link it to its name (create-only), sync the directory, unlink the
//          staged name. Each directory is durable in its parent before an object in it is.
// Owns:    nothing; `fs` and `random` outlive the store.
// Threads: as ObjectStore.
#pragma once

#include "os/file_system.h"
#include "os/random.h"
#include "storage/object_store.h"

namespace daruma {

// A store in `root`, which exists. kNotFound: it does not. One that cannot be written opens for reading: what
// would write answers kRefused.
Result<std::unique_ptr<ObjectStore>> open_directory_store(FileSystem& fs, Random& random, const Path& root);

}  // namespace daruma
