// datastore/postgres/tar_reader.h: the tar archives of a base backup, member by member, as bytes arrive.
//
// Source:  POSIX ustar; PostgreSQL writes sizes of 8 GiB and more in base 256, and symbolic links for
//          tablespaces.
// Errors:  kCorrupt: bad header checksum, unknown member type, a name that leaves the archive ('..', leading
//          '/'), or an archive that ends inside a member.
// Bytes come from outside: fuzzed in tests/fuzz/tar_fuzz.cc.
// Threads: one at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/time.h"

namespace daruma::postgres {

struct TarMember {
  enum class Type : uint8_t { kFile, kDirectory, kSymlink };
  Type type = Type::kFile;
  std::string name;    // relative, without a trailing '/'
  std::string target;  // of a symbolic link
  uint64_t size = 0;
  uint32_t mode = 0;  // permission bits
  Instant modified;
};

class TarSink {
 public:
  virtual ~TarSink() = default;
  // A failed call ends the reading with its error.
  virtual Status begin(const TarMember& member) = 0;
  virtual Status data(BytesView bytes) = 0;  // of a file, in order
  virtual Status end() = 0;
};

class TarReader {
 public:
  explicit TarReader(TarSink& sink);  // borrowed, outlives the reader
  ~TarReader();
  Status feed(BytesView bytes);
  // The archive is over: kCorrupt when it ended inside a member. (PostgreSQL 15 leaves the two zero blocks
  // out.)
  Status finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace daruma::postgres
