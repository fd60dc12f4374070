// os/unix_socket.h: sockets with a name in the file system, over which processes of this machine hand each
// other bytes and open descriptors.
//
// Messages keep their borders (SOCK_SEQPACKET). A path may be longer than the kernel's 107 bytes.
// Owns:    the descriptors returned.
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "os/descriptor.h"
#include "os/file_system.h"

namespace daruma {

// Listens at `path`, taking the place of what a dead process left there. Accepted and listening ends are
// non-blocking, and do not survive an exec.
Result<Descriptor> listen_at(const Path& path);
// kUnavailable: nobody listens there.
Result<Descriptor> connect_to(const Path& path);
// nullopt: nobody waits.
std::optional<Descriptor> accept_from(const Descriptor& listener);
// Both ends; non-blocking.
Result<std::pair<Descriptor, Descriptor>> socket_pair();

// One message, with a descriptor where `handed` is not negative. False: the peer is gone, or takes none now.
bool send_message(int socket, const std::string& text, int handed = -1);

struct Message {
  std::string text;  // "" and no descriptor: the peer has closed
  Descriptor handed;
};
// nullopt: nothing has come yet (non-blocking), or within `wait`.
std::optional<Message> receive_message(int socket, Duration wait = Duration{0});

// A datagram to the socket named so; '@' stands for the leading zero of an abstract name.
void notify_datagram(const std::string& name, const std::string& text);

}  // namespace daruma
