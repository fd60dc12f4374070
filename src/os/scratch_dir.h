// os/scratch_dir.h: an empty directory of its own for a test, removed with all its content at the end.
//
// Owns:    the directory on the real file system, beneath the system's temporary directory.
// Threads: a plain value.
#pragma once

#include "os/files.h"
#include "os/random.h"

namespace daruma {

class ScratchDir {
 public:
  ScratchDir() {
    struct Tag;
    path_ = std::filesystem::temp_directory_path() / ("daruma-test-" + real_random()->id<Id<Tag, 8>>().hex());
    DR_CHECK(fs_->create_dir(path_).ok());
  }
  ~ScratchDir() { static_cast<void>(remove_tree(*fs_, path_)); }  // a left-over harms nobody
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  const Path& path() const { return path_; }
  FileSystem& fs() { return *fs_; }

 private:
  std::unique_ptr<FileSystem> fs_ = real_file_system();
  Path path_;
};

}  // namespace daruma
