#include "runtime/leftovers.h"

#include <signal.h>

#include <algorithm>

#include <fmt/format.h>

namespace daruma::runtime {
namespace {

constexpr Duration kBetweenLooks = 10ms;
// A process that is just being born or ending shows no proof for a moment.
constexpr Duration kTimeForProof = 1s;

bool is_proven(const ServiceRecord& record, const ProcessInfo& process) {
  return std::ranges::find(record.mains, process.id) != record.mains.end() ||
         started_with(process.id.pid, kMark + "=" + record.id) ||
         (record.output_pipe != 0 && writes_to_pipe(process.id.pid, record.output_pipe));
}

// In the session of a main process, and not begun before it.
bool is_doubtful(const ServiceRecord& record, const ProcessInfo& process) {
  return std::ranges::any_of(record.mains, [&](const ProcessId& main) {
    if (process.session != main.pid || process.id.start_ticks < main.start_ticks) return false;
    const auto leader = process_info(main.pid);
    return !leader || leader->id == main;  // else the number went to somebody else's session
  });
}

void signal_all(const std::vector<ProcessInfo>& processes, int signal) {
  for (const ProcessInfo& process : processes) send_signal(process.id, signal);
}

}  // namespace

Leftovers find_leftovers(const ServiceRecord& record) {
  Leftovers found;
  if (record.boot != boot_id()) return found;
  for (ProcessInfo& process : all_processes()) {
    if (is_proven(record, process))
      found.proven.push_back(std::move(process));
    else if (is_doubtful(record, process))
      found.doubtful.push_back(std::move(process));
  }
  return found;
}

Status end_leftovers(Clock& clock, const ServiceRecord& record, Duration grace, Deadline deadline) {
  const Deadline kill_at = clock.after(grace);
  const Deadline doubt_until = clock.after(kTimeForProof);
  for (int signal = SIGTERM;; clock.pause(kBetweenLooks)) {
    const Leftovers left = find_leftovers(record);
    if (left.proven.empty() && left.doubtful.empty()) return {};
    if (left.proven.empty() && doubt_until.passed(clock.mono()))
      return Error{Errc::kRefused,
                   fmt::format("after its shim was killed there still runs {}, and nothing proves that it is "
                               "this service's",
                               names_of(left.doubtful)),
                   "look at it, and end it by hand with `kill PID`"};
    if (deadline.passed(clock.mono()))
      return Error{Errc::kCancelled,
                   fmt::format("{} left over from a killed shim does not end",
                               names_of(left.proven.empty() ? left.doubtful : left.proven)),
                   "one that ignores SIGKILL waits for a disk or device: look with `ps -o pid,stat,wchan`"};
    if (kill_at.passed(clock.mono())) signal = SIGKILL;
    if (signal != 0) signal_all(left.proven, signal);
    if (signal == SIGTERM) signal = 0;  // once is enough
  }
}

std::string names_of(const std::vector<ProcessInfo>& processes) {
  std::string names;
  for (const ProcessInfo& process : processes)
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", process.name, process.id.pid);
  return names;
}

}  // namespace daruma::runtime
