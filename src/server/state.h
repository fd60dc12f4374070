// server/state.h: what an installation keeps outside the repository: its writer id, its memory of what was
// acknowledged, and the locks that keep its processes apart.
//
// Format:  docs/format/state.md. Every file is replaced whole or not at all.
// Threads: any; processes of one installation may use one state directory at the same time.
// Owns:    nothing; file system and clock are borrowed.
#pragma once

#include <optional>
#include <string>

#include "os/clock.h"
#include "os/file_system.h"
#include "os/random.h"
#include "repository/verify.h"

namespace daruma {

enum class Activity : uint8_t { kCapture, kBackup };

class StateDirectory {
 public:
  // Makes the directory where it is missing.
  static Result<StateDirectory> open(FileSystem& fs, Clock& clock, Random& random, const Path& path);

  const WriterId& writer() const { return writer_; }
  const Path& path() const { return path_; }

  // kRefused: another process does this for this datastore already.
  Result<std::unique_ptr<FileLock>> lock(Activity activity, const std::string& datastore);
  // Whether some process holds that lock now.
  Result<bool> is_running(Activity activity, const std::string& datastore);

  // The heads of docs/format/commits.md. Empty when there is none yet.
  Result<Heads> heads();
  Status remember_commit(const WriterId& writer, uint64_t number, const CommitHash& hash);
  // Only grows: an earlier end is ignored.
  Status remember_log(const std::string& stream, Branch branch, uint64_t end);

  // A small text that another command reads, e.g. what `serve` is doing. nullopt: not there.
  Status publish(const std::string& name, const std::string& text);
  Result<std::optional<std::string>> published(const std::string& name);

 private:
  StateDirectory(FileSystem& fs, Clock& clock, Path path)
      : fs_(&fs), clock_(&clock), path_(std::move(path)) {}
  Path lock_path(Activity activity, const std::string& datastore) const;
  template <class Change>
  Status change_heads(Change change);

  FileSystem* fs_;
  Clock* clock_;
  Path path_;
  WriterId writer_;
};

}  // namespace daruma
