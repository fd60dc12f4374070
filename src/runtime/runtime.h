// runtime/runtime.h: what starts and stops services. One interface for processes, systemd, Docker and pm2,
// one conformance suite for all four.
//
// A call returns when what it names is so: start() when the service runs (not yet: is healthy), stop() when
// nothing of it runs any more. Every call is bounded by its deadline.
// Errors:  kNotFound (no such unit, container, program), kUnavailable (the runtime itself does not answer;
//          `what` names its socket or program), kCancelled (deadline; what was begun may go on), kRefused
//          (this runtime cannot do that), kFailed (it did not start or stop; `what` carries the last lines
//          of its output).
// Source:  requirements L16, L17, A3, A7.
// Threads: any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "os/clock.h"
#include "os/process.h"

namespace daruma::runtime {

enum class State : uint8_t {
  kRunning,
  kStarting,  // also: waits before it is started again
  kStopping,
  kStopped,  // on purpose, or never started
  kFailed,   // ended by itself and is not started again
  kUnknown,
};
std::string_view to_string(State state);

struct ServiceStatus {
  State state = State::kUnknown;
  std::vector<int> pids = {};         // main processes, one for each instance
  std::optional<Instant> since = {};  // of this state
  uint64_t restarts = 0;              // by the runtime, since it was started on purpose
  std::string detail = {};            // the runtime's own words, as in "Exited (137) 4 seconds ago"
  std::string health = {};            // the runtime's own health check, if it has one: "healthy", "unhealthy"
};

struct Resources {
  uint64_t memory_bytes = 0;  // resident, of all its processes
  Duration cpu{};             // used so far
  uint32_t processes = 0;
};

class ServiceRuntime {
 public:
  virtual ~ServiceRuntime() = default;

  virtual Result<ServiceStatus> status(Deadline deadline) = 0;
  // Starting what runs, and stopping what does not, is success and changes nothing.
  virtual Status start(Deadline deadline) = 0;
  virtual Status stop(Deadline deadline) = 0;
  virtual Status restart(Deadline deadline) = 0;
  // Graceful: no request dropped, where the service can do that. kRefused: this runtime has no reload.
  virtual Status reload(Deadline deadline) = 0;
  // Down and up anew: what a container was made of is made again. As restart() where there is nothing to
  // make.
  virtual Status recreate(Deadline deadline) = 0;
  // So many instances. kRefused: this runtime cannot.
  virtual Status scale(uint32_t instances, Deadline deadline) = 0;
  // The last lines of what it printed, oldest first, at most 1 MiB.
  virtual Result<std::string> logs(uint32_t lines, Deadline deadline) = 0;
  virtual Result<Resources> resources(Deadline deadline) = 0;
  // Everything the runtime knows of it, as JSON, for evidence (docker inspect and the like). No secrets:
  // values of environment variables are left out.
  virtual Result<std::string> inspect(Deadline deadline) = 0;
  // What a person types instead, one command a line; `act` is "start", "stop", "restart", "reload",
  // "recreate", "status", "logs" and so on. Never runs anything.
  virtual std::vector<std::string> by_hand(std::string_view act) const = 0;
};

struct RuntimeWorld {
  FileSystem& fs;
  Clock& clock;
  ProcessRunner& processes;
  Path state;           // the runtime `process` keeps its services here
  Path daruma_program;  // ourselves, for its shims
};

// The runtime of one service. Touches nothing.
std::unique_ptr<ServiceRuntime> make_runtime(const RuntimeWorld& world, const ServiceConfig& service);

}  // namespace daruma::runtime
