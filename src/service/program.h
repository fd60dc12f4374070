// service/program.h: the main program of a service: a supervisor with N workers behind one listening socket.
//
//   NAME [--config FILE] [--SETTING VALUE...]     serves until SIGTERM or SIGINT
//   NAME COMMAND [...]                            one of the service's own commands ("token", "migrate")
//   NAME --help | --version
//
// The supervisor binds (or inherits: LISTEN_FDS of systemd, or from another instance of the same service
// through STATE/NAME.PID.sock) and forks the workers; each has one thread and one event loop. A worker that
// dies is started again, with back-off. A second instance shares socket, breakers and metrics (pm2 scale).
// sd_notify (READY=1, RELOADING=1, STOPPING=1) where NOTIFY_SOCKET says so. Signals to the supervisor:
//   SIGTERM, SIGINT  stops taking new connections, finishes what runs (at most `drain`), ends. With
//                    `handover` above zero a child lives that long on with socket and workers, for an
//                    instance started anew to take over (pm2). A second one ends everything at once.
//   SIGHUP           reload: executes the program file anew in the same process, starts new workers on the
//                    same socket, and then drains the old ones: no connection is refused or lost, those
//                    queued on the socket included. Where the settings cannot be read, or the new workers do
//                    not start, the old ones serve on.
//   SIGUSR1          the logs are opened anew.
//
// Settings every service has: host (127.0.0.1), port, workers (number of cores), state, logs, drain (10s),
// handover (0s), connections (per worker, 10,000), header_time (10s), idle_time (60s),
// memory_limit (MiB, 512).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/file_system.h"
#include "os/random.h"
#include "service/health.h"
#include "service/log.h"
#include "service/metrics.h"
#include "service/router.h"
#include "service/settings.h"
#include "service/shared_region.h"

namespace daruma::service {

// What a worker hands to the service's own code. All of it outlives the event loop.
struct Worker {
  boost::asio::io_context& io;
  const Settings& settings;
  const Clock& clock;
  Random& random;
  FileSystem& fs;
  SharedRegion& region;
  Metrics& metrics;
  Log& log;
  Health& health;
  size_t slot = 0;  // 0..63, unique among the living workers of the service
};

// The service's own part of a worker: made after the fork, ended after the loop.
class Service {
 public:
  virtual ~Service() = default;
  // Adds routes and health checks; may spawn coroutines on worker.io. An error ends the worker, and the
  // supervisor says it.
  virtual Status start(Router& router) = 0;
  // Runs after the last connection was drained: close pools.
  virtual Task<void> stop() { co_return; }
};

struct Command {
  std::string name;
  std::string help;
  // `arguments`: what follows the name. Returns the exit code.
  std::function<int(const Settings& settings, const std::vector<std::string>& arguments)> run;
};

struct Program {
  std::string name;  // "lastminutestay-api"
  std::string version;
  std::string summary;  // for --help
  std::string prefix;   // of environment variables: "LASTMINUTESTAY"
  int port = 0;
  std::vector<Setting> settings;
  std::vector<Command> commands = {};
  std::function<std::unique_ptr<Service>(Worker&)> make;
};

// The whole of main(): returns the exit code.
int run_program(const Program& program, int argc, char** argv);

}  // namespace daruma::service
