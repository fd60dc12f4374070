// probe/redis.h: a short talk with a Redis: commands, their answers, and a copy of all its data.
//
// Errors:  kUnavailable (nobody listens, the connection broke), kCancelled (the deadline passed),
//          kRefused (password or rights), kFailed (the command's own error).
// Threads: one at a time. Passwords go over the connection only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/value.h"
#include "config/config.h"
#include "os/clock.h"

namespace daruma::probe {

class RedisTalk {
 public:
  // Connects and, with a password, says who we are. A host that begins with '/' is a socket's path.
  static Result<RedisTalk> connect(const ConnectionConfig& connection, const std::string& password,
                                   Clock& clock, Deadline deadline);
  RedisTalk(RedisTalk&&) noexcept;
  RedisTalk& operator=(RedisTalk&&) = delete;
  ~RedisTalk();

  // One command; nil is null, a status or a bulk string is text.
  Result<Value> ask(const std::vector<std::string>& command, Deadline deadline);
  // INFO, one entry a field: "used_memory" → "1048576".
  Result<std::map<std::string, std::string, std::less<>>> info(Deadline deadline);
  // All data as an RDB file, as a replica is given it; the connection is of no use afterwards. Replaces
  // `file` whole and durably, and only when the file's own check sum holds. Returns its size in bytes.
  // kCorrupt: it does not. kNoSpace, kRefused as FileSystem.
  Result<uint64_t> copy_data(FileSystem& fs, const Path& file, Deadline deadline);

 private:
  struct Parts;
  explicit RedisTalk(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace daruma::probe
