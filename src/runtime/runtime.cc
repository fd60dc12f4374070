#include "runtime/runtime.h"

#include "runtime/docker_runtime.h"
#include "runtime/pm2_runtime.h"
#include "runtime/process_runtime.h"
#include "runtime/systemd_runtime.h"

namespace daruma::runtime {

std::unique_ptr<ServiceRuntime> make_runtime(const RuntimeWorld& world, const ServiceConfig& service) {
  switch (service.runtime) {
    case Runtime::kProcess:
      break;
    case Runtime::kSystemd:
      return std::make_unique<SystemdRuntime>(world, service);
    case Runtime::kDocker:
      return std::make_unique<DockerRuntime>(world, service);
    case Runtime::kPm2:
      return std::make_unique<Pm2Runtime>(world, service);
  }
  return std::make_unique<ProcessRuntime>(world, service);
}

}  // namespace daruma::runtime
