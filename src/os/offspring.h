// os/offspring.h: for a process that keeps others running: it leaves whoever started it, starts children, and
// learns of the end of everything that stems from it, also of what forked away.
//
// Source:  prctl(2) (PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG), credentials(7), signalfd(2).
// Threads: one; detach() and start_child() fork, and what runs in the child is only the calling thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/clock.h"
#include "os/descriptor.h"
#include "os/file_system.h"
#include "os/process_table.h"

namespace daruma {

// Splits this process in two. The caller goes on as the first half and gets what the second half announced
// ("" when that died without a word); the second half gets nullopt and a channel to announce() on. The second
// has a session of its own, no terminal, standard streams that lead nowhere, no other open descriptor, and
// survives whatever ends the first.
struct Detached {
  std::optional<std::string> announced;
  Descriptor channel;
};
Result<Detached> detach();
void announce(Descriptor channel, const std::string& text);

// From now on everything that stems from this process becomes its child when its own parent ends.
Status adopt_orphans();

// The signals as a descriptor, readable when one is there; they no longer interrupt or end the process.
class SignalInbox {
 public:
  // Of SIGCHLD, SIGTERM and SIGINT.
  static Result<SignalInbox> open();
  int descriptor() const { return inbox_.get(); }
  // The next signal; nullopt: none is there.
  std::optional<int> next();

 private:
  explicit SignalInbox(Descriptor inbox) : inbox_(std::move(inbox)) {}
  Descriptor inbox_;
};

// A pipe that children write to and we read without ever waiting for it.
struct OutputPipe {
  Descriptor read_end;
  Descriptor write_end;
  uint64_t inode = 0;  // its name in /proc/PID/fd
};
Result<OutputPipe> make_output_pipe();
// Up to 64 KiB; "" when nothing is there.
std::string read_available(const Descriptor& read_end);

struct ChildLimits {
  std::optional<uint64_t> address_space_bytes;
  std::optional<uint32_t> open_files;
  std::optional<uint32_t> processes;
};

struct ChildPlan {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  Path directory;                                                // empty: ours
  ChildLimits limits;
  int output = -1;  // a descriptor for standard output and error
};

// Starts a child in a session of its own, reading nothing, with no other descriptor and no signal blocked. It
// dies when we die. Returns when the program runs.
// kNotFound: no such program or directory. kRefused: not allowed, or a limit above our own. kFailed.
Result<ProcessId> start_child(const ChildPlan& plan);

struct ChildEnd {
  int pid = 0;
  int code = 0;    // exit code, or 128 + signal
  int signal = 0;  // 0: it exited by itself
};
// Of the children that have ended, adopted ones included, each once.
std::vector<ChildEnd> reap_children();
// True while there is any child, ended ones not reaped included.
bool has_children();

// Waits until one of the descriptors can be read, or for so long; nullopt: for ever. Returns those that can.
std::vector<int> wait_readable(const std::vector<int>& descriptors, std::optional<Duration> patience);

}  // namespace daruma
