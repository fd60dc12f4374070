// A client that says exactly the bytes it is told, for tests of the server.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>

#include "os/descriptor.h"

namespace daruma::service {

struct Answer {
  int status = 0;  // 0: the connection ended before an answer
  std::map<std::string, std::string> headers;
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// What never comes is waited for so long; no test that passes waits for it.
constexpr int kNeverSeconds = 30;

class TestClient {
 public:
  explicit TestClient(int port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval never{kNeverSeconds, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never);
    if (receive_buffer > 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }

  // False: the peer has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // The next answer; `head`: it has no body whatever its length says.
  Answer receive(bool head = false) {
    Answer answer;
    const size_t end = read_until("\r\n\r\n");
    if (end == std::string::npos) return answer;
    const std::string text = take(end + 4);
    answer.status = std::stoi(text.substr(9, 3));
    for (size_t at = text.find("\r\n") + 2; at < end; at = text.find("\r\n", at) + 2) {
      const size_t colon = text.find(':', at);
      answer.headers[text.substr(at, colon - at)] = text.substr(colon + 2, text.find("\r\n", at) - colon - 2);
    }
    const auto length = answer.headers.find("Content-Length");
    if (head || length == answer.headers.end()) return answer;
    const size_t size = std::stoul(length->second);
    while (buffer_.size() < size && more()) {
    }
    answer.body = take(std::min(size, buffer_.size()));
    return answer;
  }

  // Everything until the peer closes; nullopt: it does not.
  std::optional<std::string> rest() {
    while (more()) {
    }
    if (!ended_) return std::nullopt;
    return take(buffer_.size());
  }

  // GET on a connection that goes on.
  Answer get(const std::string& target) {
    send("GET " + target + " HTTP/1.1\r\nHost: test\r\n\r\n");
    return receive();
  }

  void hang_up() { fd_.reset(); }

 private:
  bool more() {
    char piece[65536];
    const ssize_t count = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (count > 0) buffer_.append(piece, static_cast<size_t>(count));
    if (count == 0 || (count < 0 && errno == ECONNRESET)) ended_ = true;
    return count > 0;
  }
  size_t read_until(std::string_view mark) {
    size_t found = 0;
    while ((found = buffer_.find(mark)) == std::string::npos && more()) {
    }
    return found;
  }
  std::string take(size_t size) {
    std::string taken = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return taken;
  }

  Descriptor fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string buffer_;
};

// The port a listening socket was given.
inline int port_of(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

}  // namespace daruma::service
