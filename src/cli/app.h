// cli/app.h: the world a command runs in, handed to it by main, and how it ends.
//
// Owns:    nothing but its configuration; everything referred to outlives it.
// Threads: built before, and changed by, the main thread only.
#pragma once

#include <optional>
#include <stop_token>

#include "base/result.h"
#include "cli/output.h"
#include "config/config.h"
#include "os/clock.h"
#include "os/file_system.h"
#include "os/process.h"
#include "os/random.h"

namespace daruma {

// What the exit code of every command means, but for `wal-get`, which speaks PostgreSQL's language.
enum Exit : int {
  kDone = 0,     // the thing named was done
  kFailed = 1,   // it was not
  kUsage = 2,    // the command line or the configuration is wrong
  kRefused = 3,  // it would be unsafe, so nothing was touched
  kWaits = 4,    // it waits for a person
};

struct App {
  FileSystem& fs;
  Clock& clock;
  Random& random;
  ProcessRunner& processes;
  Output& out;  // the result, and nothing else
  Output& err;  // errors and progress
  Path working_directory;
  std::stop_token stop = {};
  bool json = false;  // the result as JSON
  // Set for commands whose row says so, with --repository and --key already applied.
  std::optional<Config> config = {};
};

// Prints the error to standard error, "daruma: WHAT" and the hint below it, or as
// {"error":{"code":…,"what":…,"hint":…}} with --json. Returns the exit code that goes with it.
int report_error(App& app, const Error& error);

}  // namespace daruma
