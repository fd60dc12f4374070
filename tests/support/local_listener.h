// tests/support/local_listener.h: a listening socket of 127.0.0.1 on a port that is free.
// Threads: plain functions.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/check.h"
#include "os/descriptor.h"

namespace daruma {

inline Descriptor listen_locally(int& port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  DR_CHECK(::bind(socket.get(), any, size) == 0 && ::listen(socket.get(), 16) == 0);
  DR_CHECK(::getsockname(socket.get(), any, &size) == 0);
  port = ntohs(address.sin_port);
  return socket;
}

}  // namespace daruma
