#include "os/offspring.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include <fmt/format.h>

#include "os/errno.h"
#include "os/exec_words.h"

namespace daruma {
namespace {

constexpr size_t kReadMost = 64 * 1024;

// What a child was about to do when it failed, and why.
struct Failure {
  enum class At : int { kSession, kDirectory, kMemory, kFiles, kProcesses, kProgram };
  At at;
  int cause;
};

Result<std::pair<Descriptor, Descriptor>> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return os_error(errno, "make", "pipe");
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

bool point_at(int source, int target) { return ::dup2(source, target) == target; }

bool close_standard_streams() {
  const int nowhere = ::open("/dev/null", O_RDWR);
  if (nowhere < 0) return false;
  bool done = true;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    done = point_at(nowhere, stream) && done;
  if (nowhere > STDERR_FILENO) ::close(nowhere);
  return done;
}

// The end of one pipe is all that stays open of what lies behind the standard streams.
void keep_only(int kept) {
  if (kept > STDERR_FILENO + 1) ::close_range(STDERR_FILENO + 1, static_cast<unsigned>(kept - 1), 0);
  ::close_range(static_cast<unsigned>(kept + 1), UINT_MAX, 0);
}

bool limit(__rlimit_resource resource, uint64_t value) {
  const rlimit both{value, value};
  return ::setrlimit(resource, &both) == 0;
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// All that happens in the child before its program runs. Between fork and exec only calls that are safe
// there.
class ChildSide {
 public:
  ChildSide(const ChildPlan& plan, char* const* argv, char* const* environment, int report, int parent)
      : plan_(plan), argv_(argv), environment_(environment), report_(report), parent_(parent) {}

  [[noreturn]] void run() {
    prepare();
    ::execvpe(argv_[0], argv_, environment_);
    fail(Failure::At::kProgram);
  }

 private:
  void prepare() {
    // The order of the two is what leaves no gap: a parent that died before prctl is noticed after it.
    if (::setsid() < 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(Failure::At::kSession);
    if (::getppid() != parent_) ::_exit(127);
    if (!close_standard_streams() || !point_at(plan_.output, STDOUT_FILENO) ||
        !point_at(plan_.output, STDERR_FILENO))
      fail(Failure::At::kSession);
    keep_only(report_);
    if (!plan_.directory.empty() && ::chdir(plan_.directory.c_str()) != 0) fail(Failure::At::kDirectory);
    const ChildLimits& limits = plan_.limits;
    if (limits.open_files && !limit(RLIMIT_NOFILE, *limits.open_files)) fail(Failure::At::kFiles);
    if (limits.processes && !limit(RLIMIT_NPROC, *limits.processes)) fail(Failure::At::kProcesses);
    reset_signals();
    if (limits.address_space_bytes && !limit(RLIMIT_AS, *limits.address_space_bytes))
      fail(Failure::At::kMemory);
  }

  [[noreturn]] void fail(Failure::At at) {
    const Failure failure{at, errno};
    static_cast<void>(::write(report_, &failure, sizeof failure));
    ::_exit(127);
  }

  const ChildPlan& plan_;
  char* const* argv_;
  char* const* environment_;
  int report_;
  int parent_;
};

Error explain(const Failure& failure, const ChildPlan& plan) {
  const auto limit_error = [&](std::string_view what, uint64_t value) {
    Error error = os_error(failure.cause, fmt::format("limit {} to {} for", what, value), plan.argv[0]);
    error.hint = "a limit cannot be above that of the user who starts it (`ulimit -H`)";
    return error;
  };
  switch (failure.at) {
    case Failure::At::kDirectory:
      return os_error(failure.cause, "start in", plan.directory);
    case Failure::At::kMemory:
      return limit_error("memory", *plan.limits.address_space_bytes);
    case Failure::At::kFiles:
      return limit_error("open files", *plan.limits.open_files);
    case Failure::At::kProcesses:
      return limit_error("processes", *plan.limits.processes);
    case Failure::At::kSession:
    case Failure::At::kProgram:
      break;
  }
  return os_error(failure.cause,
                  plan.directory.empty() ? "start" : fmt::format("start in '{}'", plan.directory.native()),
                  plan.argv[0]);
}

}  // namespace

Result<Detached> detach() {
  DR_TRY(auto pipe, make_pipe());
  const pid_t child = ::fork();
  if (child < 0) return os_error(errno, "fork", "daruma");
  if (child == 0) {
    // A session of its own first: from here on no signal to the group of the first half reaches us.
    if (::setsid() < 0 || !close_standard_streams()) ::_exit(127);
    keep_only(pipe.second.get());
    pipe.first.release();  // closed above
    return Detached{std::nullopt, std::move(pipe.second)};
  }
  pipe.second.reset();
  Detached first{std::string(), Descriptor()};
  std::array<char, 4096> chunk{};
  for (ssize_t n;
       (n = uninterrupted([&] { return ::read(pipe.first.get(), chunk.data(), chunk.size()); })) > 0;)
    first.announced->append(chunk.data(), static_cast<size_t>(n));
  return first;
}

void announce(Descriptor channel, const std::string& text) {
  // Nobody may be left to hear it; that is no reason not to go on.
  static_cast<void>(uninterrupted([&] { return ::write(channel.get(), text.data(), text.size()); }));
}

Status adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return os_error(errno, "become the reaper of", "orphans");
  return {};
}

Result<SignalInbox> SignalInbox::open() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&signals, number);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return os_error(errno, "block", "signals");
  Descriptor inbox(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!inbox.valid()) return os_error(errno, "watch", "signals");
  return SignalInbox(std::move(inbox));
}

