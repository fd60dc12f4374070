// The runtime `docker` on a real engine: what every runtime must do, and what is Docker's own.

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fmt/format.h>

#include "os/files.h"
#include "os/process_table.h"
#include "runtime/runtime_conformance.h"
#include "support/docker_engine.h"
#include "support/run_or_skip.h"

namespace daruma::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

// One engine for all tests of this program.
class OneEngine : public testing::Environment {
 public:
  void SetUp() override {
    if (DockerEngine::why_not().empty()) engine_ = std::make_unique<DockerEngine>();
  }
  void TearDown() override { engine_.reset(); }
  static DockerEngine& engine() {
    DR_CHECK(engine_);
    return *engine_;
  }

 private:
  static inline std::unique_ptr<DockerEngine> engine_;
};
const auto* const kRegistered = testing::AddGlobalTestEnvironment(std::make_unique<OneEngine>().release());

// A container of its own, made and not started.
class Container : public Sample {
 public:
  Container() : Container(kSampleScript, {"--restart", "on-failure:5"}) {}
  Container(const std::string& script, const std::vector<std::string>& options)
      : Sample(Runtime::kDocker, next_name()) {
    std::vector<std::string> words{"create", "--name", name(), "--env",
                                   kSampleVariable.first + "=" + kSampleVariable.second};
    words.insert(words.end(), DockerEngine::kMounts.begin(), DockerEngine::kMounts.end());
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {DockerEngine::kImage, "sh", "-c", script});
    OneEngine::engine().docker(words);
  }
  ~Container() override { OneEngine::engine().docker({"rm", "--force", name()}); }

  static constexpr bool kReloads = true;
  static constexpr bool kReloadKeepsProcess = true;
  static constexpr bool kCountsCrashes = true;
  static constexpr bool kCountsResources = true;
  static constexpr bool kScales = false;
  static constexpr const char* kUnit = "sample-";
};

INSTANTIATE_TYPED_TEST_SUITE_P(Docker, RuntimeConformance, Container);

class Docker : public testing::Test {
 protected:
  std::unique_ptr<ServiceRuntime> runtime_of(const std::string& container, const Path& folder = {}) {
    ServiceConfig service;
    service.name = container;
    service.runtime = Runtime::kDocker;
    service.directory = folder;
    return make_runtime({*fs_, *clock_, *processes_, "/nowhere", "/nowhere/daruma"}, service);
  }
  Deadline soon() { return clock_->after(60s); }
  void eventually(const std::string& what, const std::function<bool()>& holds) {
    const Deadline deadline = soon();
    while (!holds()) {
      ASSERT_FALSE(deadline.passed(clock_->mono())) << what;
      clock_->pause(10ms);
    }
  }
  static std::string id_of(const std::string& container) {
    return OneEngine::engine().docker({"inspect", "--format", "{{.Id}}", container});
  }

  std::unique_ptr<FileSystem> fs_ = real_file_system();
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
};

TEST_F(Docker, AContainerThatIsMissingIsNotFoundByName) {
  const auto runtime = runtime_of("auth-service");
  for (const Status& outcome : {runtime->start(soon()), runtime->stop(soon()), runtime->restart(soon()),
                                runtime->reload(soon()), runtime->recreate(soon())}) {
    ASSERT_TRUE(outcome.is(Errc::kNotFound));
    EXPECT_THAT(outcome.error().what, HasSubstr("'auth-service'"));
  }
  EXPECT_TRUE(runtime->status(soon()).is(Errc::kNotFound));
  EXPECT_TRUE(runtime->logs(10, soon()).is(Errc::kNotFound));
}

TEST_F(Docker, ASocketWhereNobodyAnswersIsUnavailableByItsPath) {
  const std::string before = ::getenv("DOCKER_HOST");
  for (const std::string host : {"unix:///no/such/docker.sock", "tcp://127.0.0.1:2375"}) {
    ::setenv("DOCKER_HOST", host.c_str(), 1);
    const auto status = runtime_of("auth-service")->status(soon());
    ASSERT_TRUE(status.is(Errc::kUnavailable));
    EXPECT_THAT(status.error().what, HasSubstr(host.substr(host.find('/') + 2)));
  }
  ::setenv("DOCKER_HOST", before.c_str(), 1);
}

TEST_F(Docker, AContainerThatEndedByItselfHasFailed) {
  Container container("echo said before; exit 3", {});
  ASSERT_TRUE(container.runtime().start(soon()).ok());
  eventually("it has ended", [&] { return container.runtime().status(soon())->state == State::kFailed; });
  EXPECT_THAT(container.runtime().status(soon())->detail, HasSubstr("exited (3)"));
  EXPECT_EQ(*container.runtime().logs(10, soon()), "said before\n");
}

TEST_F(Docker, AProgramThatIsMissingIsSaidAsDockerSaysIt) {
  Container container("true", {"--entrypoint", "/no/such/program"});
  const Status started = container.runtime().start(soon());
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().what, HasSubstr("/no/such/program"));
}

TEST_F(Docker, TheHealthCheckOfTheContainerIsHandedOn) {
  Container container("sleep 1000", {"--health-cmd", "true", "--health-interval", "100ms", "--init"});
  ASSERT_TRUE(container.runtime().start(soon()).ok());
  eventually("healthy", [&] { return container.runtime().status(soon())->health == "healthy"; });
}

