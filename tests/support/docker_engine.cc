#include "support/docker_engine.h"

#include <signal.h>
#include <stdlib.h>

#include <cstdio>

#include <fmt/format.h>

#include "os/environment.h"

namespace daruma {
namespace {

constexpr Duration kPatience = 60s;
constexpr Duration kBetweenTries = 50ms;

}  // namespace

const std::vector<std::string> DockerEngine::kMounts{"--network", "host", "-v", "/usr:/usr:ro"};

std::string DockerEngine::why_not() {
  if (!is_root()) return "only root may start a Docker Engine";
  const auto clock = real_clock();
  const auto processes = real_processes(*clock);
  for (const char* program : {"dockerd", "docker"}) {
    const auto found = processes->run({.argv = {program, "--version"}}, clock->after(kPatience));
    if (!found.ok() || found->code != 0)
      return fmt::format("'{}' is not installed (package docker.io)", program);
  }
  return "";
}

DockerEngine::DockerEngine() {
  ::setenv("DOCKER_HOST", ("unix://" + socket_.native()).c_str(), 1);
  const Path& top = scratch_.path();
  // What it mounts (its network namespace it never unmounts) is seen by itself alone and ends with it.
  Command command{{"unshare",
                   "--mount",
                   "--propagation",
                   "slave",
                   "setpriv",
                   "--pdeathsig",
                   "TERM",
                   "dockerd",
                   "--data-root",
                   top / "data",
                   "--exec-root",
                   top / "exec",
                   "--pidfile",
                   top / "pid",
                   "-H",
                   "unix://" + socket_.native(),
                   "--storage-driver=overlay2",
                   "--exec-opt",
                   "native.cgroupdriver=cgroupfs",
                   "--iptables=false",
                   "--ip6tables=false",
                   "--bridge=none"}};
  command.output = top / "engine.log";
  auto started = processes_->start(command);
  DR_CHECK(started.ok());
  engine_ = *std::move(started);
  const Deadline deadline = clock_->after(kPatience);
  for (;;) {
    const auto asked = processes_->run({.argv = {"docker", "version"}}, deadline);
    if (asked.ok() && asked->code == 0) break;
    const bool ended = !engine_->wait(clock_->after(kBetweenTries)).is(Errc::kCancelled);
    if (!ended && !deadline.passed(clock_->mono())) continue;
    const auto log = read_file(scratch_.fs(), top / "engine.log", 1 << 20);
    fmt::print(stderr, "the Docker Engine did not start:\n{}\n", log.ok() ? as_text(*log) : "");
    DR_CHECK(false);
  }
  import_image();
}

DockerEngine::~DockerEngine() {
  const std::string containers = docker({"ps", "--all", "--quiet"});
  std::vector<std::string> remove{"rm", "--force"};
  for (size_t at = 0; at < containers.size(); at = containers.find('\n', at) + 1)
    remove.push_back(containers.substr(at, containers.find('\n', at) - at));
  if (remove.size() > 2) docker(remove);
  static_cast<void>(engine_->signal(SIGTERM));
  static_cast<void>(engine_->wait(clock_->after(kPatience)));
}

std::string DockerEngine::docker(std::vector<std::string> words) {
  words.insert(words.begin(), "docker");
  const auto ended = processes_->run({.argv = words}, clock_->after(kPatience));
  if (!ended.ok() || ended->code != 0)
    fmt::print(stderr, "{}: {}\n", fmt::join(words, " "), ended.ok() ? ended->output : ended.error().what);
  DR_CHECK(ended.ok() && ended->code == 0);
  return ended->output;
}

void DockerEngine::import_image() {
  const Path root = scratch_.path() / "root";
  FileSystem& fs = scratch_.fs();
  DR_CHECK(fs.create_dir(root, 0755).ok());
  for (const char* folder : {"usr", "sbin", "etc", "tmp", "run", "proc", "sys", "dev"})
    DR_CHECK(fs.create_dir(root / folder, 0755).ok());
  for (const char* link : {"bin", "lib", "lib64"}) DR_CHECK(fs.symlink(Path("usr") / link, root / link).ok());
  const Path tar = scratch_.path() / "root.tar";
  const auto packed =
      processes_->run({.argv = {"tar", "-C", root, "-cf", tar, "."}}, clock_->after(kPatience));
  DR_CHECK(packed.ok() && packed->code == 0);
  docker({"import", tar, kImage});
}

}  // namespace daruma
