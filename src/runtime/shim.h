// runtime/shim.h: the process that keeps one service of the runtime `process` running, independently of
// Daruma: it restarts it, bounds it, keeps what it prints, takes orders, and says how it is.
//
// It is the parent of all that stems from its service, also of what forks away, so it knows when nothing of
// it runs any more. While it lives it holds the service's lock; it ends when the service is stopped or given
// up. When it is killed, the kernel kills the main processes, and whoever starts the service next ends what
// is left (leftovers.h). SIGTERM to it stops the service.
// Threads: one.
#pragma once

#include "os/random.h"
#include "runtime/service_folder.h"

namespace daruma::runtime {

struct ShimWorld {
  FileSystem& fs;
  Clock& clock;
  Random& random;
};

// What `daruma __shim FOLDER` does: starts the service that FOLDER/service.json describes under a new shim,
// and returns while that shim goes on in a process of its own. Returns the answer (shim_talk.h) for
// standard output: kUnavailable in it: another shim has the lock. In the shim's own process nullopt, when
// everything is over.
std::optional<std::string> run_shim(const ShimWorld& world, const Path& folder);

}  // namespace daruma::runtime
