// service/log_file.h: a file of lines that several processes append to and rotate by size.
//
// Order:   FILE.keep is the oldest, FILE.1 the newest of those rotated away. Whoever finds FILE too large
//          rotates, under FILE's lock file; who does not get the lock goes on appending.
// Threads: one at a time; processes: any.
#pragma once

#include <memory>
#include <string_view>

#include "os/file_system.h"

namespace daruma::service {

class LogFile {
 public:
  // `fs` outlives it. keep 0: what is rotated away is removed.
  LogFile(FileSystem& fs, Path path, uint64_t rotate_at, unsigned keep)
      : fs_(fs), path_(std::move(path)), rotate_at_(rotate_at), keep_(keep) {}

  // Opens the path anew; creates file and directory where they are missing.
  Status reopen();
  // Opens the path anew if it names another file by now, or none.
  Status follow();
  // Appends whole lines, all of them or none.
  Status append(std::string_view lines);

  const Path& path() const { return path_; }

 private:
  Status rotate_if_due(size_t more);
  Status move_away() const;
  Path numbered(unsigned number) const;

  FileSystem& fs_;
  const Path path_;
  const uint64_t rotate_at_;
  const unsigned keep_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace daruma::service
