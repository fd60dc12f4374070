// run/steps/test_world.h: a world for steps in tests: services that are only remembered, a disk in memory.
//
// Threads: one at a time.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "os/files.h"
#include "os/sim_file_system.h"
#include "run/step_type.h"

namespace daruma::run {

// A service as a runtime has it, without anything behind it.
struct TestService {
  runtime::State state = runtime::State::kStopped;
  std::vector<int> pids;
  std::string log = "one\ntwo\n";
  std::string stuck = {};  // "stop": does nothing and says that it has; "logs": cannot
  static inline int next_pid = 100;

  void run_as(size_t instances) {
    state = runtime::State::kRunning;
    pids.clear();
    for (size_t i = 0; i < instances; ++i) pids.push_back(next_pid++);
  }
};

class TestRuntime final : public runtime::ServiceRuntime {
 public:
  explicit TestRuntime(std::string name, TestService& service, std::vector<std::string>& acts)
      : name_(std::move(name)), service_(service), acts_(acts) {}

  Result<runtime::ServiceStatus> status(Deadline) override {
    if (service_.stuck == "status") return Error{Errc::kUnavailable, "no answer"};
    return runtime::ServiceStatus{.state = service_.state, .pids = service_.pids, .since = {}};
  }
  Status start(Deadline) override {
    if (service_.state == runtime::State::kRunning) return {};
    return act("start", [&] { service_.run_as(1); });
  }
  Status stop(Deadline) override {
    if (service_.state == runtime::State::kStopped) return {};
    return act("stop", [&] {
      service_.state = runtime::State::kStopped;
      service_.pids.clear();
    });
  }
  Status restart(Deadline) override {
    return act("restart", [&] { service_.run_as(1); });
  }
  Status reload(Deadline) override {
    return act("reload", [&] { service_.run_as(service_.pids.size()); });
  }
  Status recreate(Deadline) override {
    return act("recreate", [&] { service_.run_as(1); });
  }
  Status scale(uint32_t instances, Deadline) override {
    return act("scale", [&] { service_.run_as(instances); });
  }
  Result<std::string> logs(uint32_t, Deadline) override {
    if (service_.stuck == "logs") return Error{Errc::kNotFound, "no such container"};
    return service_.log;
  }
  Result<runtime::Resources> resources(Deadline) override {
    cpu_ += 500ms;
    return runtime::Resources{.memory_bytes = 100 << 20, .cpu = cpu_, .processes = 2};
  }
  Result<std::string> inspect(Deadline) override { return std::string(R"({"image":"x"})"); }
  std::vector<std::string> by_hand(std::string_view act) const override {
    return {"docker " + std::string(act) + " " + name_};
  }

 private:
  template <class Change>
  Status act(const std::string& word, Change change) {
    acts_.push_back(word + " " + name_);
    if (service_.stuck == word) return {};
    change();
    return {};
  }

  const std::string name_;
  TestService& service_;
  std::vector<std::string>& acts_;
  Duration cpu_{};
};

class StepTest : public testing::Test {
 protected:
  StepTest() {
    config.file = "/etc/daruma/daruma.yaml";
    for (const std::string name : {"auth", "user"}) {
      ServiceConfig service;
      service.name = name;
      config.services.push_back(std::move(service));
      services[name];
    }
    EXPECT_TRUE(create_dirs(sim, directory).ok());
  }

  // The context of a step with these inputs, and the defaults of its type.
  StepContext context(const StepType& type, Value::Map with) {
    for (const InputRow& row : type.inputs) {
      if (row.standard.empty() || with.contains(row.name)) continue;
      with.emplace(row.name, standard_of(row));
    }
    return {.config = config,
            .fs = *fs,
            .clock = *clock,
            .processes = *processes,
            .runtime_of = runtime_of,
            .run = "2026-11-22-test-1",
            .step = "step",
            .directory = directory,
            .run_directory = directory.parent_path(),
            .with = std::move(with),
            .deadline = clock->after(patience),
            .stop = {},
            .say = [this](const std::string& line) { said.push_back(line); },
            .secret = [this](const SecretReference& reference) -> Result<std::string> {
              const auto found = secrets.find(reference.environment);
              if (found == secrets.end())
                return Error{Errc::kNotFound, reference.environment + " is not set"};
              return found->second;
            }};
  }

  static const StepType& type(std::string_view name) {
    const StepType* found = find_step_type(name);
    DR_CHECK(found != nullptr);
    return *found;
  }

  // Carries the step out as the engine does: what it prepares is remembered for reconcile and undo.
  Result<Value> act(std::string_view name, Value::Map with) {
    StepContext made = context(type(name), std::move(with));
    if (type(name).prepare) {
      auto prepared = type(name).prepare(made);
      if (!prepared.ok()) return prepared;
      recorded = *prepared;
    }
    return type(name).act(made);
  }
  Status undo(std::string_view name, Value::Map with) {
    StepContext made = context(type(name), std::move(with));
    made.recorded = recorded;
    return type(name).undo(made);
  }
  Result<Happened> reconcile(std::string_view name, Value::Map with) {
    StepContext made = context(type(name), std::move(with));
    made.recorded = recorded;
    return type(name).reconcile(made);
  }
  Result<Preview> preview(std::string_view name, Value::Map with) {
    StepContext made = context(type(name), std::move(with));
    return type(name).preview(made);
  }

  static Value standard_of(const InputRow& row) {
    if (row.kind == InputRow::Kind::kInteger) return Value(std::stoll(std::string(row.standard)));
    if (row.kind == InputRow::Kind::kBoolean) return Value(row.standard == "true");
    return Value(row.standard);
  }
  // What went wrong; "" when nothing did.
  template <class T>
  static std::string why(const Result<T>& result) {
    return result.ok() ? "" : result.error().what;
  }

  Config config;
  std::function<std::unique_ptr<runtime::ServiceRuntime>(const ServiceConfig&)> runtime_of =
      [this](const ServiceConfig& service) {
        return std::make_unique<TestRuntime>(service.name, services[service.name], acts);
      };
  SimFileSystem sim;
  FileSystem* fs = &sim;
  Path directory = "/run/1";  // of the attempt
  ManualClock manual;
  Clock* clock = &manual;
  std::unique_ptr<Clock> real = real_clock();
  std::unique_ptr<ProcessRunner> processes = real_processes(*real);
  Duration patience = 30s;
  std::map<std::string, TestService> services;
  std::map<std::string, std::string> secrets;
  std::vector<std::string> acts, said;
  Value recorded;
};

}  // namespace daruma::run
