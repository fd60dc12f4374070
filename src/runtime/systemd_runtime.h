// runtime/systemd_runtime.h: services that are units of systemd, by systemctl and journalctl.
//
// How long a unit may take to stop, and whether it is started again, is the unit's own business.
// Source:  systemctl(1), systemd.service(5), org.freedesktop.systemd1(5).
// Threads: any.
#pragma once

#include <map>

#include "runtime/runtime.h"

namespace daruma::runtime {

class SystemdRuntime final : public ServiceRuntime {
 public:
  SystemdRuntime(const RuntimeWorld& world, const ServiceConfig& service);

  Result<ServiceStatus> status(Deadline deadline) override;
  Status start(Deadline deadline) override;
  Status stop(Deadline deadline) override;
  Status restart(Deadline deadline) override;
  Status reload(Deadline deadline) override;
  Status recreate(Deadline deadline) override { return restart(deadline); }
  Status scale(uint32_t instances, Deadline deadline) override;
  Result<std::string> logs(uint32_t lines, Deadline deadline) override;
  Result<Resources> resources(Deadline deadline) override;
  Result<std::string> inspect(Deadline deadline) override;
  std::vector<std::string> by_hand(std::string_view act) const override;

 private:
  using Properties = std::map<std::string, std::string, std::less<>>;

  // Of a unit that there is. kNotFound, kUnavailable.
  Result<Properties> properties(Deadline deadline);
  Result<std::string> run(std::vector<std::string> argv, Deadline deadline);
  // `systemctl VERB UNIT`, with its last lines where that fails.
  Status act(const char* verb, Deadline deadline);
  // A start on purpose is not held back by failures that were before.
  Status begin(const char* verb, Deadline deadline);

  RuntimeWorld world_;
  std::string unit_;
};

// "NAME=VALUE" in lines, as `systemctl show` prints them.
std::map<std::string, std::string, std::less<>> systemd_properties(std::string_view text);
ServiceStatus systemd_status(const std::map<std::string, std::string, std::less<>>& properties);
// "A=1 \"B=x y\"" -> "A B".
std::string systemd_variable_names(std::string_view environment);

}  // namespace daruma::runtime
