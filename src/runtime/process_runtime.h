// runtime/process_runtime.h: services that are plain programs, each kept by a shim (shim.h).
//
// Whoever calls holds nothing: the shim lives on its own, and any number of callers may give it orders.
// Threads: any.
#pragma once

#include "runtime/runtime.h"
#include "runtime/service_folder.h"
#include "runtime/shim_talk.h"

namespace daruma::runtime {

class ProcessRuntime final : public ServiceRuntime {
 public:
  ProcessRuntime(const RuntimeWorld& world, ServiceConfig service);

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
  std::string see() const;  // the hint where nobody knows how it ended
  // The shim's answer; nullopt: no shim takes orders. kCancelled: it has not answered at the deadline.
  Result<std::optional<Value>> ask(const ShimRequest& request, Deadline deadline);
  // Asks again while the answer is that the shim is busy with something else.
  Result<std::optional<Value>> ask_patiently(const ShimRequest& request, Deadline deadline);
  // The living shim's record, or the last words of the dead one; nullopt: never started.
  Result<std::optional<ServiceRecord>> record(Deadline deadline);
  ServiceStatus status_after(const ServiceRecord& last) const;
  Status describe();
  Status start_shim(Deadline deadline);
  Status clear_up(Deadline deadline);
  std::vector<ProcessInfo> processes_of(const ServiceRecord& record) const;

  RuntimeWorld world_;
  ServiceConfig service_;
  ServiceFolder folder_;
};

}  // namespace daruma::runtime
