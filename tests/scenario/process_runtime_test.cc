// The runtime `process` with the real daruma as its shim: what every runtime must do, and what is its own.

#include <gmock/gmock.h>
#include <signal.h>

#include <fmt/format.h>

#include <atomic>
#include <fstream>

#include "os/environment.h"
#include "os/process_table.h"
#include "os/scratch_dir.h"
#include "runtime/leftovers.h"
#include "runtime/output_log.h"
#include "runtime/runtime_conformance.h"
#include "runtime/service_folder.h"
#include "support/caretaker.h"
#include "support/free_port.h"
#include "support/http_talk.h"
#include "support/small_disk.h"

namespace daruma::runtime {
namespace {

using testing::HasSubstr;

// A service of its own, ended with everything that stems from it.
class ProcessWorld {
 public:
  explicit ProcessWorld(std::vector<std::string> command = {"sh", "-c", kSampleScript}) {
    service_.name = "sample";
    service_.command = std::move(command);
    service_.environment = {kSampleVariable};
    service_.restart.backoff = 1ms;
    service_.restart.backoff_most = 20ms;
  }
  ~ProcessWorld() {
    static_cast<void>(runtime().stop(clock_->after(1s)));
    const auto record = read_record(scratch_.fs(), folder());
    if (!record) return;
    send_signal(record->shim, SIGKILL);
    for (const ProcessInfo& left : find_leftovers(*record).proven) send_signal(left.id, SIGKILL);
  }
  ProcessWorld(const ProcessWorld&) = delete;
  ProcessWorld& operator=(const ProcessWorld&) = delete;

  static constexpr bool kReloads = true;
  static constexpr bool kReloadKeepsProcess = true;
  static constexpr bool kCountsCrashes = true;
  static constexpr bool kCountsResources = true;
  static constexpr bool kScales = true;
  static constexpr const char* kUnit = "sample";

  ServiceConfig& service() { return service_; }
  std::unique_ptr<ServiceRuntime> another() {
    return make_runtime({scratch_.fs(), *clock_, *processes_, scratch_.path(), DARUMA_PROGRAM}, service_);
  }
  ServiceRuntime& runtime() {
    if (!runtime_) runtime_ = another();
    return *runtime_;
  }
  void crash() { ::kill(runtime().status(clock_->after(10s))->pids.at(0), SIGKILL); }

  ServiceFolder folder() const { return {scratch_.path() / "services" / "sample"}; }
  ServiceRecord record() {
    const auto record = read_record(scratch_.fs(), folder());
    DR_CHECK(record);
    return *record;
  }
  const Path& directory() const { return scratch_.path(); }
  FileSystem& fs() { return scratch_.fs(); }

