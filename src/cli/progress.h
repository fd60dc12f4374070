// cli/progress.h: how far something is, on standard error: one line that renews itself on a terminal, else a
// plain line every ten seconds. Nothing is left on a terminal when it ends, so success is quiet.
//
// Threads: update() may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/guarded.h"
#include "cli/output.h"
#include "os/clock.h"

namespace daruma {

class Progress {
 public:
  // `output` and `clock` are borrowed. `label` says what goes on: "backup bookings".
  Progress(Output& output, const Clock& clock, std::string label);
  // Clears the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Bytes done so far, and in all where that is known. Cheap: shows at most ten times a second.
  void update(uint64_t done, std::optional<uint64_t> total);

 private:
  struct State {
    MonoInstant shown_at;
    MonoInstant measured_at;
    uint64_t measured_bytes = 0;
    double bytes_per_second = 0;  // of about the last five seconds
  };
  void measure(State& state, MonoInstant now, uint64_t done) const;
  std::string line(const State& state, uint64_t done, std::optional<uint64_t> total) const;

  Output& output_;
  const Clock& clock_;
  const std::string label_;
  Guarded<State> state_;
};

}  // namespace daruma
