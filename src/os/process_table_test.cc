#include "os/process_table.h"

#include <gmock/gmock.h>
#include <signal.h>

#include "os/environment.h"
#include "os/process.h"

namespace daruma {
namespace {

class ProcessTable : public testing::Test {
 protected:
  // A child that runs for long.
  Process& given(std::vector<std::string> argv,
                 std::vector<std::pair<std::string, std::string>> environment = {}) {
    Command command{.argv = std::move(argv), .environment = std::move(environment)};
    children_.push_back(*processes_->start(command));
    return *children_.back();
  }
  void wait_until(const std::function<bool()>& holds) {
    while (!holds()) clock_->pause(1ms);
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  std::vector<std::unique_ptr<Process>> children_;
};

TEST_F(ProcessTable, KnowsAProcessItsParentAndItsName) {
  const int pid = given({"sleep", "1000"}).pid();
  wait_until([&] { return process_info(pid)->name == "sleep"; });
  const auto info = process_info(pid);
  EXPECT_EQ(info->id.pid, pid);
  EXPECT_EQ(info->parent, this_pid());
  EXPECT_GT(info->id.start_ticks, 0u);
  // A fresh one has none that the kernel has counted yet.
  EXPECT_GT(process_info(this_pid())->resident_bytes, 0u);
  EXPECT_TRUE(is_running(info->id));
  EXPECT_THAT(descendants_of(this_pid(), all_processes()),
              testing::Contains(testing::Field(&ProcessInfo::id, info->id)));
}

TEST_F(ProcessTable, DescendantsAreFoundInWhateverOrder) {
  const auto process = [](int pid, int parent) {
    ProcessInfo info;
    info.id.pid = pid;
    info.parent = parent;
    return info;
  };
  const auto found = descendants_of(5, {process(2, 9), process(9, 5), process(3, 4), process(7, 2)});
  EXPECT_EQ(found.size(), 3u);
}

TEST_F(ProcessTable, AnEndedProcessDoesNotRun) {
  Process& child = given({"true"});
  const int pid = child.pid();
  wait_until([&] { return process_info(pid)->ended; });
  EXPECT_FALSE(is_running(process_info(pid)->id));
  ASSERT_TRUE(child.wait(Deadline::never()).ok());
  EXPECT_FALSE(process_info(pid).has_value());
}

TEST_F(ProcessTable, ASignalReachesOnlyTheProcessThatIsMeant) {
  Process& child = given({"sleep", "1000"});
  const ProcessId id = process_info(child.pid())->id;
  EXPECT_FALSE(send_signal({id.pid, id.start_ticks + 1}, SIGKILL));
  EXPECT_TRUE(is_running(id));
  EXPECT_TRUE(send_signal(id, SIGTERM));
  EXPECT_EQ(child.wait(Deadline::never())->code, 128 + SIGTERM);
  EXPECT_FALSE(send_signal(id, SIGTERM));
}

TEST_F(ProcessTable, TheEnvironmentOfAStartIsSeen) {
  const int pid = given({"sleep", "1000"}, {{"MARK", "one"}}).pid();
  wait_until([&] { return started_with(pid, "MARK=one"); });
  EXPECT_FALSE(started_with(pid, "MARK=on"));
  EXPECT_FALSE(started_with(pid, "ARK=one"));
  EXPECT_FALSE(started_with(999'999'999, "MARK=one"));
}

TEST_F(ProcessTable, KnowsWhetherASignalWouldSimplyEndIt) {
  const int deaf = given({"sh", "-c", "trap 'true' HUP; while :; do sleep 1000; done"}).pid();
  const int plain = given({"sleep", "1000"}).pid();
  wait_until([&] { return handles_signal(deaf, SIGHUP) && process_info(plain)->name == "sleep"; });
  EXPECT_FALSE(handles_signal(plain, SIGHUP));
}

TEST_F(ProcessTable, TheBootHasAName) {
  EXPECT_FALSE(boot_id().empty());
  EXPECT_EQ(boot_id(), boot_id());
}

}  // namespace
}  // namespace daruma
