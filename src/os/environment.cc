#include "os/environment.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <thread>

#include "os/errno.h"
#include "os/files.h"

namespace daruma {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (!value) return std::nullopt;
  return std::string(value);
}

std::optional<std::string> take_environment_variable(const std::string& name) {
  auto value = environment_variable(name);
  ::unsetenv(name.c_str());
  return value;
}

bool program_exists(FileSystem& fs, const std::string& program) {
  if (program.find('/') != std::string::npos) return fs.info(program).ok();
  const std::string path = environment_variable("PATH").value_or("/usr/bin:/bin");
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find(':', at), path.size());
    if (fs.info(Path(path.substr(at, end - at)) / program).ok()) return true;
    at = end + 1;
  }
  return false;
}

Path this_program() {
  auto program = real_file_system()->read_symlink("/proc/self/exe");
  DR_CHECK(program.ok());  // /proc is part of every system PostgreSQL runs on
  return *program;
}

namespace {
std::atomic<int> first_stop_signal = 0;
}

int stop_signal() { return first_stop_signal; }

void install_stop_signals(std::stop_source source) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  DR_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  // A thread waits for them, because request_stop runs callbacks and a signal handler may not. It is detached
  // on purpose: it owns nothing, and nothing but the end of the process ends it.
  std::thread([source = std::move(source), signals]() mutable {
    int number = 0;
    sigwait(&signals, &number);
    first_stop_signal = number;
    source.request_stop();
    sigwait(&signals, &number);
    ::_exit(128 + number);
  }).detach();
}

void forbid_core_dumps() {
  const rlimit none{0, 0};
  DR_CHECK(::setrlimit(RLIMIT_CORE, &none) == 0);
  DR_CHECK(::prctl(PR_SET_DUMPABLE, 0) == 0);
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  DR_CHECK(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  DR_CHECK(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit.rlim_cur;
}

bool process_exists(int pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

std::optional<uint64_t> resident_bytes() {
  const auto statm = read_file(*real_file_system(), "/proc/self/statm", 4096);  // "TOTAL RESIDENT …" in pages
  if (!statm.ok()) return std::nullopt;
  std::string_view text = as_text(*statm);
  text.remove_prefix(std::min(text.find(' ') + 1, text.size()));
  uint64_t pages = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), pages).ec != std::errc()) return std::nullopt;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void end_at_once(int code) { ::_exit(code); }

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  DR_CHECK(::gethostname(name, sizeof name) == 0);
  return name;
}

bool is_root() { return ::geteuid() == 0; }

int this_pid() { return ::getpid(); }

std::optional<int> terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return size.ws_col == 0 ? 80 : size.ws_col;  // a terminal that does not know its width
}

}  // namespace daruma
