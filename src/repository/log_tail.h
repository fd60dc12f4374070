// repository/log_tail.h: the open end of a log: written so that a crash can hurt only its last record, and
// read so that an end is told from damage.
//
// Format:  docs/format/log.md.
// Order:   header, synced; each record, synced before the next is written. So a record that does not verify
//          and has one behind it that does was not lost in a crash: it is damage.
// Bytes come from outside: fuzzed in tests/fuzz/log_fuzz.cc.
// Threads: a TailWriter is used by one thread at a time; reading is pure.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "repository/envelope.h"
#include "repository/log_names.h"

namespace daruma {

class TailWriter {
 public:
  // A new tail, its header durable. Errors as ObjectStore::create_tail.
  static Result<std::unique_ptr<TailWriter>> create(Repository& repository, const std::string& name);

  const std::string& name() const { return name_; }
  // Appends `bytes`, which are at `position` of the log; durable when it returns success. After a failure
  // the tail is to be left alone.
  Status append(uint64_t position, BytesView bytes);

 private:
  TailWriter(Repository& repository, std::string name);

  const std::string name_;
  ObjectSealer sealer_;
  std::unique_ptr<Tail> tail_;
};

struct TailContent {
  Bytes bytes;                 // from the position in its name, up to the first record that does not verify
  std::optional<Error> error;  // kCorrupt: damage, not an end; kInvalid: version, feature or codec unknown
};

// What the file of a tail holds; zeros past its end are expected.
TailContent decode_tail(const Keys& keys, const std::string& name, const TailName& tail, BytesView file);

// The same from the store, where another process may be appending to it. Errors are those of reading.
Result<TailContent> read_tail(const Repository& repository, const std::string& name, const TailName& tail);

}  // namespace daruma
