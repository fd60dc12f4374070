// Real children: their exit, their output, their end. No test waits for time to pass: deadlines are a
// ManualClock's, or never come.
#include "os/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>

#include "os/environment.h"
#include "os/files.h"
#include "os/scratch_dir.h"

namespace daruma {
namespace {

using testing::HasSubstr;

class ProcessTest : public testing::Test {
 protected:
  static Command shell(const std::string& script) { return {.argv = {"/bin/sh", "-c", script}}; }
  ProcessExit run(const Command& command) {
    auto exit = processes_->run(command, Deadline::never());
    EXPECT_TRUE(exit.ok()) << exit.error().what;
    return exit.ok() ? *exit : ProcessExit{};
  }

  // A zombie is as good as gone.
  bool is_running(int pid) {
    const auto status = read_file(*fs_, "/proc/" + std::to_string(pid) + "/stat", 4096);
    return status.ok() && as_text(*status).find(") Z ") == std::string_view::npos;
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  std::unique_ptr<FileSystem> fs_ = real_file_system();
  ScratchDir scratch_;
};

TEST_F(ProcessTest, TheExitCodeIsTheChilds) {
  EXPECT_EQ(run(shell("exit 0")).code, 0);
  EXPECT_EQ(run(shell("exit 7")).code, 7);
}

TEST_F(ProcessTest, DeathByASignalIs128AndItsNumber) {
  EXPECT_EQ(run(shell("kill -TERM $$")).code, 128 + SIGTERM);
}

TEST_F(ProcessTest, OutputAndErrorsAreCapturedTogether) {
  EXPECT_EQ(run(shell("echo one; echo two >&2; echo three")).output, "one\ntwo\nthree\n");
}

TEST_F(ProcessTest, ArgumentsReachTheProgramUntouched) {
  EXPECT_EQ(run({.argv = {"printf", "%s|", "a b", "$HOME", "*", ""}}).output, "a b|$HOME|*||");
}

TEST_F(ProcessTest, TheLastMebibyteOfOutputIsKept) {
  const ProcessExit exit = run(shell("head -c 5000000 /dev/zero | tr '\\0' x; printf end"));
  EXPECT_EQ(exit.output.size(), size_t{1} << 20);
  EXPECT_TRUE(exit.output.ends_with("xxxend"));
}

TEST_F(ProcessTest, AChildWithMuchOutputIsNotBlockedWhileNobodyWaits) {
  const Path mark = scratch_.path() / "mark";
  auto child = processes_->start(shell("head -c 300000 /dev/zero; echo done >> '" + mark.native() + "'"));
  ASSERT_TRUE(child.ok());
  while (!*exists(*fs_, mark)) clock_->pause(1ms);
  EXPECT_EQ((*child)->wait(Deadline::never())->code, 0);
}

TEST_F(ProcessTest, OutputCanBeAppendedToAFile) {
  const Path log = scratch_.path() / "log";
  Command command = shell("echo line");
  command.output = log;
  EXPECT_EQ(run(command).output, "");
  run(command);
  EXPECT_EQ(as_text(*read_file(*fs_, log, 100)), "line\nline\n");
}

TEST_F(ProcessTest, VariablesAreAddedToOursAndReplaceThem) {
  Command command = shell("echo $DARUMA_TEST; echo ${PATH:+set}; echo $HOME");
  command.environment = {{"DARUMA_TEST", "1=2"}, {"HOME", "/elsewhere"}};
  EXPECT_EQ(run(command).output, "1=2\nset\n/elsewhere\n");
}

TEST_F(ProcessTest, TheWorkingDirectoryIsTheOneAskedFor) {
  Command command = shell("pwd -P");
  command.working_directory = "/";
  EXPECT_EQ(run(command).output, "/\n");
}

TEST_F(ProcessTest, AMissingProgramIsNotFound) {
  const auto exit = processes_->run({.argv = {"daruma-no-such-program"}}, Deadline::never());
  ASSERT_TRUE(exit.is(Errc::kNotFound));
  EXPECT_EQ(exit.error().what, "cannot start 'daruma-no-such-program': No such file or directory");
}

TEST_F(ProcessTest, AFileThatMayNotBeExecutedIsRefused) {
  EXPECT_TRUE(processes_->run({.argv = {"/etc/passwd"}}, Deadline::never()).is(Errc::kRefused));
}

TEST_F(ProcessTest, AnEmptyArgumentListIsInvalid) {
  EXPECT_TRUE(processes_->run({}, Deadline::never()).is(Errc::kInvalid));
}

TEST_F(ProcessTest, InputIsEmptyAndNoDescriptorOfOursIsInherited) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as some library might
  EXPECT_EQ(run(shell("cat; ls /proc/self/fd | tr '\\n' ' '")).output,
            "0 1 2 3 ");  // 3 is the listing itself
  ::close(leaky);
}

TEST_F(ProcessTest, InputOfAnySizeIsReadWhole) {
  Command command = shell("wc -c; exit 0");
  command.input = std::string(3'000'000, 'x');
  EXPECT_EQ(run(command).output, "3000000\n");
}

TEST_F(ProcessTest, AChildMayLeaveItsInputUnread) {
  Command command = shell("exit 3");
  command.input = std::string(3'000'000, 'x');
  EXPECT_EQ(run(command).code, 3);
}

TEST_F(ProcessTest, AChildIsFedPieceByPiece) {
  Command command = shell("tr a-z A-Z");
  command.fed = true;
  auto child = *processes_->start(command);
  ASSERT_TRUE(child->feed(as_bytes("shichi korobi "), clock_->after(30s)).ok());
  ASSERT_TRUE(child->feed(as_bytes("ya oki"), clock_->after(30s)).ok());
  child->end_input();
  EXPECT_EQ(child->wait(clock_->after(30s))->output, "SHICHI KOROBI YA OKI");
}

TEST_F(ProcessTest, AChildThatReadsNothingIsNotFedPastTheDeadline) {
  Command command = shell("exec tail -f /dev/null");
  command.fed = true;
  auto child = *processes_->start(command);
  EXPECT_TRUE(child->feed(Bytes(8 << 20), clock_->after(50ms)).is(Errc::kCancelled));
}

TEST_F(ProcessTest, AChildThatEndedTakesNoInput) {
  Command command = shell("exit 0");
  command.fed = true;
  auto child = *processes_->start(command);
  ASSERT_TRUE(child->wait(clock_->after(30s)).ok());
  EXPECT_TRUE(child->feed(as_bytes("too late"), clock_->after(30s)).is(Errc::kUnavailable));
}

TEST_F(ProcessTest, WaitGivesUpAtTheDeadlineAndTheChildKeepsRunning) {
  auto child = processes_->start(shell("read line < /dev/null; exec tail -f /dev/null"));
  ASSERT_TRUE(child.ok());
  const auto exit = (*child)->wait(Deadline{clock_->mono()});
  ASSERT_TRUE(exit.is(Errc::kCancelled));
  EXPECT_THAT(exit.error().what, HasSubstr("'/bin/sh' (process "));
  EXPECT_TRUE(process_exists((*child)->pid()));
  EXPECT_TRUE((*child)->signal(SIGKILL).ok());
  EXPECT_EQ((*child)->wait(Deadline::never())->code, 128 + SIGKILL);
}

TEST_F(ProcessTest, RunKillsAtTheDeadline) {
  const auto exit = processes_->run(shell("exec tail -f /dev/null"), Deadline{clock_->mono()});
  EXPECT_TRUE(exit.is(Errc::kCancelled));
}

TEST_F(ProcessTest, DestructionKillsTheChildAndItsChildren) {
  const std::string pid_file = (scratch_.path() / "grandchild").native();
  int child_pid = 0;
  {
    auto child = processes_->start(shell("tail -f /dev/null > /dev/null 2>&1 & echo $! > '" + pid_file +
                                         ".new'; mv '" + pid_file + ".new' '" + pid_file + "'; wait"));
    ASSERT_TRUE(child.ok());
    child_pid = (*child)->pid();
    while (!*exists(*fs_, pid_file)) clock_->pause(1ms);
  }
  EXPECT_FALSE(process_exists(child_pid));
  const int grandchild = std::stoi(std::string(as_text(*read_file(*fs_, pid_file, 20))));
  const Deadline deadline = clock_->after(10s);  // whoever inherits it may need a moment to reap it
  while (is_running(grandchild) && !deadline.passed(clock_->mono())) clock_->pause(1ms);
  EXPECT_FALSE(is_running(grandchild));
}

TEST_F(ProcessTest, AGrandchildThatHoldsTheOutputOpenDelaysNobody) {
  auto child = processes_->start(shell("tail -f /dev/null & echo $!"));
  ASSERT_TRUE(child.ok());
  const auto exit = (*child)->wait(Deadline::never());
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(::kill(std::stoi(exit->output), SIGKILL), 0);
}

TEST_F(ProcessTest, AFinishedProcessAnswersAgainAndTakesNoSignal) {
  auto child = processes_->start(shell("echo once; exit 3"));
  ASSERT_TRUE(child.ok());
  EXPECT_EQ((*child)->wait(Deadline::never())->code, 3);
  EXPECT_EQ((*child)->wait(Deadline{clock_->mono()})->output, "once\n");
  EXPECT_TRUE((*child)->signal(SIGTERM).is(Errc::kFailed));
}

TEST_F(ProcessTest, ManyChildrenAtOnceAreIndependent) {
  std::vector<std::unique_ptr<Process>> children;
  for (int code = 0; code < 10; ++code)
    children.push_back(*processes_->start(shell("exit " + std::to_string(code))));
  for (int code = 9; code >= 0; --code) EXPECT_EQ(children[code]->wait(Deadline::never())->code, code);
}

}  // namespace
}  // namespace daruma
