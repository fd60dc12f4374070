// os/process.h: other programs, started with an argument list, never through a shell.
//
// A child has its own process group, reads `input`, what it is fed, or nothing, and inherits no other
// descriptor but its output. Captured output ends when the child does: a program that leaves a daemon
// behind needs `output`, or that daemon writes into a closed pipe.
// Threads: a Process is used from one thread at a time; ProcessRunner from any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/file_system.h"

namespace daruma {

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no '/'
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours
  Path working_directory = {};                                        // empty: ours
  std::string input = {};                                             // what it reads on standard input
  std::optional<Path> output = {};  // append stdout and stderr here; else they are captured
  bool fed = false;                 // reads what Process::feed writes, instead of `input`
};

struct ProcessExit {
  int code = -1;       // exit code, or 128 + signal
  std::string output;  // the last 1 MiB of stdout and stderr together, when captured
  int signal = 0;      // that ended it; 0: it ended by itself
};

// A running child. Destruction kills it and its process group (SIGKILL) and reaps it, so that no child
// outlives its owner unnoticed; what ended before is not touched.
class Process {
 public:
  virtual ~Process() = default;
  virtual int pid() const = 0;
  virtual Status signal(int number) = 0;
  // kCancelled: still running at the deadline; it keeps running.
  virtual Result<ProcessExit> wait(Deadline deadline) = 0;
  // Of a child that is fed: writes all of `bytes` into its standard input, waiting while the child is busy.
  // kUnavailable: it closed its input, or ended. kCancelled: the deadline; the child has read some of it.
  virtual Status feed(BytesView bytes, Deadline deadline) = 0;
  // Of a child that is fed: it finds the end of its input once it has read what was fed.
  virtual void end_input() = 0;
};

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  // kNotFound: no such program.
  virtual Result<std::unique_ptr<Process>> start(const Command& command) = 0;

  // Runs to the end; at the deadline the child is killed and kCancelled returned.
  Result<ProcessExit> run(const Command& command, Deadline deadline);
};

std::unique_ptr<ProcessRunner> real_processes(Clock& clock);

}  // namespace daruma
