#include "os/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <thread>

#include "os/descriptor.h"
#include "os/errno.h"
#include "os/exec_words.h"

namespace daruma {
namespace {

constexpr size_t kOutputLimit = 1 << 20;

// Reads a pipe in a thread of its own, so that a child that nobody waits for yet never blocks on a full pipe;
// keeps the last kOutputLimit bytes.
class OutputReader {
 public:
  OutputReader(Descriptor pipe, Descriptor done)
      : pipe_(std::move(pipe)), done_(std::move(done)), thread_([this] { read_all(); }) {}
  ~OutputReader() { finish(); }

  // What was written up to now. Does not wait for the end of the pipe, because grandchildren may hold it
  // open.
  std::string finish() {
    if (thread_.joinable()) {
      ::eventfd_write(done_.get(), 1);
      thread_.join();
    }
    if (output_.size() > kOutputLimit) output_.erase(0, output_.size() - kOutputLimit);
    return std::move(output_);
  }

 private:
  void read_all() {
    std::string chunk(64 * 1024, '\0');
    pollfd watched[2] = {{pipe_.get(), POLLIN, 0}, {done_.get(), POLLIN, 0}};
    for (;;) {
      if (uninterrupted([&] { return ::poll(watched, 2, -1); }) < 0) return;
      const ssize_t n = uninterrupted([&] { return ::read(pipe_.get(), chunk.data(), chunk.size()); });
      if (n > 0) {
        keep({chunk.data(), static_cast<size_t>(n)});
      } else if (n == 0 || errno != EAGAIN || watched[1].revents != 0) {
        return;
      }
    }
  }

  void keep(std::string_view text) {
    output_ += text;
    if (output_.size() > 2 * kOutputLimit) output_.erase(0, output_.size() - kOutputLimit);
  }

  Descriptor pipe_;
  Descriptor done_;
  std::string output_;  // the thread's until it is joined
  std::thread thread_;
};

class RealProcess final : public Process {
 public:
  RealProcess(Clock& clock, std::string program, int pid, Descriptor pidfd,
              std::unique_ptr<OutputReader> output, Descriptor input)
      : clock_(clock),
        program_(std::move(program)),
        pid_(pid),
        pidfd_(std::move(pidfd)),
        output_(std::move(output)),
        input_(std::move(input)) {}

  ~RealProcess() override {
    if (exit_) return;
    ::kill(-pid_, SIGKILL);  // its group; not reaped yet, so the number is still its own
    reap();
  }

  int pid() const override { return pid_; }

  Status signal(int number) override {
    if (!exit_ && ::kill(pid_, number) == 0) return {};
    const int cause = exit_ ? ESRCH : errno;
    return os_error(cause, fmt::format("send signal {} to process {} of", number, pid_), program_);
  }

  Result<ProcessExit> wait(Deadline deadline) override {
    while (!exit_) {
      const Duration left = deadline.left(clock_.mono());
      const int64_t left_ms =
          std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(left, 1h)).count();
      pollfd watched{pidfd_.get(), POLLIN, 0};
      const int ready = uninterrupted([&] { return ::poll(&watched, 1, static_cast<int>(left_ms)); });
      if (ready < 0) return os_error(errno, fmt::format("wait for process {} of", pid_), program_);
      if (ready > 0) {
        reap();
      } else if (deadline.passed(clock_.mono())) {
        return Error{Errc::kCancelled,
                     fmt::format("'{}' (process {}) is still running at its deadline", program_, pid_)};
      }
    }
    return *exit_;
  }

  Status feed(BytesView bytes, Deadline deadline) override {
    DR_CHECK(input_.valid());
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted(
          [&] { return ::send(input_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
      if (n >= 0) {
        bytes = bytes.subspan(static_cast<size_t>(n));
      } else if (errno != EAGAIN) {
        return Error{Errc::kUnavailable, fmt::format("'{}' (process {}) takes no input any more: {}",
                                                     program_, pid_, std::strerror(errno))};
      } else if (Status ready = wait_for_room(deadline); !ready.ok()) {
        return ready;
      }
    }
    return {};
  }

  void end_input() override { input_.reset(); }

 private:
  Status wait_for_room(Deadline deadline) {
    const Duration left = deadline.left(clock_.mono());
    if (left == Duration{0})
      return Error{Errc::kCancelled,
                   fmt::format("'{}' (process {}) reads its input too slowly", program_, pid_)};
    pollfd watched{input_.get(), POLLOUT, 0};
    const int64_t left_ms =
        std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(left, 1h)).count();
    if (uninterrupted([&] { return ::poll(&watched, 1, static_cast<int>(left_ms)); }) < 0)
      return os_error(errno, fmt::format("wait for process {} of", pid_), program_);
    return {};
  }

  void reap() {
    siginfo_t info{};
    DR_CHECK(uninterrupted(
                 [&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED); }) == 0);
    exit_ = ProcessExit{info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status,
                        output_ ? output_->finish() : "", info.si_code == CLD_EXITED ? 0 : info.si_status};
  }

