#include "runtime/runtime.h"

#include "runtime/process_runtime.h"

namespace daruma::runtime {

std::unique_ptr<ServiceRuntime> make_runtime(const RuntimeWorld& world, const ServiceConfig& service) {
  return std::make_unique<ProcessRuntime>(world, service);
}

}  // namespace daruma::runtime
