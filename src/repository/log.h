// repository/log.h: writing and reading a log: bytes at positions, per stream and branch.
//
// Format:  docs/format/log.md.
// Errors:  kRefused: "split brain": the same place with other bytes. kCorrupt: damage, object named.
// kNoSpace,
//          kUnavailable: nothing was lost; the writer is to be dropped and opened again when things are
//          better.
// Owns:    nothing; the repository is borrowed and outlives them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "repository/repository.h"

namespace daruma {

// A datastore's log of one incarnation (PostgreSQL: system identifier).
struct LogStream {
  std::string datastore;
  uint64_t incarnation = 0;
  std::string path() const;  // "bookings/68f3…": datastore and 16 hex digits
};

using Branch = uint32_t;  // PostgreSQL: timeline

inline constexpr uint64_t kPieceMax = 16ull << 20;

// Says what a piece holds, in the datastore's own words, when it is sealed: position and all its bytes.
// A writer calls it for one piece at a time, in their order, from the thread that seals.
using Summarize = std::function<std::string(Branch branch, uint64_t position, BytesView bytes)>;

// The one writer of a receiver's tail.
// Threads: one at a time, but for what it does itself in the background (sealing pieces, when asked to).
class LogWriter {
 public:
  struct Options {
    LogStream stream;
    std::string receiver;  // names the tails; one process at a time may use it (the caller holds a lock)
    uint64_t piece_bytes = kPieceMax;
    bool seal_in_background = true;  // false: within append; for deterministic tests
    Summarize summarize;
  };

  // Takes up what this receiver's tails hold: complete pieces are sealed, the open one goes into a new tail.
  static Result<std::unique_ptr<LogWriter>> open(Repository& repository, Options options);
  // Waits for background sealing. Seals nothing more: the open piece stays in its tail.
  virtual ~LogWriter() = default;

  // Where the open piece ends: the next append must continue there. nullopt: nothing is open, the next append
  // may begin at any piece boundary of any branch.
  struct End {
    Branch branch = 0;
    uint64_t position = 0;
  };
  virtual std::optional<End> end() const = 0;
  // The open piece from its first byte (for a datastore that must look at its unfinished piece again).
  virtual BytesView open_piece() const = 0;

  // Takes bytes at `position`; they are not durable yet. Crossing piece boundaries is fine. kInvalid: not a
  // continuation.
  virtual Status append(Branch branch, uint64_t position, BytesView bytes) = 0;
  // Everything appended is durable, where a restore finds it, when this returns success.
  virtual Status sync() = 0;
  // The open piece becomes a (shorter) sealed piece, durable when this returns: its branch has ended, or
  // nothing follows.
  virtual Status close_piece() = 0;
  // First failure of background sealing, if any; appends fail with it too.
  virtual Status background_status() const = 0;

  // How a branch left its parent. Idempotent; other bytes under the same branch are kRefused (split brain).
  virtual Status put_history(Branch branch, BytesView text) = 0;
};

struct LogRange {
  Branch branch = 0;
  uint64_t from = 0;
  uint64_t to = 0;
};

// What a log holds at the moment it was opened, of sealed pieces and tails alike.
// Threads: const methods may be called concurrently.
class LogReader {
 public:
  // `damage` hears of pieces and tails that do not verify, by name; without it the first is an error. A tail
  // that was removed between listing and reading is looked for among the pieces again.
  static Result<std::unique_ptr<LogReader>> open(const Repository& repository, const LogStream& stream,
                                                 const Repository::DamageSink& damage = {});
  virtual ~LogReader() = default;

  // Continuous ranges, by branch and position; each as long as it can be.
  virtual const std::vector<LogRange>& ranges() const = 0;
  // The end of the continuous range of `branch` that contains `position`; nullopt when it is not held.
  virtual std::optional<uint64_t> end_of(Branch branch, uint64_t position) const = 0;

  // Exactly the bytes [position, position + size). kNotFound: not (wholly) held. kCorrupt: damage, object
  // named.
  virtual Result<Bytes> read(Branch branch, uint64_t position, uint64_t size) const = 0;

  // Where pieces begin and end, in order, with the summary of sealed ones (nullopt: an open tail).
  struct Piece {
    Branch branch = 0;
    uint64_t from = 0;
    uint64_t to = 0;
    std::string object;  // its name
    bool sealed = false;
  };
  virtual const std::vector<Piece>& pieces() const = 0;
  virtual Result<std::string> summary(const Piece& piece) const = 0;  // kNotFound for a tail

  // Histories by branch.
  virtual const std::map<Branch, std::string>& histories() const = 0;
};

// Every stream of a datastore (more than one after a new initdb), by listing.
Result<std::vector<LogStream>> list_log_streams(const Repository& repository, const std::string& datastore);

}  // namespace daruma