  Clock& clock_;
  std::string program_;
  int pid_;
  Descriptor pidfd_;
  std::unique_ptr<OutputReader> output_;
  Descriptor input_;  // of a child that is fed
  std::optional<ProcessExit> exit_;
};

// What the child does between fork and exec: input from `input` or nowhere, output to `output`, everything
// else closed, in its own process group, with no signal blocked or ignored.
class SpawnPlan {
 public:
  SpawnPlan(const Path& working_directory, const Descriptor& input, int output) {
    posix_spawn_file_actions_init(&actions_);
    if (input.valid())
      posix_spawn_file_actions_adddup2(&actions_, input.get(), STDIN_FILENO);
    else
      posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    if (!working_directory.empty())
      posix_spawn_file_actions_addchdir_np(&actions_, working_directory.c_str());
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  Result<int> spawn(const Command& command) const {
    std::vector<std::string> arguments = command.argv;
    std::vector<std::string> environment = environment_with(command.environment);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, arguments[0].c_str(), &actions_, &attributes_,
                                     pointers_to(arguments).data(), pointers_to(environment).data());
    if (error == 0) return pid;
    const Path& directory = command.working_directory;
    return os_error(error, directory.empty() ? "start" : fmt::format("start in '{}'", directory.native()),
                    arguments[0]);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A file without a name that holds `text`, at its beginning: unlike a pipe it takes any size at once. Not
// valid: there is nothing to read.
Result<Descriptor> text_input(const std::string& text) {
  if (text.empty()) return Descriptor();
  Descriptor fd(::memfd_create("input", MFD_CLOEXEC));
  if (!fd.valid()) return os_error(errno, "make", "input");
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = uninterrupted([&] { return ::write(fd.get(), text.data() + at, text.size() - at); });
    if (n < 0) return os_error(errno, "fill", "input");
    at += static_cast<size_t>(n);
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

struct Input {
  Descriptor child_end;
  Descriptor ours;  // of a child that is fed
};

// A child is fed through a socket: writing into a pipe that nobody reads any more raises a signal.
Result<Input> open_input(const Command& command) {
  if (!command.fed) {
    DR_TRY(Descriptor text, text_input(command.input));
    return Input{std::move(text), {}};
  }
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return os_error(errno, "make", "socket pair");
  return Input{Descriptor(ends[0]), Descriptor(ends[1])};
}

struct Output {
  Descriptor child_end;
  std::unique_ptr<OutputReader> reader;  // null when the child writes to a file
};

Result<Output> open_output(const std::optional<Path>& path) {
  if (path) {
    Descriptor fd(uninterrupted(
        [&] { return ::open(path->c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600); }));
    if (!fd.valid()) return os_error(errno, "open for output", *path);
    return Output{std::move(fd), nullptr};
  }
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return os_error(errno, "make", "pipe");
  Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  if (::fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0) return os_error(errno, "prepare", "pipe");
  Descriptor done(::eventfd(0, EFD_CLOEXEC));
  if (!done.valid()) return os_error(errno, "make", "eventfd");
  return Output{std::move(write_end), std::make_unique<OutputReader>(std::move(read_end), std::move(done))};
}

class RealProcesses final : public ProcessRunner {
 public:
  explicit RealProcesses(Clock& clock) : clock_(clock) {}

  Result<std::unique_ptr<Process>> start(const Command& command) override {
    if (command.argv.empty())
      return Error{Errc::kInvalid, "cannot start a program: the argument list is empty"};
    DR_TRY(Input input, open_input(command));
    DR_TRY(Output output, open_output(command.output));
    const SpawnPlan plan(command.working_directory, input.child_end, output.child_end.get());
    DR_TRY(const int pid, plan.spawn(command));
    Descriptor pidfd(
        static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // glibc 2.36's wrapper has C++ linkage
    if (!pidfd.valid()) {
      const int cause = errno;
      ::kill(-pid, SIGKILL);
      uninterrupted([&] { return ::waitpid(pid, nullptr, 0); });
      return os_error(cause, "watch", command.argv[0]);
    }
    return std::unique_ptr<Process>(std::make_unique<RealProcess>(
        clock_, command.argv[0], pid, std::move(pidfd), std::move(output.reader), std::move(input.ours)));
  }

 private:
  Clock& clock_;
};

}  // namespace

Result<ProcessExit> ProcessRunner::run(const Command& command, Deadline deadline) {
  DR_TRY(const auto process, start(command));
  return process->wait(deadline);
}

std::unique_ptr<ProcessRunner> real_processes(Clock& clock) { return std::make_unique<RealProcesses>(clock); }

}  // namespace daruma
