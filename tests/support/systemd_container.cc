#include "support/systemd_container.h"

#include <stdlib.h>

#include <fmt/format.h>

#include "os/environment.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr const char* kName = "systemd-host";
constexpr Duration kPatience = 60s;

// Nothing of the host's is to be started in it: only what a unit of ours needs.
constexpr const char* kMasked[] = {"systemd-udevd.service",      "systemd-udev-trigger.service",
                                   "systemd-logind.service",     "systemd-networkd.service",
                                   "systemd-resolved.service",   "systemd-timesyncd.service",
                                   "systemd-sysctl.service",     "systemd-modules-load.service",
                                   "systemd-remount-fs.service", "dev-hugepages.mount",
                                   "dev-mqueue.mount",           "sys-kernel-debug.mount",
                                   "sys-kernel-tracing.mount",   "sys-fs-fuse-connections.mount",
                                   "sys-kernel-config.mount",    "proc-sys-fs-binfmt_misc.automount"};

}  // namespace

std::string SystemdContainer::why_not() {
  if (const std::string reason = DockerEngine::why_not(); !reason.empty()) return reason;
  return exists(*real_file_system(), "/usr/lib/systemd/systemd").value() ? "" : "systemd is not installed";
}

SystemdContainer::SystemdContainer(DockerEngine& engine) : engine_(engine) {
  FileSystem& fs = scratch_.fs();
  const Path units = scratch_.path() / "units";
  const Path programs = scratch_.path() / "bin";
  DR_CHECK(fs.create_dir(units, 0755).ok() && fs.create_dir(programs, 0755).ok());
  for (const char* unit : kMasked) DR_CHECK(fs.symlink("/dev/null", units / unit).ok());
  DR_CHECK(fs.symlink("/usr/lib/systemd/system/basic.target", units / "default.target").ok());
  for (const char* program : {"systemctl", "journalctl"}) {
    const std::string script = fmt::format("#!/bin/sh\nexec docker exec {} {} \"$@\"\n", kName, program);
    DR_CHECK(replace_file(fs, programs / program, as_bytes(script), 0755).ok());
  }
  ::setenv("PATH", (programs.native() + ":" + environment_variable("PATH").value_or("")).c_str(), 1);
  std::vector<std::string> words{"run",
                                 "--detach",
                                 "--name",
                                 kName,
                                 "--cap-add",
                                 "SYS_ADMIN",
                                 "--security-opt",
                                 "seccomp=unconfined",
                                 "--cgroupns=private",
                                 "--tmpfs",
                                 "/run",
                                 "--tmpfs",
                                 "/run/lock",
                                 "--tmpfs",
                                 "/tmp",
                                 "--tmpfs",
                                 "/var",
                                 "--env",
                                 "container=docker",
                                 "--volume",
                                 units.native() + ":/etc/systemd/system"};
  words.insert(words.end(), DockerEngine::kMounts.begin(), DockerEngine::kMounts.end());
  words.insert(words.end(), {DockerEngine::kImage, "/usr/lib/systemd/systemd"});
  engine_.docker(words);
  const auto clock = real_clock();
  const auto processes = real_processes(*clock);
  const Deadline deadline = clock->after(kPatience);
  for (std::string said;
       said.find("running") == std::string::npos && said.find("degraded") == std::string::npos;
       clock->pause(50ms)) {
    DR_CHECK(!deadline.passed(clock->mono()));
    const auto asked =
        processes->run({.argv = {"docker", "exec", kName, "systemctl", "is-system-running"}}, deadline);
    DR_CHECK(asked.ok());
    said = asked->output;
  }
}

void SystemdContainer::install(const std::string& name, const std::string& text) {
  const Path file = scratch_.path() / "units" / (name + ".service");
  DR_CHECK(replace_file(scratch_.fs(), file, as_bytes(text), 0644).ok());
  run({"systemctl", "daemon-reload"});
}

void SystemdContainer::remove(const std::string& name) {
  run({"systemctl", "stop", name});
  DR_CHECK(scratch_.fs().remove_file(scratch_.path() / "units" / (name + ".service")).ok());
  run({"systemctl", "daemon-reload"});
  run({"sh", "-c", "systemctl reset-failed || true"});
}

std::string SystemdContainer::run(std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"exec", kName});
  return engine_.docker(std::move(argv));
}

}  // namespace daruma
