// service/inheritance.h: what a supervisor hands to the program that it executes in its own place, as the
// text of an environment variable: "LISTENER PID:CONTROL:SLOT ...", descriptors as numbers.
//
// Threads: plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "os/descriptor.h"

namespace daruma::service {

struct InheritedWorker {
  int pid = 0;
  int control = -1;
  size_t slot = 0;
};

struct Inheritance {
  int listener = -1;
  std::vector<InheritedWorker> workers;

  std::string text() const;
  // nullopt: no such text.
  static std::optional<Inheritance> parse(const std::string& text);
};

// Where the listening socket comes from: systemd's LISTEN_FDS, when it is meant for this process.
Descriptor socket_of_systemd();

// Tells systemd, where it listens: "READY=1".
class SystemdNotice {
 public:
  SystemdNotice();
  void say(const std::string& text) const;

 private:
  std::string socket_;
};

}  // namespace daruma::service