 private:
  ScratchDir scratch_;
  Caretaker caretaker_{scratch_.path()};
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  ServiceConfig service_;
  std::unique_ptr<ServiceRuntime> runtime_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Process, RuntimeConformance, ProcessWorld);

class Shim : public testing::Test {
 protected:
  // What runs is `sh -c SCRIPT`.
  ProcessWorld& given(const std::string& script) { return given_command({"sh", "-c", script}); }
  ProcessWorld& given_command(std::vector<std::string> command) {
    world_.emplace(std::move(command));
    return *world_;
  }
  ServiceRuntime& runtime() { return world_->runtime(); }
  Deadline soon() { return clock_->after(60s); }
  void start() {
    const Status started = runtime().start(soon());
    ASSERT_TRUE(started.ok()) << started.error().what;
  }
  void stop(Duration patience = 60s) {
    const Status stopped = runtime().stop(clock_->after(patience));
    ASSERT_TRUE(stopped.ok()) << stopped.error().what;
  }
  ServiceStatus status() {
    const auto status = runtime().status(soon());
    EXPECT_TRUE(status.ok()) << status.error().what;
    return status.ok() ? *status : ServiceStatus{};
  }
  std::string logs(uint32_t lines = 100'000) { return *runtime().logs(lines, soon()); }
  void eventually(const std::string& what, const std::function<bool()>& holds) {
    const Deadline deadline = soon();
    while (!holds()) {
      ASSERT_FALSE(deadline.passed(clock_->mono())) << what << "\n" << status().detail << "\n" << logs(5);
      clock_->pause(5ms);
    }
  }
  // The pid that a line "NAME PID" of the log tells.
  int printed_pid(const std::string& name) {
    std::string text;
    eventually("no pid of " + name, [&] {
      text = logs();
      const size_t at = text.find(name + " ");
      return at != std::string::npos && text.find('\n', at) != std::string::npos;
    });
    return std::stoi(text.substr(text.find(name + " ") + name.size() + 1));
  }
  static bool runs(int pid) {
    const auto info = process_info(pid);
    return info && !info->ended;
  }
  void kill_shim() {
    const ProcessId shim = world_->record().shim;
    ASSERT_TRUE(send_signal(shim, SIGKILL));
    eventually("the shim lives", [&] { return !is_running(shim); });
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  std::optional<ProcessWorld> world_;
};

constexpr const char* kDeaf = "trap '' TERM; echo main $$; while :; do sleep 0.1; done";

TEST_F(Shim, WhatIgnoresSigtermIsKilledInTime) {
  given(kDeaf);
  start();
  const int main = printed_pid("main");
  stop(1s);
  EXPECT_FALSE(runs(main));
  EXPECT_EQ(status().state, State::kStopped);
}

TEST_F(Shim, WhatForksAwayIsEndedWithTheService) {
  given("setsid sh -c 'trap \"\" TERM; echo daemon $$; while :; do sleep 0.1; done' & echo main $$; wait");
  start();
  const int daemon = printed_pid("daemon");
  stop(2s);
  EXPECT_FALSE(runs(daemon));
}

TEST_F(Shim, WhatAMainProcessLeavesBehindIsEndedBeforeItIsStartedAgain) {
  given("(setsid sh -c 'echo daemon $$; exec sleep 1000' &) ; sleep 0.1; exit 3");
  world_->service().restart.limit = 1;
  start();
  const int daemon = printed_pid("daemon");
  eventually("it is given up", [&] { return status().state == State::kFailed; });
  EXPECT_FALSE(runs(daemon));
  EXPECT_EQ(status().restarts, 1u);
  EXPECT_EQ(status().detail, "exited with code 3, given up after 1 restarts within 5 min 0 s");
}

TEST_F(Shim, ACommandThatDoesNotExistIsNotFoundByName) {
  given_command({"./no-such-program"});
  const Status started = runtime().start(soon());
  ASSERT_TRUE(started.is(Errc::kNotFound)) << started.error().what;
  EXPECT_THAT(started.error().what, HasSubstr("'./no-such-program'"));
  EXPECT_EQ(status().state, State::kFailed);
  EXPECT_THAT(status().detail, HasSubstr("./no-such-program"));
}

TEST_F(Shim, ADirectoryThatDoesNotExistIsNotFoundByName) {
  given("true");
  world_->service().directory = "/no/such/folder";
  const Status started = runtime().start(soon());
  ASSERT_TRUE(started.is(Errc::kNotFound));
  EXPECT_THAT(started.error().what, HasSubstr("/no/such/folder"));
}

TEST_F(Shim, TheProgramGetsItsDirectoryItsVariablesAndItsLimits) {
  given("echo \"$PWD $COLOUR $(ulimit -n) $(ulimit -v)\"; exec sleep 1000");
  world_->service().directory = world_->directory();
  world_->service().environment = {{"COLOUR", "red"}};
  world_->service().limits = {.memory = 512u << 20, .open_files = 123, .processes = std::nullopt};
  start();
  eventually("it printed", [&] { return !logs().empty(); });
  EXPECT_EQ(logs(), world_->directory().native() + " red 123 524288\n");
}

TEST_F(Shim, TheProgramGetsNothingOfWhoeverTypedButAFewVariables) {
  ASSERT_EQ(::setenv("OPERATOR_TOKEN", "leak123", 1), 0);
  given("env; echo done; exec sleep 1000");
  start();
  ::unsetenv("OPERATOR_TOKEN");
  eventually("it printed", [&] { return logs().ends_with("done\n"); });
  EXPECT_THAT(logs(), testing::Not(HasSubstr("OPERATOR_TOKEN")));
  EXPECT_THAT(logs(), HasSubstr(fmt::format("PATH={}\n", *environment_variable("PATH"))));
  std::ifstream shim(fmt::format("/proc/{}/environ", world_->record().shim.pid));
  const std::string its{std::istreambuf_iterator<char>(shim), {}};
  EXPECT_THAT(its, testing::Not(HasSubstr("leak123"))) << "nor does what keeps it";
}

TEST_F(Shim, ALimitThatCannotBeGivenIsSaid) {
  given("true");
  world_->service().limits.open_files = 2'000'000'000;
  const Status started = runtime().start(soon());
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().what, HasSubstr("limit open files to 2000000000"));
}

TEST_F(Shim, APolicyOfNeverLeavesItEnded) {
  given("exit 7");
  world_->service().restart.policy = RestartPolicy::kNever;
  start();
  eventually("it has ended", [&] { return status().state == State::kFailed; });
  EXPECT_EQ(status().detail, "exited with code 7");
  EXPECT_EQ(status().restarts, 0u);
}

TEST_F(Shim, APolicyOfAlwaysStartsAgainWhatEndedWell) {
  given("echo begun; exit 0");
  world_->service().restart.policy = RestartPolicy::kAlways;
  world_->service().restart.limit = 3;
  start();
  eventually("it is given up", [&] { return status().state == State::kFailed; });
  EXPECT_EQ(logs(), "begun\nbegun\nbegun\nbegun\n");
}

TEST_F(Shim, AStartDuringThePauseStartsAtOnce) {
  given("echo begun; [ -e mark ] || { touch mark; exit 1; }; exec sleep 1000");
  world_->service().directory = world_->directory();
  world_->service().restart.backoff = world_->service().restart.backoff_most = 1h;
  start();
  eventually("it waits", [&] { return status().state == State::kStarting; });
  EXPECT_EQ(status().detail, "exited with code 1, waits to be started again");
  start();
  EXPECT_EQ(status().state, State::kRunning);
}

TEST_F(Shim, AReloadIsRefusedWhereItWouldEndTheService) {
  given("echo main $$; exec sleep 1000");
  start();
  eventually("sleep runs", [&] { return process_info(status().pids.at(0))->name == "sleep"; });
  const Status reloaded = runtime().reload(soon());
  ASSERT_TRUE(reloaded.is(Errc::kRefused));
  EXPECT_THAT(reloaded.error().what, HasSubstr("SIGHUP"));
  EXPECT_EQ(status().state, State::kRunning);
}

TEST_F(Shim, ARestartUsesTheConfigurationOfNow) {
  given("echo one; exec sleep 1000");
  start();
  world_->service().command = {"sh", "-c", "echo two; exec sleep 1000"};
  ASSERT_TRUE(world_->another()->restart(soon()).ok());
  eventually("the new command ran", [&] { return logs() == "one\ntwo\n"; });
}

TEST_F(Shim, AKilledShimIsSeenAndItsServiceDoesNotOutliveIt) {
  given("echo main $$; exec sleep 1000");
  start();
  const int main = printed_pid("main");
  kill_shim();
  eventually("the main process lives", [&] { return !runs(main); });
  EXPECT_EQ(status().state, State::kFailed);
  EXPECT_THAT(status().detail, HasSubstr("was killed"));
  start();
  EXPECT_EQ(status().state, State::kRunning);
}

// Not the main process itself, so the kernel does not kill it; it has left the session and is deaf.
TEST_F(Shim, WhatOutlivesAKilledShimIsToldByItsMarkAndEndedByTheNextStart) {
  given("setsid sh -c 'trap \"\" TERM; echo daemon $$; while :; do sleep 0.1; done' & wait");
  start();
  const int daemon = printed_pid("daemon");
  kill_shim();
  EXPECT_TRUE(runs(daemon));
  EXPECT_THAT(status().pids, testing::Contains(daemon));
  EXPECT_THAT(status().detail, HasSubstr(fmt::format("sh ({})", daemon)));
  start();
  EXPECT_FALSE(runs(daemon));
  EXPECT_EQ(status().state, State::kRunning);
}

TEST_F(Shim, WhatOutlivesAKilledShimIsEndedByAStop) {
  given("setsid sh -c 'echo daemon $$; exec sleep 1000' & wait");
  start();
  const int daemon = printed_pid("daemon");
  kill_shim();
  stop();
  EXPECT_FALSE(runs(daemon));
  EXPECT_EQ(status().state, State::kStopped);
}

// A process that happens to have a recorded pid, but another start time, is somebody else's.
TEST_F(Shim, AReusedPidIsNeverTouched) {
  given("exec sleep 1000");
  start();
  kill_shim();
  const auto processes = real_processes(*clock_);
  auto stranger = *processes->start({.argv = {"sleep", "1000"}});
  ServiceRecord record = world_->record();
  record.mains = {{stranger->pid(), 1}};
  ASSERT_TRUE(put_text(world_->fs(), world_->folder().status(), to_json(to_value(record))).ok());
  start();
  EXPECT_TRUE(runs(stranger->pid()));
}

TEST_F(Shim, ARecordOfAnEarlierBootMeansNothingRunning) {
  given("exec sleep 1000");
  start();
  stop();
  ServiceRecord record = world_->record();
  record.state = State::kRunning;
  record.boot = "another";
  record.shim = record.mains.emplace_back(process_info(this_pid())->id);
  ASSERT_TRUE(put_text(world_->fs(), world_->folder().status(), to_json(to_value(record))).ok());
  EXPECT_EQ(status().state, State::kFailed);
  EXPECT_EQ(status().detail, "not started since the machine was booted");
  start();
  EXPECT_EQ(status().state, State::kRunning);
}

TEST_F(Shim, DamagedRecordsAreNoReasonNotToStart) {
  for (const std::string text : {"", "{", "[]", "{\"id\":\"x\"}", "\xff\xfe"}) {
    given("exec sleep 1000");
    ASSERT_TRUE(create_dirs(world_->fs(), world_->folder().path).ok());
    ASSERT_TRUE(put_text(world_->fs(), world_->folder().status(), text).ok());
    ASSERT_TRUE(put_text(world_->fs(), world_->folder().service(), text).ok());
    EXPECT_EQ(status().state, State::kStopped) << text;
    start();
    EXPECT_EQ(status().state, State::kRunning) << text;
  }
}

TEST_F(Shim, ShimAndServiceMayBeKilledAtAnyMomentAndTheNextStartMakesItWhole) {
  given("sh -c 'echo worker $$; exec sleep 1000' & echo main $$; wait");
  for (int round = 0; round < 12; ++round) {
    start();
    clock_->pause(std::chrono::milliseconds(round % 4));  // any moment will do
    const ServiceRecord record = world_->record();
    if (round % 3 != 1)
      for (const ProcessId& main : record.mains) send_signal(main, SIGKILL);
    if (round % 3 != 0) send_signal(record.shim, SIGKILL);
    if (round % 2 == 0) stop();
  }
  start();
  eventually("it runs", [&] { return status().state == State::kRunning; });
  stop();
  EXPECT_TRUE(find_leftovers(world_->record()).proven.empty());
}

TEST_F(Shim, ASigtermToTheShimStopsTheService) {
  given("trap 'echo bye; exit 0' TERM; echo main $$; while :; do sleep 0.1; done");
  start();
  const int main = printed_pid("main");
  ASSERT_TRUE(send_signal(world_->record().shim, SIGTERM));
  eventually("it is stopped", [&] { return status().state == State::kStopped; });
  EXPECT_FALSE(runs(main));
  EXPECT_THAT(logs(), HasSubstr("bye"));
}

TEST_F(Shim, AFrozenShimIsUnavailable) {
  given("exec sleep 1000");
  start();
  const ProcessId shim = world_->record().shim;
  ASSERT_TRUE(send_signal(shim, SIGSTOP));
  EXPECT_TRUE(runtime().status(clock_->after(100ms)).is(Errc::kUnavailable));
  EXPECT_TRUE(runtime().start(clock_->after(100ms)).is(Errc::kCancelled));
  ASSERT_TRUE(send_signal(shim, SIGCONT));
  EXPECT_EQ(status().state, State::kRunning);
}

TEST_F(Shim, AGigabyteOfOutputIsBoundedAndHoldsNobodyUp) {
  given("head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo done; exec sleep 1000");
  start();
  eventually("it was printed", [&] { return logs(1) == "done\n"; });
  EXPECT_EQ(status().state, State::kRunning);
  uint64_t kept = 0;
  for (const char* end : {"", ".1", ".2", ".3"})
    if (const auto info = world_->fs().info(world_->folder().output().native() + end); info.ok())
      kept += info->size;
  EXPECT_LE(kept, 3 * OutputLog::kFileBytesMax);
  EXPECT_GT(kept, 2 * OutputLog::kFileBytesMax);
  stop();
}

TEST_F(Shim, AFullDiskLosesOutputAndNothingElse) {
  if (!SmallDisk::possible()) GTEST_SKIP() << "only root may mount a small disk, and not everywhere";
  given(
      "yes filling | head -c 3000000; echo full; "
      "while [ ! -e emptied ]; do sleep 0.02; done; echo after; exec sleep 1000");
  world_->service().directory = world_->directory();
  ASSERT_TRUE(create_dirs(world_->fs(), world_->directory() / "services").ok());
  std::optional<SmallDisk> disk(std::in_place, world_->directory() / "services", 1);
  start();
  eventually("the disk is full", [&] { return disk->used_kib() >= 1020; });
  world_->crash();
  eventually("it runs again", [&] {
    const ServiceStatus now = status();
    return now.restarts == 1 && now.state == State::kRunning;
  });
  EXPECT_TRUE(runtime().restart(soon()).ok());
  disk->resize_kib(8192);
  ASSERT_TRUE(world_->fs().create(world_->directory() / "emptied").ok());
  eventually("it prints again", [&] { return logs(1) == "after\n"; });
  const auto all = read_file(world_->fs(), world_->folder().output(), OutputLog::kFileBytesMax);
  EXPECT_NE(as_text(*all).find("bytes of output were lost here"), std::string::npos);
  stop();
  EXPECT_EQ(status().state, State::kStopped);
}

// Every process that has `word` among its arguments.
std::vector<ProcessInfo> processes_with(const std::string& word) {
  std::vector<ProcessInfo> found;
  for (const ProcessInfo& process : all_processes()) {
    const auto line =
        read_file(*real_file_system(), fmt::format("/proc/{}/cmdline", process.id.pid), 1 << 20);
    if (line.ok() && as_text(*line).find(word) != std::string_view::npos) found.push_back(process);
  }
  return found;
}

TEST_F(Shim, KilledAtAnyMomentOfAStartItLeavesNothingBehindForLong) {
  given("exec sleep 1000.000001");
  const std::string folder = world_->folder().path.native();
  for (int round = 0; round < 20; ++round) {
    std::thread starter([&] { static_cast<void>(runtime().start(soon())); });
    clock_->pause(std::chrono::milliseconds(2 * round));  // a start takes some thirty
    for (const ProcessInfo& shim : processes_with(folder)) send_signal(shim.id, SIGKILL);
    starter.join();
  }
  start();
  EXPECT_EQ(status().state, State::kRunning);
  EXPECT_EQ(processes_with(folder).size(), 1u) << "one shim";
  EXPECT_EQ(processes_with("1000.000001").size(), 1u) << "one service";
  stop();
  EXPECT_TRUE(processes_with("1000.000001").empty());
}

// A service on our kit takes a reload and a second instance without losing a request.
TEST_F(Shim, AServiceOfTheKitIsReloadedAndScaledWithoutLosingARequest) {
  ProcessWorld& world = given_command({SAMPLE_SERVICE});
  const uint16_t port = free_port();
  world.service().directory = world.directory();
  world.service().environment = {{"SAMPLE_PORT", std::to_string(port)}, {"SAMPLE_WORKERS", "2"}};
  start();
  const auto who = [&] { return talk(port, "GET", "/who"); };
  eventually("it answers", [&] { return who().status == 200; });
  std::atomic<bool> over{false};
  std::atomic<int> good{0}, bad{0};
  std::thread client([&] {
    while (!over) ++(who().status == 200 ? good : bad);
  });
  const auto workers = [&] { return runtime().resources(soon())->processes; };
  EXPECT_TRUE(runtime().reload(soon()).ok());
  eventually("it is reloaded", [&] { return logs().find("reload") != std::string::npos || good > 200; });
  EXPECT_TRUE(runtime().scale(2, soon()).ok());
  eventually("both have workers", [&] { return workers() >= 6; });
  EXPECT_EQ(status().pids.size(), 2u);
  EXPECT_TRUE(runtime().scale(1, soon()).ok());
  EXPECT_EQ(status().pids.size(), 1u);
  over = true;
  client.join();
  EXPECT_EQ(bad, 0);
  EXPECT_GT(good, 0);
}

TEST_F(Shim, TheCommandLineDoesTheSame) {
  given("echo hello; exec sleep 1000");
  const std::string yaml = fmt::format(
      "state: {0}\nrepository:\n  key: {{file: key}}\n  copies: [{{name: here, url: "
      "'file://{0}/repository'}}]\n"
      "services:\n  sample: {{runtime: process, command: [sh, -c, 'echo hello; exec sleep 1000']}}\n",
      world_->directory().native());
  const Path file = world_->directory() / "daruma.yaml";
  ASSERT_TRUE(replace_file(world_->fs(), file, as_bytes(yaml)).ok());
  const auto daruma = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {DARUMA_PROGRAM, "service"});
    words.insert(words.end(), {"-c", file.native()});
    return *real_processes(*clock_)->run({.argv = words}, soon());
  };
  EXPECT_THAT(daruma({"start", "sample"}).output, testing::StartsWith("sample: running since "));
  EXPECT_EQ(status().state, State::kRunning);
  EXPECT_THAT(daruma({"status", "sample", "--json"}).output, HasSubstr("\"state\":\"running\""));
  eventually("hello", [&] { return daruma({"logs", "sample", "--lines", "1"}).output == "hello\n"; });
  EXPECT_THAT(daruma({"scale", "sample", "--instances", "2"}).output, HasSubstr(", pids "));
  EXPECT_EQ(daruma({"stop", "sample"}).code, 0);
  EXPECT_EQ(status().state, State::kStopped);
  EXPECT_EQ(daruma({"start", "smaple"}).output,
            "daruma: no service is named 'smaple'; did you mean 'sample'?\n  hint: daruma.yaml has sample\n");
  EXPECT_EQ(daruma({"dance", "sample"}).code, 2);
}

}  // namespace
}  // namespace daruma::runtime
