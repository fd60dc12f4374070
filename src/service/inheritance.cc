#include "service/inheritance.h"

#include <fcntl.h>

#include <charconv>

#include "os/environment.h"
#include "os/unix_socket.h"
#include "service/shared_region.h"

namespace daruma::service {
namespace {

// Takes a number off the front of `text`; false when there is none.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return error == std::errc() && number >= 0;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string Inheritance::text() const {
  std::string text = std::to_string(listener);
  for (const InheritedWorker& worker : workers)
    text += " " + std::to_string(worker.pid) + ":" + std::to_string(worker.control) + ":" +
            std::to_string(worker.slot);
  return text;
}

std::optional<Inheritance> Inheritance::parse(const std::string& text) {
  Inheritance inherited;
  std::string_view rest = text;
  if (!take_number(rest, inherited.listener)) return std::nullopt;
  while (take(rest, ' ')) {
    InheritedWorker worker;
    long slot = 0;
    if (!take_number(rest, worker.pid) || !take(rest, ':') || !take_number(rest, worker.control) ||
        !take(rest, ':') || !take_number(rest, slot) || slot >= static_cast<long>(SharedRegion::kWorkersMax))
      return std::nullopt;
    worker.slot = static_cast<size_t>(slot);
    inherited.workers.push_back(worker);
  }
  if (!rest.empty()) return std::nullopt;
  return inherited;
}

Descriptor socket_of_systemd() {
  constexpr int kFirst = 3;  // sd_listen_fds(3)
  const auto pid = take_environment_variable("LISTEN_PID");
  const auto count = take_environment_variable("LISTEN_FDS");
  take_environment_variable("LISTEN_FDNAMES");
  if (!pid || !count || *pid != std::to_string(this_pid()) || *count == "0") return {};
  ::fcntl(kFirst, F_SETFD, FD_CLOEXEC);
  return Descriptor(kFirst);
}

SystemdNotice::SystemdNotice() : socket_(environment_variable("NOTIFY_SOCKET").value_or("")) {}

void SystemdNotice::say(const std::string& text) const {
  if (!socket_.empty()) notify_datagram(socket_, text);
}

}  // namespace daruma::service
