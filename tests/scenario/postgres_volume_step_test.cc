// The step postgres.set_volume_aside on a real Docker Engine: the old volume keeps its data under its own
// name, the next container gets a new one, and undo brings the old one back.
#include "support/docker_engine.h"
#include "support/postgres_steps.h"
#include "support/run_or_skip.h"

namespace daruma::run {
namespace {

using testing::HasSubstr;

// A container of compose's with a volume, in which it wrote one file.
class Volume : public StepWorld {
 protected:
  Volume() {
    const std::string yaml = fmt::format(
        "version: '2.4'\nservices:\n  postgres:\n    image: {}\n    container_name: pg-box\n"
        "    network_mode: host\n    init: true\n    volumes: ['/usr:/usr:ro', 'postgres_data:/data']\n"
        "    command: [sh, -c, 'test -e /data/born || date > /data/born; exec sleep 1000']\n"
        "volumes:\n  postgres_data:\n    name: postgres_data\n",
        DockerEngine::kImage);
    DR_CHECK(replace_file(*fs_, scratch_.path() / "docker-compose.yml", as_bytes(yaml)).ok());
    config_.file = scratch_.path() / "daruma.yaml";
    DatastoreConfig datastore;
    datastore.name = "databases";
    datastore.service = "postgres";
    ServiceConfig service;
    service.name = "postgres";
    service.called = "pg-box";
    service.runtime = Runtime::kDocker;
    service.directory = scratch_.path();
    config_.datastores = {datastore};
    config_.services = {service};
    start();
  }
  ~Volume() override { engine_.docker({"rm", "--force", "pg-box"}); }

  std::unique_ptr<runtime::ServiceRuntime> service() {
    return runtime::make_runtime({*fs_, *clock_, *processes_, "/nowhere", "/nowhere/daruma"},
                                 config_.services[0]);
  }
  void start() {
    const Status started = service()->start(clock_->after(60s));
    DR_CHECK(started.ok());
    while (born().empty()) clock_->pause(20ms);
  }
  void stop() { DR_CHECK(service()->stop(clock_->after(60s)).ok()); }
  std::string born() {
    const auto read =
        processes_->run({.argv = {"docker", "exec", "pg-box", "cat", "/data/born"}}, clock_->after(60s));
    return read.ok() && read->code == 0 ? read->output : "";
  }
  std::string volume() {
    return engine_.docker({"inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", "pg-box"});
  }
  Value::Map with() { return {{"mount", "/data"}}; }

  DockerEngine engine_;
};

TEST_F(Volume, TheNextContainerHasANewOneAndTheOldOneIsKeptAndComesBack) {
  const std::string before = born();
  stop();
  const Value outputs = must("postgres.set_volume_aside", with());
  EXPECT_EQ(outputs.text_at("aside"), "postgres_data");
  start();
  EXPECT_THAT(volume(), HasSubstr(outputs.text_at("volume")));
  EXPECT_THAT(engine_.docker({"volume", "ls", "--quiet"}), HasSubstr("postgres_data\n"));
  stop();
  must_undo("postgres.set_volume_aside", with());
  start();
  EXPECT_EQ(born(), before);
  EXPECT_THAT(volume(), testing::Not(HasSubstr(outputs.text_at("volume"))));
}

TEST_F(Volume, AContainerThatRunsIsNotTouched) {
  EXPECT_THAT(refused("postgres.set_volume_aside", with()), HasSubstr("container pg-box runs"));
  EXPECT_NE(born(), "");
}

TEST_F(Volume, SomebodyElsesOverrideIsNotOverwritten) {
  stop();
  DR_CHECK(
      replace_file(*fs_, scratch_.path() / "docker-compose.override.yml", as_bytes("services: {}\n")).ok());
  EXPECT_THAT(refused("postgres.set_volume_aside", with()), HasSubstr("not Daruma's"));
}

TEST_F(Volume, WhatAKilledAttemptDidIsFoundOut) {
  stop();
  const StepType& step = *find_step_type("postgres.set_volume_aside");
  StepContext one = context(step.name, with());
  one.recorded = *step.prepare(one);
  EXPECT_EQ(*step.reconcile(one), Happened::kNo);
  ASSERT_TRUE(step.act(one).ok());
  EXPECT_EQ(*step.reconcile(one), Happened::kYes);
  start();
  EXPECT_EQ(*step.reconcile(one), Happened::kYes);
  ASSERT_TRUE(step.act(one).is(Errc::kRefused));  // it runs by now
}

}  // namespace
}  // namespace daruma::run

int main(int argc, char** argv) { return daruma::run_or_skip(argc, argv, daruma::DockerEngine::why_not()); }
