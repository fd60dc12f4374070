// service/supervisor.h: the process that holds a service's listening socket and keeps its workers alive.
//
// It serves nobody itself: it waits for signals, orders and deaths with poll(), has no thread, and so can
// fork at any time. program.h says what its signals mean.
// Reload:   the program file is executed in place, after a trial run has read the settings: a file that
//           cannot be read leaves everything as it is. The socket and the old workers go over by
//           inheritance; they are let go when the new ones are ready, and stay if the new ones fail.
// Leaving:  with a `handover`, SIGTERM leaves a child behind that keeps the socket and the workers until
//           another instance took over or the time is up.
// Threads:  one.
#pragma once

#include <string>
#include <vector>

#include "service/program.h"

namespace daruma::service {

struct SupervisorStart {
  const Program& program;
  const Settings& settings;
  FileSystem& fs;
  const std::vector<std::string>& argv;
};

// Returns the exit code: 0 after an asked-for end, 1 when it could not start.
int supervise(const SupervisorStart& start);

// True in the trial run before a reload: the settings were read, and that was all.
bool is_trial_run();

}  // namespace daruma::service
