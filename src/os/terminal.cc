#include "os/terminal.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace daruma {
namespace {

constexpr Duration kBetweenLooks = 50ms;
constexpr size_t kLongestLine = 1024;

}  // namespace

bool at_terminal() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 &&
         ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

void forget_typed() { ::tcflush(STDIN_FILENO, TCIFLUSH); }

std::optional<std::string> typed_line() {
  if (!at_terminal()) return std::nullopt;
  pollfd typed{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&typed, 1, 0) != 1 || (typed.revents & POLLIN) == 0) return std::nullopt;
  std::string line(kLongestLine, '\0');
  const ssize_t got = ::read(STDIN_FILENO, line.data(), line.size());  // a terminal gives one line at a time
  if (got <= 0) return std::nullopt;
  line.resize(static_cast<size_t>(got));
  return line.substr(0, line.find_first_of("\r\n"));
}

std::optional<std::string> wait_for_line(Clock& clock, const std::stop_token& stop) {
  for (;;) {
    if (!at_terminal()) return std::nullopt;
    if (auto line = typed_line()) return line;
    if (!clock.pause(kBetweenLooks, stop)) return std::nullopt;
  }
}

}  // namespace daruma
