// repository/log_sealer.h: turns finished pieces into objects, at once or in the background.
//
// Order:   the piece's object, durable; then its tails are removed.
// Errors:  the first failure is kept: everything after it is refused with it, and nothing is lost, because
//          the tails of what was not sealed remain.
// Threads: all methods from one thread; sealing happens in it or in one thread of the sealer's own.
#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "repository/log.h"

namespace daruma {

struct FinishedPiece {
  Branch branch = 0;
  uint64_t position = 0;
  Bytes bytes;
  std::vector<std::string> tails;  // what holds these bytes until then
};

class LogSealer {
 public:
  enum class Mode : uint8_t { kAtOnce, kInBackground };

  LogSealer(Repository& repository, LogStream stream, Summarize summarize, Mode mode);
  ~LogSealer();  // finishes what was submitted
  LogSealer(const LogSealer&) = delete;
  LogSealer& operator=(const LogSealer&) = delete;

  // Blocks while three pieces wait or are being sealed. An error is that of this piece (kAtOnce) or of an
  // earlier one.
  Status submit(FinishedPiece piece);
  // Returns when everything submitted is sealed, or with the first failure.
  Status drain();
  // kRefused: a piece's name is taken by other bytes.
  Status status() const;

 private:
  struct State {
    std::deque<FinishedPiece> waiting;
    bool sealing = false;
    bool closing = false;
    Status failure;

    size_t pieces() const { return waiting.size() + (sealing ? 1 : 0); }
  };

  Status seal(const FinishedPiece& piece);
  Status put_piece(const FinishedPiece& piece);
  void run();

  Repository& repository_;
  const LogStream stream_;
  const Summarize summarize_;
  mutable Guarded<State> state_;
  std::thread thread_;  // none when sealing at once
};

}  // namespace daruma
