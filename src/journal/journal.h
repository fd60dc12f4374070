// journal/journal.h: append-only, hash-chained events, durable when append() returns. The truth about every
// run.
//
// All streams (a run is one) share one chain: event n's hash covers the hash of n-1 and its own bytes, so
// that a changed byte anywhere is found and located. A chain cannot show that its tail was cut: head() is
// kept outside (in the repository: anchor.h), and check_journal() is told it.
// Format:  docs/format/journal.md; SQLite, synchronous=FULL, one row an event.
// Errors:  kCorrupt (names the event), kNoSpace (nothing was appended), kRefused (the stream moved on:
//          somebody else appended; nothing was appended), kUnavailable (another process holds the file too
//          long).
// Threads: any; appends of many threads that come together share one transaction and one sync.
// Owns:    its database file. Several processes may have it open.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/guarded.h"
#include "base/time.h"
#include "base/value.h"
#include "os/clock.h"
#include "os/file_system.h"

namespace daruma {

inline constexpr const char* kJournalFile = "journal.db";  // in the state directory

// SHA-256.
using EventHash = Sha256;

struct JournalEvent {
  uint64_t number = 0;    // in the whole journal, from 1
  std::string stream;     // "run/2026-11-22-postgres-corruption-1"
  uint64_t position = 0;  // in its stream, from 1
  Instant at;
  std::string kind;  // "step_started"
  Value body;
};

struct NewEvent {
  std::string kind;
  Value body;
};

struct JournalHead {
  uint64_t number = 0;  // 0: the journal is empty
  EventHash hash{};
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Appends all or none to `stream`, whose last position must be `after` (0: the stream is new). Returns
  // the events as they stand now, durable. `events` is not empty. kRefused: the stream ends elsewhere.
  // kInvalid: a stream or kind that is not 1 to 200 printable characters, a body too long or too deep.
  virtual Result<std::vector<JournalEvent>> append(const std::string& stream, uint64_t after,
                                                   const std::vector<NewEvent>& events) = 0;
  // The events of a stream from a position on, oldest first, each checked against its hash.
  virtual Result<std::vector<JournalEvent>> read(const std::string& stream, uint64_t from = 1) = 0;
  // Names of streams that begin with `prefix`, the one begun last first.
  virtual Result<std::vector<std::string>> streams(const std::string& prefix, size_t limit) = 0;
  virtual Result<JournalHead> head() = 0;
};

// Opens or creates the journal. kCorrupt: the file is not a journal, or its last event does not verify.
Result<std::unique_ptr<Journal>> open_journal(FileSystem& fs, Clock& clock, const Path& file);

// Reads everything and recomputes the chain. `anchor`: a head known from outside, which must still be in
// it. kCorrupt: names the first event that is wrong, missing, or the anchor that is not there. Returns the
// number of events.
Result<uint64_t> check_journal(FileSystem& fs, const Path& file, std::optional<JournalHead> anchor);

struct WrittenEvent;

// In memory, with the same promises but durability: for tests.
class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(Clock& clock) : clock_(clock) {}
  Result<std::vector<JournalEvent>> append(const std::string& stream, uint64_t after,
                                           const std::vector<NewEvent>& events) override;
  Result<std::vector<JournalEvent>> read(const std::string& stream, uint64_t from = 1) override;
  Result<std::vector<std::string>> streams(const std::string& prefix, size_t limit) override;
  Result<JournalHead> head() override;

  // Called before and after each append takes effect; an error is what the appender gets. Set before use.
  std::function<Status(bool before)> fault = [](bool) { return Status(); };

 private:
  struct State {
    std::vector<JournalEvent> events;
    std::map<std::string, uint64_t> last;  // position, by stream
    JournalHead head;
  };
  Result<std::vector<JournalEvent>> keep(uint64_t after, std::vector<WrittenEvent> written);

  Clock& clock_;
  Guarded<State> state_;
};

}  // namespace daruma
