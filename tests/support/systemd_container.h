// tests/support/systemd_container.h: a real systemd as PID 1, in a container with the host's programs; its
// `systemctl` and `journalctl` come first in PATH.
//
// What a test takes for granted and does not get ends the program with the reason.
// Owns:    the container. The engine is borrowed.
// Threads: one at a time.
#pragma once

#include <string>

#include "support/docker_engine.h"

namespace daruma {

class SystemdContainer {
 public:
  // "" where this machine can run one, else why not.
  static std::string why_not();
  explicit SystemdContainer(DockerEngine& engine);

  // Installs NAME.service, `text` being its file; not started.
  void install(const std::string& name, const std::string& text);
  void remove(const std::string& name);
  // Runs inside; what it printed.
  std::string run(std::vector<std::string> argv);

 private:
  DockerEngine& engine_;
  ScratchDir scratch_;
};

}  // namespace daruma