std::optional<int> SignalInbox::next() {
  signalfd_siginfo info{};
  if (::read(inbox_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

Result<OutputPipe> make_output_pipe() {
  DR_TRY(auto pipe, make_pipe());
  struct stat info {};
  if (::fcntl(pipe.first.get(), F_SETFL, O_NONBLOCK) != 0 || ::fstat(pipe.first.get(), &info) != 0)
    return os_error(errno, "prepare", "pipe");
  return OutputPipe{std::move(pipe.first), std::move(pipe.second), info.st_ino};
}

std::string read_available(const Descriptor& read_end) {
  std::string text(kReadMost, '\0');
  const ssize_t n = uninterrupted([&] { return ::read(read_end.get(), text.data(), text.size()); });
  text.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return text;
}

Result<ProcessId> start_child(const ChildPlan& plan) {
  DR_TRY(auto report, make_pipe());
  std::vector<std::string> arguments = plan.argv;
  std::vector<std::string> lines = environment_with(plan.environment);
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> environment = pointers_to(lines);
  ChildSide child_side(plan, argv.data(), environment.data(), report.second.get(), ::getpid());
  const pid_t child = ::fork();
  if (child < 0) return os_error(errno, "fork for", plan.argv[0]);
  if (child == 0) child_side.run();

  report.second.reset();
  Failure failure{};
  const ssize_t n = uninterrupted([&] { return ::read(report.first.get(), &failure, sizeof failure); });
  if (n == 0) {  // closed by the exec that succeeded, or by a death: which one, the reaping tells
    const auto info = process_info(child);
    return ProcessId{child, info ? info->id.start_ticks : 0};
  }
  uninterrupted([&] { return ::waitpid(child, nullptr, 0); });
  return explain(failure, plan);
}

std::vector<ChildEnd> reap_children() {
  std::vector<ChildEnd> ends;
  for (;;) {
    siginfo_t info{};
    if (uninterrupted([&] { return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG); }) != 0) return ends;
    if (info.si_pid == 0) return ends;
    const bool exited = info.si_code == CLD_EXITED;
    ends.push_back(
        {info.si_pid, exited ? info.si_status : 128 + info.si_status, exited ? 0 : info.si_status});
  }
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::vector<int> wait_readable(const std::vector<int>& descriptors, std::optional<Duration> patience) {
  std::vector<pollfd> watched;
  for (const int descriptor : descriptors) watched.push_back({descriptor, POLLIN, 0});
  const auto most = std::chrono::milliseconds(std::chrono::hours(1));
  const auto left = patience ? std::min(std::chrono::ceil<std::chrono::milliseconds>(*patience), most) : most;
  const int timeout = patience ? static_cast<int>(left.count()) : -1;
  std::vector<int> readable;
  if (::poll(watched.data(), watched.size(), timeout) <= 0) return readable;
  for (const pollfd& one : watched)
    if (one.revents != 0) readable.push_back(one.fd);
  return readable;
}

}  // namespace daruma
