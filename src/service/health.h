// service/health.h: the health of a service and of what it depends on.
//
// Every dependency is asked in the background, one question at a time with a deadline; requests for health
// are answered from what is known, so that they cost nothing and answer while a dependency hangs. A question
// without an answer stays open, and its dependency failing, until the answer comes. At the start a failure is
// asked about again at once, for `time_max`, before it counts: connections are still being made then.
// Liveness: the process answers. Readiness: no *needed* dependency is known to fail. The whole fails when it
// is not ready, warns when anything fails or warns, and else passes; what was not asked yet does not count.
// Source:  the health+json draft (draft-inadarei-api-health-check-06): pass, warn, fail. Requirements L4, L5.
// Threads: the worker's one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/file_system.h"
#include "service/http.h"
#include "service/task.h"

namespace daruma::service {

enum class HealthState : uint8_t { kUnknown, kPass, kWarn, kFail };

struct HealthAnswer {
  HealthState state = HealthState::kPass;
  std::string output = {};           // what is wrong, or ""
  std::optional<double> value = {};  // observedValue
  std::string unit = {};             // observedUnit: "ms" is filled in where no value is given
};

struct HealthCheck {
  std::string name;       // "PostgreSQL", "Redis", "HotelDataAPI", "disk", "memory", "eventLoop"
  std::string component;  // "datastore", "component", "system"
  bool needed = false;    // its failure makes the service not ready
  Duration every = 1s;
  Duration time_max = 1s;  // no answer for longer: fail
  std::function<Task<HealthAnswer>()> ask;
};

class Health {
 public:
  Health(std::string service, std::string version, const Clock& clock);
  // Before watch().
  void add(HealthCheck check);

  // Asks everything for ever (until the worker stops or cancels it): spawned once by the worker.
  Task<void> watch();
  // Tells what was just seen, without waiting for the next question: a failed query is news. A name that
  // nobody added is passed over.
  void report(const std::string& name, HealthAnswer answer, Duration latency);
  // Draining: not ready any more.
  void set_draining();

  bool ready() const;
  // It is known of every needed dependency whether it works: ready() is knowledge, not hope.
  bool settled() const;
  // {"status":"pass",…}: 200, or 503 when not ready. application/health+json.
  Response brief() const;
  // Adds "checks": {NAME: [{status, componentType, observedValue, observedUnit, latencyMs, since, time,
  // output}]}: since when it is in this state, when it was last asked, and what is wrong, if anything.
  Response detailed() const;

 private:
  struct Known {
    HealthCheck check;
    HealthAnswer answer{HealthState::kUnknown, "not asked yet"};
    Duration latency{};
    Instant since;
    Instant asked;
    MonoInstant watched_from = {};
    bool passed = false;  // once at least
  };
  Task<void> watch_from(size_t index);
  Task<void> watch_one(size_t index);
  void note(Known& known, HealthAnswer answer, Duration latency);
  bool starting(const Known& known) const;
  HealthState state() const;
  std::string head() const;
  Response response(std::string body) const;

  std::string service_, version_;
  const Clock& clock_;
  bool draining_ = false;
  std::vector<Known> known_;
};

// The system's own: free space where `directory` lies (warn under 10 %, fail under 2 %), resident memory
// against `limit` (warn over 80 %; 0: never), and how late the event loop ran since it was last asked (warn
// over 100 ms, fail over 1 s).
HealthCheck disk_check(FileSystem& fs, Path directory);
HealthCheck memory_check(uint64_t limit_bytes);
HealthCheck event_loop_check(const Clock& clock);

}  // namespace daruma::service