TEST_F(Docker, AReloadIsRefusedWhereItMightEndTheContainer) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{}, {"--init"}}) {
    Container container("exec sleep 1000", options);
    ASSERT_TRUE(container.runtime().start(soon()).ok());
    const int pid = container.runtime().status(soon())->pids.at(0);
    eventually("sleep runs", [&] {
      auto family = descendants_of(pid, all_processes());
      if (const auto main = process_info(pid)) family.push_back(*main);
      return std::ranges::any_of(family, [](const ProcessInfo& one) { return one.name == "sleep"; });
    });
    EXPECT_TRUE(container.runtime().reload(soon()).is(Errc::kRefused));
    EXPECT_EQ(container.runtime().status(soon())->state, State::kRunning);
  }
}

TEST_F(Docker, APausedContainerGoesOnWhenItIsStarted) {
  Container container;
  ASSERT_TRUE(container.runtime().start(soon()).ok());
  OneEngine::engine().docker({"pause", container.name()});
  EXPECT_EQ(container.runtime().status(soon())->state, State::kUnknown);
  ASSERT_TRUE(container.runtime().start(soon()).ok());
  EXPECT_EQ(container.runtime().status(soon())->state, State::kRunning);
}

TEST_F(Docker, LogsHaveNoFramesWithAndWithoutATerminal) {
  for (const std::vector<std::string>& options : {std::vector<std::string>{}, {"--tty"}}) {
    Container container("echo out; echo err >&2; exec sleep 1000", options);
    ASSERT_TRUE(container.runtime().start(soon()).ok());
    eventually("both lines", [&] { return container.runtime().logs(10, soon())->size() >= 8; });
    std::string text = *container.runtime().logs(10, soon());
    std::erase(text, '\r');
    EXPECT_TRUE(text == "out\nerr\n" || text == "err\nout\n") << text;  // Docker does not keep their order
  }
}

TEST_F(Docker, LogsAreOneMebibyteAtMost) {
  Container container("head -c 5000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo end; exec sleep 1000",
                      {});
  ASSERT_TRUE(container.runtime().start(soon()).ok());
  eventually("the end", [&] { return *container.runtime().logs(1, soon()) == "end\n"; });
  EXPECT_EQ(container.runtime().logs(1'000'000, soon())->size(), 1u << 20);
}

TEST_F(Docker, WhatComposeDidNotMakeIsNotMadeAgain) {
  Container container;
  ASSERT_TRUE(container.runtime().start(soon()).ok());
  const std::string before = id_of(container.name());
  const Status recreated = container.runtime().recreate(soon());
  ASSERT_TRUE(recreated.is(Errc::kRefused));
  EXPECT_THAT(recreated.error().what, HasSubstr(container.name()));
  EXPECT_EQ(id_of(container.name()), before);
}

class Compose : public Docker {
 protected:
  void SetUp() override {
    const auto found = processes_->run({.argv = {"docker-compose", "version"}}, soon());
    if (!found.ok()) GTEST_SKIP() << "docker-compose is not installed";
    const std::string yaml = fmt::format(
        "version: '2.4'\nservices:\n  auth-service:\n    image: {}\n    container_name: composed\n"
        "    network_mode: host\n    volumes: ['/usr:/usr:ro']\n    command: [sleep, '1000']\n    init: "
        "true\n",
        DockerEngine::kImage);
    ASSERT_TRUE(replace_file(*fs_, scratch_.path() / "docker-compose.yml", as_bytes(yaml)).ok());
  }
  void TearDown() override {
    static_cast<void>(processes_->run(
        {.argv = {"docker-compose", "down", "-t", "0"}, .working_directory = scratch_.path()}, soon()));
  }

  ScratchDir scratch_;
};

TEST_F(Compose, BringsAContainerUpAndMakesItAgain) {
  // The folder is configured: so even a container that is not there yet can be started.
  const auto with_folder = runtime_of("composed", scratch_.path());
  const Status started = with_folder->start(soon());
  ASSERT_TRUE(started.ok()) << started.error().what;
  const std::string first = id_of("composed");
  // It is not: its labels tell.
  const auto by_labels = runtime_of("composed");
  const Status recreated = by_labels->recreate(soon());
  ASSERT_TRUE(recreated.ok()) << recreated.error().what;
  EXPECT_NE(id_of("composed"), first);
  EXPECT_EQ(by_labels->status(soon())->state, State::kRunning);
}

TEST_F(Compose, SaysWhatItComplainsOf) {
  ASSERT_TRUE(replace_file(*fs_, scratch_.path() / "docker-compose.yml", as_bytes("nonsense: [")).ok());
  const Status started = runtime_of("composed", scratch_.path())->start(soon());
  ASSERT_TRUE(started.is(Errc::kFailed));
  EXPECT_THAT(started.error().what, HasSubstr("compose up in '" + scratch_.path().native() + "'"));
  EXPECT_THAT(started.error().what, HasSubstr("docker-compose.yml"));
}

}  // namespace
}  // namespace daruma::runtime

int main(int argc, char** argv) { return daruma::run_or_skip(argc, argv, daruma::DockerEngine::why_not()); }
