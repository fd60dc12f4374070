// watch/gather.h: facts, seen all at the same time, without changing anything.
//
// Every probe has two seconds, all together have four, whatever hangs. What could not be seen is a fact too.
// Needs nothing of Daruma to run; what is not there (a journal, a plan) is not made.
// Threads: one caller.
#pragma once

#include "os/process.h"
#include "os/random.h"
#include "watch/facts.h"

namespace daruma::watch {

struct World {
  FileSystem& fs;
  Clock& clock;
  Random& random;
  ProcessRunner& processes;
  Path daruma_program;
  Path working_directory;  // for plans, where the configuration has no file
};

struct Gathered {
  Facts facts;
  bool left_behind = false;  // as of ask_all(): the process must end at once, afterwards
};

Gathered gather(const World& world, const Config& config);

}  // namespace daruma::watch
