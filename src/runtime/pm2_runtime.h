// runtime/pm2_runtime.h: services that pm2 keeps, by its command line.
//
// Of what pm2 prints only `jlist` is read. PM2_HOME, of the service's environment or ours, says which pm2.
// Where that does not run, nothing but a start makes it run.
// Threads: any.
#pragma once

#include "base/value.h"
#include "runtime/runtime.h"

namespace daruma::runtime {

class Pm2Runtime final : public ServiceRuntime {
 public:
  Pm2Runtime(const RuntimeWorld& world, ServiceConfig service);

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
  // Its entries of jlist, one for each instance. kNotFound: pm2 does not know it. kUnavailable: pm2 does not
  // run.
  Result<Value::List> entries(Deadline deadline);
  // kUnavailable: the pm2 of PM2_HOME does not run.
  Status daemon_runs() const;
  Path home() const;
  Result<std::string> run(std::vector<std::string> words, Deadline deadline);
  // `pm2 VERB NAME …` of what pm2 knows; brings a pm2 that does not run back with what it had saved.
  Status act(std::vector<std::string> words, Deadline deadline);
  Status begin(const char* verb, Deadline deadline);

  RuntimeWorld world_;
  ServiceConfig service_;
  std::string name_;
};

// The instances of `name` out of what `pm2 jlist` prints, whatever it prints around it. kCorrupt: no list.
Result<Value::List> pm2_entries(std::string_view text, std::string_view name);
// Its restarts are pm2's count, in which those on purpose count too.
ServiceStatus pm2_status(const Value::List& entries);

}  // namespace daruma::runtime
