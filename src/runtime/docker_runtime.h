// runtime/docker_runtime.h: services that are containers of Docker (or podman, by its Docker API).
//
// The container is the one named as the service is `called`. One that compose made is made again by compose,
// in the folder that its labels name, or the service's `directory`.
// Threads: one at a time.
#pragma once

#include "runtime/docker_api.h"
#include "runtime/runtime.h"

namespace daruma::runtime {

class DockerRuntime final : public ServiceRuntime {
 public:
  DockerRuntime(const RuntimeWorld& world, ServiceConfig service);

  Result<ServiceStatus> status(Deadline deadline) override;
  Status start(Deadline deadline) override;
  Status stop(Deadline deadline) override;
  Status restart(Deadline deadline) override;
  Status reload(Deadline deadline) override;
  Status recreate(Deadline deadline) override;
  Status scale(uint32_t instances, Deadline deadline) override;
  Result<std::string> logs(uint32_t lines, Deadline deadline) override;
  Result<Resources> resources(Deadline deadline) override;
  Result<std::string> inspect(Deadline deadline) override;
  std::vector<std::string> by_hand(std::string_view act) const override;

 private:
  // A compose project: where it is and what it is made of.
  struct Project {
    Path folder;
    std::string name;                // empty: compose's own choice
    std::vector<std::string> files;  // empty: those that compose finds in the folder
  };

  std::string at(std::string_view act) const;  // "/containers/NAME/ACT"
  Result<Value> container(Deadline deadline);
  Error missing() const;
  Status act(const std::string& path, Deadline deadline);
  // nullopt: compose did not make it, and no folder is configured.
  std::optional<Project> project_of(const Value* container) const;
  Status compose(const Project& project, const std::vector<std::string>& words, Deadline deadline);
  Result<std::vector<std::string>> compose_program(Deadline deadline);

  RuntimeWorld world_;
  ServiceConfig service_;
  std::string name_;
  DockerApi docker_;
};

// What `docker inspect` says of a container, as a status.
ServiceStatus docker_status(const Value& container);
// The same JSON with the names of its variables only.
Value without_values(Value container);
// Out of the answer of the engine's stats.
Resources docker_resources(const Value& stats);

}  // namespace daruma::runtime
