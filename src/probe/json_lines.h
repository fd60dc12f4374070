// probe/json_lines.h: the end of a log of one JSON object a line, read backwards as far as asked and no
// further.
//
// Of a log that was rotated (FILE.1) the older part is read too while the bounds allow it. What stands in
// the file while it grows is read as it is: a last line that is not whole yet is left out. Several writers
// may share a log: a line may stand up to a minute away from its place in the order of time.
// Errors:  kNotFound (no such file), kRefused (rights).
// Threads: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/size.h"
#include "base/value.h"
#include "os/file_system.h"

namespace daruma::probe {

struct LinesWish {
  std::optional<Instant> since;  // by the lines' own `time`; a line without one is never too old
  std::string without = {};      // leaves out lines with this word anywhere
  uint64_t bytes_most = 16 * kMiB;
};

struct JsonLines {
  std::vector<Value> lines;  // in the order they were written
  uint64_t unreadable = 0;   // lines that are not JSON objects
  bool cut = false;          // older lines than these may exist within `since`
};

Result<JsonLines> read_json_lines(FileSystem& fs, const Path& file, const LinesWish& wish);

// Lines that say the same of the same dependency.
struct LineGroup {
  int64_t count = 0;
  std::string dependency, message;  // of the first
  std::string first, last;          // their `time`, as written
};
// Messages that differ only in numbers are the same. The most frequent first.
std::vector<LineGroup> grouped(const std::vector<Value>& lines);

}  // namespace daruma::probe
