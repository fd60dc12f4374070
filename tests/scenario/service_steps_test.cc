// service.*, evidence.capture and wait_until on real processes under real shims: what they do is so, what is
// undone is undone, and a preview leaves everything as it was.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "os/process_table.h"
#include "os/scratch_dir.h"
#include "run/steps/test_world.h"
#include "runtime/leftovers.h"
#include "runtime/service_folder.h"
#include "support/caretaker.h"
#include "support/free_port.h"
#include "support/postgres_server.h"

namespace daruma::run {
namespace {

class ServiceStories : public StepTest {
 protected:
  ServiceStories() {
    clock = real.get();
    fs = &scratch.fs();
    directory = scratch.path() / "attempt";
    EXPECT_TRUE(create_dirs(*fs, directory).ok());
    config.services.clear();
    add("api", {SAMPLE_SERVICE}).environment = {{"SAMPLE_PORT", std::to_string(port)}};
    config.services[0].health = HealthConfig{.http = fmt::format("http://127.0.0.1:{}/health", port)};
    add("jobs", {"sh", "-c", "echo ready; exec sleep 600"});
    runtime_of = [this](const ServiceConfig& service) {
      return runtime::make_runtime({*fs, *clock, *processes, scratch.path(), DARUMA_PROGRAM}, service);
    };
  }
  ~ServiceStories() override {
    for (const ServiceConfig& service : config.services) {
      static_cast<void>(runtime_of(service)->stop(clock->after(10s)));
      const auto record = runtime::read_record(*fs, {scratch.path() / "services" / service.name});
      if (!record) continue;
      send_signal(record->shim, SIGKILL);
      for (const ProcessInfo& left : runtime::find_leftovers(*record).proven) send_signal(left.id, SIGKILL);
    }
  }
  ServiceConfig& add(const std::string& name, std::vector<std::string> command) {
    ServiceConfig service;
    service.name = name;
    service.command = std::move(command);
    service.directory = scratch.path();
    config.services.push_back(std::move(service));
    return config.services.back();
  }
  runtime::ServiceStatus status(size_t service) {
    const auto now = runtime_of(config.services[service])->status(clock->after(30s));
    EXPECT_TRUE(now.ok()) << why(now);
    return now.ok() ? *now : runtime::ServiceStatus{};
  }
  bool runs(size_t service) { return status(service).state == runtime::State::kRunning; }
  // Every file with its size and bytes, and every service's processes.
  std::string picture() {
    std::string out = fmt::format("{} {}\n", status(0).pids.size(), status(1).pids.size());
    for (const int pid : status(0).pids) out += fmt::format("{} ", pid);
    for (const int pid : status(1).pids) out += fmt::format("{} ", pid);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch.path())) {
      if (!entry.is_regular_file()) continue;
      const auto bytes = read_file(*fs, entry.path(), 1 << 20);
      out += fmt::format("{} {}\n", entry.path().native(), bytes.ok() ? as_text(*bytes) : "?");
    }
    return out;
  }

  const Value::Map both{{"services", Value(Value::List{"api", "jobs"})}};
  ScratchDir scratch;
  Caretaker caretaker{scratch.path()};
  uint16_t port = free_port();
};

TEST_F(ServiceStories, StartedServicesRunAndAreWell) {
  ASSERT_EQ(why(act("service.start", both)), "");
  EXPECT_EQ(why(act("wait_until", {{"service", "api"}, {"pause", "10ms"}})), "");
  EXPECT_EQ(why(act("http.check", {{"service", "api"}})), "");
  ASSERT_EQ(why(undo("service.start", both)), "");
  EXPECT_FALSE(runs(0) || runs(1));
}

TEST_F(ServiceStories, AStopIsUndoneForWhatRanBefore) {
  ASSERT_EQ(why(act("service.start", {{"service", "jobs"}})), "");
  ASSERT_EQ(why(act("service.stop", both)), "");
  EXPECT_FALSE(runs(1));
  ASSERT_EQ(why(undo("service.stop", both)), "");
  EXPECT_TRUE(runs(1));
  EXPECT_FALSE(runs(0));
}

TEST_F(ServiceStories, ARestartIsKnownByItsProcess) {
  ASSERT_EQ(why(act("service.start", {{"service", "jobs"}})), "");
  const Value::Map jobs{{"service", "jobs"}};
  StepContext made = context(type("service.restart"), jobs);
  recorded = *type("service.restart").prepare(made);
  EXPECT_EQ(*reconcile("service.restart", jobs), Happened::kNo);
  ASSERT_EQ(why(type("service.restart").act(made)), "");
  EXPECT_EQ(*reconcile("service.restart", jobs), Happened::kYes);
}

TEST_F(ServiceStories, EvidenceIsWhatTheServicePrinted) {
  ASSERT_EQ(why(act("service.start", {{"service", "jobs"}})), "");
  const auto outputs = act("evidence.capture", {{"services", Value(Value::List{"jobs"})}});
  ASSERT_EQ(why(outputs), "");
  EXPECT_EQ(outputs->find("missing")->list()->size(), 0U) << to_json(*outputs);
  EXPECT_TRUE(fs->info(directory / "evidence" / "jobs.log").ok());
}

TEST_F(ServiceStories, APreviewLeavesEverythingAsItWas) {
  ASSERT_EQ(why(act("service.start", {{"service", "jobs"}})), "");
  // What it prints at its start comes by itself; nothing else may.
  const Deadline deadline = clock->after(1min);
  while (picture().find("output.log ready") == std::string::npos && !deadline.passed(clock->mono()))
    clock->pause(5ms);
  const std::string before = picture();
  for (const StepType& step : step_types()) {
    if (!step.name.starts_with("service.") && step.name != "evidence.capture") continue;
    Value::Map with{{"service", "jobs"}, {"instances", 2}};
    if (step.name == "evidence.capture") with = both;
    EXPECT_EQ(why(preview(step.name, with)), "") << step.name;
  }
  EXPECT_EQ(picture(), before);
}

TEST_F(ServiceStories, APostgresIsWaitedForUntilItAnswersAQuery) {
  PostgresServer server;
  DatastoreConfig datastore;
  datastore.name = "users";
  datastore.connection.host = server.settings().host;
  datastore.connection.port = server.settings().port;
  datastore.connection.user = "postgres";
  config.datastores.push_back(datastore);
  patience = 200ms;
  EXPECT_NE(why(act("wait_until", {{"datastore", "users"}, {"pause", "10ms"}})).find("in vain"),
            std::string::npos);
  patience = 30s;
  server.start();
  EXPECT_EQ(why(act("wait_until", {{"datastore", "users"}, {"pause", "10ms"}})), "");
}

}  // namespace
}  // namespace daruma::run
