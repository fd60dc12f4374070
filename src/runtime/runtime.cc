#include "runtime/runtime.h"

#include "runtime/docker_runtime.h"
#include "runtime/process_runtime.h"

namespace daruma::runtime {

std::unique_ptr<ServiceRuntime> make_runtime(const RuntimeWorld& world, const ServiceConfig& service) {
  if (service.runtime == Runtime::kDocker) return std::make_unique<DockerRuntime>(world, service);
  return std::make_unique<ProcessRuntime>(world, service);
}

}  // namespace daruma::runtime
