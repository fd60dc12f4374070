#include "os/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "os/errno.h"

namespace daruma {
namespace {

constexpr size_t kMessageMax = 64 * 1024;

// The address of `path` by way of its open folder, so that its length does not matter.
class ShortName {
 public:
  explicit ShortName(const Path& path)
      : folder_(::open(path.has_parent_path() ? path.parent_path().c_str() : ".",
                       O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    address_.sun_family = AF_UNIX;
    const std::string name =
        "/proc/self/fd/" + std::to_string(folder_.get()) + "/" + path.filename().native();
    fits_ = folder_.valid() && name.size() < sizeof address_.sun_path;
    if (!fits_ && folder_.valid()) errno = ENAMETOOLONG;
    if (fits_) std::ranges::copy(name, address_.sun_path);
  }
  bool fits() const { return fits_; }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
  static constexpr socklen_t kSize = sizeof(sockaddr_un);

 private:
  Descriptor folder_;
  sockaddr_un address_{};
  bool fits_ = false;
};

Descriptor new_socket() {
  return Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

}  // namespace

Result<Descriptor> listen_at(const Path& path) {
  Descriptor socket = new_socket();
  if (!socket.valid()) return os_error(errno, "make a socket for", path);
  const ShortName name(path);
  if (!name.fits()) return os_error(errno, "listen at", path);
  ::unlink(path.c_str());  // fails where nothing is left over
  if (::bind(socket.get(), name.address(), ShortName::kSize) != 0 || ::listen(socket.get(), 64) != 0)
    return os_error(errno, "listen at", path);
  return socket;
}

Result<Descriptor> connect_to(const Path& path) {
  Descriptor socket = new_socket();
  if (!socket.valid()) return os_error(errno, "make a socket for", path);
  const ShortName name(path);
  if (!name.fits()) return os_error(errno, "connect to", path);
  if (::connect(socket.get(), name.address(), ShortName::kSize) == 0) return socket;
  Error error = os_error(errno, "connect to", path);
  error.code = Errc::kUnavailable;
  return error;
}

std::optional<Descriptor> accept_from(const Descriptor& listener) {
  Descriptor socket(uninterrupted(
      [&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }));
  if (!socket.valid()) return std::nullopt;
  return socket;
}

Result<std::pair<Descriptor, Descriptor>> socket_pair() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return os_error(errno, "make", "a pair of sockets");
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

bool send_message(int socket, const std::string& text, int handed) {
  iovec part{const_cast<char*>(text.data()), std::min(text.size(), kMessageMax)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (handed >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &handed, sizeof handed);
  }
  return uninterrupted([&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL); }) >= 0;
}

std::optional<Message> receive_message(int socket, Duration wait) {
  if (wait > Duration{0}) {
    pollfd watched{socket, POLLIN, 0};
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(wait, 1h)).count();
    if (uninterrupted([&] { return ::poll(&watched, 1, static_cast<int>(wait_ms)); }) <= 0)
      return std::nullopt;
  }
  std::string text(kMessageMax, '\0');
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = uninterrupted([&] { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
  if (size < 0 && errno == EAGAIN) return std::nullopt;
  text.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  Message received{std::move(text), Descriptor()};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int handed = -1;
    std::memcpy(&handed, CMSG_DATA(header), sizeof handed);
    received.handed = Descriptor(handed);
  }
  return received;
}

void notify_datagram(const std::string& name, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof address.sun_path) return;
  std::ranges::copy(name, address.sun_path);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
           size);
}

}  // namespace daruma
