// datastore/postgres/dump_text.h: the bytes of a dump file, gunzipped where it is a .gz.
//
// Errors:  kCorrupt: cut off, or its checksum (CRC-32 of gzip) does not match; found at the latest at its
//          end.
// Threads: one at a time.
#pragma once

#include <memory>
#include <string_view>

#include "os/file_system.h"

namespace daruma::postgres {

class DumpText {
 public:
  static Result<std::unique_ptr<DumpText>> open(FileSystem& fs, const Path& file);
  virtual ~DumpText() = default;

  // The next piece, valid until the next call; empty at the end.
  virtual Result<std::string_view> next() = 0;
  // Of the file, as it lies on disk.
  virtual uint64_t bytes_read() const = 0;
  virtual uint64_t bytes_total() const = 0;
};

}  // namespace daruma::postgres
