// watch/facts.h: what was seen of a system at one moment, without any judgement.
//
// Threads: plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "probe/system.h"
#include "run/plan.h"
#include "runtime/runtime.h"

namespace daruma::watch {

struct OpenBreaker {
  std::string name = {};
  std::optional<Instant> since = {};
};

// Errors of one kind in one service's log.
struct ErrorGroup {
  uint64_t count = 0;
  std::string dependency = {};  // as the lines name it; may be empty
  std::string message = {};     // of the newest
  std::optional<Instant> first = {}, last = {};
};

struct ServiceFacts {
  ServiceConfig config = {};
  std::optional<runtime::ServiceStatus> status = {};  // nullopt: its runtime could not be asked
  bool missing = false;                               // its runtime knows no such service
  std::string status_error = {};
  std::optional<bool> well =
      {};  // by its health check over HTTP or TCP; nullopt: it has none, or was not asked
  std::string health_error = {};
  std::vector<OpenBreaker> open_breakers = {};
  std::string breakers_error = {};
  std::vector<ErrorGroup> errors = {};                // of the last minutes, the most frequent first
  std::vector<std::string> start = {}, restart = {};  // what a person types
};

struct DatastoreFacts {
  DatastoreConfig config = {};
  std::optional<bool> answers = {};  // nullopt: not asked
  std::string error = {};
  std::optional<uint64_t> connections = {}, connections_most = {};  // PostgreSQL
};

struct DiskFacts {
  Path path = {};
  std::string datastore = {};  // whose data lies there; empty: Daruma's own state
  std::optional<probe::DiskReading> reading = {};
  std::string error = {};
};

enum class RunIs : uint8_t { kCarried, kStandsStill, kWaitsForPerson };

struct RunFacts {
  std::string id = {};
  std::string plan = {};
  RunIs is = RunIs::kCarried;
  Instant since = {};  // of its start
};

// `daruma serve`, of one datastore with `capture`.
struct CaptureFacts {
  std::string datastore = {};
  bool serving = false;
  std::string state = {}, problem = {};  // as it last said itself
};

struct Facts {
  Instant at = {};
  std::vector<ServiceFacts> services = {};
  std::vector<DatastoreFacts> datastores = {};
  std::vector<DiskFacts> disks = {};
  std::optional<probe::SystemReading> machine = {};
  unsigned processors = 1;
  std::vector<RunFacts> runs = {};  // not ended
  std::optional<std::string> halted = {};
  std::vector<CaptureFacts> captures = {};
  std::vector<run::Plan> plans = {};
  std::vector<std::string> unseen = {};  // what could not be looked at, one sentence each
};

}  // namespace daruma::watch
