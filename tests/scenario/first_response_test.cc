// What whoever is there first types, on real services under real shims: `daruma service` by hand, and
// `daruma look`, with what is down, hanging or well.
#include <gmock/gmock.h>
#include <signal.h>

#include <fmt/format.h>

#include "base/value.h"
#include "os/files.h"
#include "os/process_table.h"
#include "os/scratch_dir.h"
#include "runtime/leftovers.h"
#include "runtime/service_folder.h"
#include "support/free_port.h"

namespace daruma {
namespace {

using testing::HasSubstr;

struct Said {
  int code = -1;
  std::string text;
};

// A scratch directory with a daruma.yaml, and the real program in it.
class FirstResponse : public testing::Test {
 protected:
  ~FirstResponse() override {
    for (const std::string& name : names_) {
      static_cast<void>(daruma({"service", "stop", name}));
      const auto record = runtime::read_record(scratch_.fs(), {state() / "services" / name});
      if (!record) continue;
      send_signal(record->shim, SIGKILL);
      for (const ProcessInfo& left : runtime::find_leftovers(*record).proven) send_signal(left.id, SIGKILL);
    }
  }

  Path state() const { return scratch_.path() / ".daruma"; }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(replace_file(scratch_.fs(), scratch_.path() / name, as_bytes(text)).ok());
  }
  void configure(const std::string& yaml) {
    write("daruma.yaml",
          "repository:\n  key: {file: key}\n  copies:\n"
          "    - {name: here, url: 'file:///nowhere/repo', medium: disk, site: here}\n" +
              yaml);
  }
  // A service that does nothing, for as long as it is let.
  void add_quiet(const std::string& name) { names_.push_back(name); }
  Said daruma(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), DARUMA_PROGRAM);
    const Command command{
        .argv = arguments, .environment = {{"LANG", "C.UTF-8"}}, .working_directory = scratch_.path()};
    const auto ended = processes_->run(command, clock_->after(1min));
    EXPECT_TRUE(ended.ok());
    return ended.ok() ? Said{ended->code, ended->output} : Said{};
  }
  int pid_of(const std::string& name) {
    return runtime::read_record(scratch_.fs(), {state() / "services" / name})->mains.at(0).pid;
  }

  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  std::vector<std::string> names_;
};

TEST_F(FirstResponse, AServiceIsStartedScaledReadAndStoppedByHand) {
  configure("services:\n  jobs: {runtime: process, command: [sh, -c, 'echo ready; exec sleep 600']}\n");
  add_quiet("jobs");
  EXPECT_THAT(daruma({"service", "status", "jobs"}).text, HasSubstr("jobs: stopped"));
  EXPECT_THAT(daruma({"service", "start", "jobs"}).text, HasSubstr("jobs: running since"));
  EXPECT_EQ(daruma({"service", "scale", "jobs", "--instances", "2"}).code, 0);
  const auto status = parse_json(daruma({"service", "status", "jobs", "--json"}).text);
  ASSERT_TRUE(status.ok() && status->find("pids"));
  EXPECT_EQ(status->find("pids")->list()->size(), 2u);
  EXPECT_THAT(daruma({"service", "logs", "jobs", "--lines", "5"}).text, HasSubstr("ready"));
  EXPECT_THAT(daruma({"service", "resources", "jobs"}).text, HasSubstr("2 processes"));
  EXPECT_THAT(daruma({"service", "stop", "jobs"}).text, HasSubstr("jobs: stopped"));
}

TEST_F(FirstResponse, AnUnknownServiceOrActIsAnsweredWithTheNearest) {
  configure("services:\n  jobs: {runtime: process, command: [sleep, '600']}\n");
  EXPECT_THAT(daruma({"service", "start", "job"}).text, HasSubstr("did you mean 'jobs'?"));
  const Said said = daruma({"service", "burn", "jobs"});
  EXPECT_EQ(said.code, 2);
  EXPECT_THAT(said.text, HasSubstr("unknown act 'burn'"));
}

}  // namespace
}  // namespace daruma
