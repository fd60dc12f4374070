// datastore/postgres/capture.h: receives a server's WAL for ever, and tells the server what is safe.
//
// Promise: a position is reported flushed only when every byte before it is durable where a restore finds it,
// the unfinished
//          segment included. So with this receiver in synchronous_standby_names, a COMMIT that returned is in
//          the repository.
// Stall:   when the repository cannot take more (full, unreachable), nothing is reported, and commits that
// wait for us wait
//          (`when_stalled: wait`). It tries again with back-off; nothing is skipped.
// Timelines: a promotion is followed, and so is each of several that happened while we were away: every
//          timeline to its end, its history stored, then the next one from the segment of the switch. A
//          server that was recovered away from the log's newest timeline is followed from where its own
//          begins. One on an older timeline than the log is refused: two servers would be writing. Holes
//          before newer log are filled while the slot keeps them.
// Errors:  run() returns only when stopped, or with what no retry can cure: kRefused (another system
// identifier, split
//          brain, remote_apply, rights), kCorrupt (the repository).
// Threads: run() in one thread; status() from any.
// Owns:    its connection and its log writer. Server, repository and clock are borrowed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/guarded.h"
#include "datastore/postgres/replication.h"
#include "repository/log.h"

namespace daruma::postgres {

struct CaptureStatus {
  enum class State : uint8_t { kConnecting, kStreaming, kStalled, kStopped };
  State state = State::kConnecting;
  Instant since;  // of the state
  uint64_t system_identifier = 0;
  Timeline timeline = 0;
  Lsn flushed;        // durable and reported
  Lsn server_end;     // what the server last said it has
  Instant caught_up;  // when last nothing was missing: now minus this bounds the loss if the server died now
  uint64_t connects = 0;
  std::string problem;  // the last one, empty when streaming
};

// What somebody should hear of.
struct CaptureEvent {
  enum class Kind : uint8_t {
    kStreaming,     // from `lsn` on `timeline`
    kDisconnected,  // `what`; trying again
    kStalled,       // the repository takes nothing: `what`
    kSlotCreated,
    kTimelineSwitched,  // to `timeline` at `lsn`
    kGap,               // WAL from `lsn` to `gap_end` is gone: a new snapshot is needed
  };
  Kind kind{};
  Timeline timeline = 0;
  Lsn lsn;
  Lsn gap_end;
  std::string what;
};

class Capture {
 public:
  struct Options {
    std::string datastore;
    std::string slot;
    std::string receiver;                       // names our tails; the caller holds a lock on it
    std::optional<uint64_t> system_identifier;  // refuse every other; nullopt: take the server's
    Duration status_every = std::chrono::seconds(5);
    Duration first_backoff = std::chrono::milliseconds(100);
    Duration longest_backoff = std::chrono::seconds(2);
    bool seal_in_background = true;
    std::function<void(const CaptureEvent&)> on_event = [](const CaptureEvent&) {};
  };

  Capture(ReplicationServer& server, Repository& repository, Clock& clock, Options options);
  ~Capture();

  Status run(std::stop_token stop);
  CaptureStatus status() const;

 private:
  struct Session;
  Status session(std::stop_token stop);
  Status open_writer(uint64_t system_identifier, SegmentSize segment_size);
  void set_state(CaptureStatus::State state, const std::string& problem);

  ReplicationServer& server_;
  Repository& repository_;
  Clock& clock_;
  const Options options_;
  std::unique_ptr<LogWriter> writer_;
  bool writer_failed_ = false;
  mutable Guarded<CaptureStatus> status_;
};

}  // namespace daruma::postgres
