// tests/support/docker_engine.h: a real Docker Engine of a test program's own, and containers on it that run
// the host's programs. No registry is needed, and nothing of the host's network is changed.
//
// What a test takes for granted and does not get ends the program with the reason.
// Owns:    the engine, its directory and its containers, which end with it.
// Threads: one at a time; the thread that makes it must outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "os/process.h"
#include "os/scratch_dir.h"
#include "support/caretaker.h"

namespace daruma {

class DockerEngine {
 public:
  // "" where this machine can run one, else why not.
  static std::string why_not();
  // Started, with the image kImage; sets DOCKER_HOST for this program and its children.
  DockerEngine();
  ~DockerEngine();
  DockerEngine(const DockerEngine&) = delete;
  DockerEngine& operator=(const DockerEngine&) = delete;

  // The folders of a system, and in them nothing: kMounts brings the host's programs in.
  static constexpr const char* kImage = "local/host:1";
  static const std::vector<std::string> kMounts;  // options of `docker run`

  // `docker WORDS`, which must succeed; what it printed.
  std::string docker(std::vector<std::string> words);
  const Path& socket() const { return socket_; }

 private:
  void import_image();

  ScratchDir scratch_;
  Caretaker caretaker_{scratch_.path()};
  Path socket_ = scratch_.path() / "docker.sock";
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  std::unique_ptr<Process> engine_;
};

}  // namespace daruma
