// What daruma asks of a person at a real terminal: an approval while the run goes on, and the typed
// confirmation of one given from elsewhere.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/value.h"
#include "os/descriptor.h"
#include "os/files.h"
#include "os/process.h"
#include "os/scratch_dir.h"

namespace daruma {
namespace {

using testing::HasSubstr;
using testing::Not;

// The program with a terminal of its own, and us at its keyboard.
class AtTerminal {
 public:
  // `as`: words before the program, that make somebody else of us.
  AtTerminal(const Path& directory, std::vector<std::string> arguments,
             const std::vector<std::string>& as = {DARUMA_PROGRAM}) {
    keyboard_ = Descriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    DR_CHECK(keyboard_.get() >= 0 && ::grantpt(keyboard_.get()) == 0 && ::unlockpt(keyboard_.get()) == 0);
    const std::string screen = ::ptsname(keyboard_.get());
    arguments.insert(arguments.begin(), as.begin(), as.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    DR_CHECK(pid_ >= 0);
    if (pid_ > 0) return;
    ::setsid();
    const int terminal = ::open(screen.c_str(), O_RDWR);
    ::ioctl(terminal, TIOCSCTTY, 0);
    for (const int descriptor : {0, 1, 2}) ::dup2(terminal, descriptor);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    if (::chdir(directory.c_str()) == 0) ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ~AtTerminal() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;

  // Reads until the screen shows it.
  bool shows(const std::string& words) {
    while (screen_.find(words) == std::string::npos)
      if (!read_more()) return false;
    return true;
  }
  void type(const std::string& line) {
    const std::string keys = line + "\n";
    ASSERT_EQ(::write(keyboard_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  int exit_code() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  const std::string& screen() const { return screen_; }

 private:
  // False: nobody writes any more, or nothing came for a minute.
  bool read_more() {
    pollfd readable{.fd = keyboard_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 60'000) != 1) return false;
    char bytes[4096];
    const ssize_t got = ::read(keyboard_.get(), bytes, sizeof bytes);
    if (got > 0) screen_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  Descriptor keyboard_;
  pid_t pid_ = -1;
  std::string screen_;
};

class Terminal : public testing::Test {
 protected:
  Terminal() {
    write("daruma.yaml",
          "repository: {key: {file: key}, copies: [{name: here, url: 'file:///nowhere/repo'}]}\n"
          "plans: [gate.yaml]\n");
    write(
        "gate.yaml",
        "plan: gate\ntitle: {en: A gate, ja: 門}\nsteps:\n"
        "  gate: {do: approve, with: {question: Shall it go on}}\n"
        "  after: {do: exec, with: {command: [sh, -c, 'echo done > done'], directory: ., after_crash: again},"
        " needs: [gate]}\nfinish: {report: false}\n");
  }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(replace_file(scratch_.fs(), scratch_.path() / name, as_bytes(text)).ok());
  }
  bool done() { return *exists(scratch_.fs(), scratch_.path() / "done"); }
  ProcessExit run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), DARUMA_PROGRAM);
    return *processes_->run({.argv = std::move(arguments), .working_directory = scratch_.path()},
                            clock_->after(1min));
  }
  std::string run_id() {
    const auto runs = parse_json(run({"runs", "--json"}).output);
    return runs->find("runs")->list()->front().text_at("run");
  }

  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
};

TEST_F(Terminal, YesTypedUnderTheQuestionLetsTheRunGoOn) {
  AtTerminal recover(scratch_.path(), {"recover", "gate"});
  ASSERT_TRUE(recover.shows("yes or no")) << recover.screen();
  recover.type("perhaps");
  ASSERT_TRUE(recover.shows("neither yes nor no")) << recover.screen();
  EXPECT_FALSE(done());
  recover.type("yes");
  EXPECT_EQ(recover.exit_code(), 0) << recover.screen();
  EXPECT_TRUE(done());
}

TEST_F(Terminal, ATaskIsAnsweredWhereTheRunIsWatched) {
  write("gate.yaml",
        "plan: gate\ntitle: {en: A task, ja: 作業}\nsteps:\n"
        "  cable: {do: manual, with: {task: Pull the cable}}\n"
        "  switch: {do: manual, with: {task: Turn it off}, needs: [cable]}\nfinish: {report: false}\n");
  AtTerminal recover(scratch_.path(), {"recover", "gate"});
  ASSERT_TRUE(recover.shows("when cable is done")) << recover.screen();
  recover.type("done");
  ASSERT_TRUE(recover.shows("when switch is done")) << recover.screen();
  recover.type("no");
  ASSERT_TRUE(recover.shows("neither done, nor no and why")) << recover.screen();
  recover.type("no it has no power");
  EXPECT_EQ(recover.exit_code(), 1) << recover.screen();
  EXPECT_NE(recover.screen().find("it has no power"), std::string::npos) << recover.screen();
}

TEST_F(Terminal, NoTypedUnderTheQuestionEndsTheRun) {
  AtTerminal recover(scratch_.path(), {"recover", "gate"});
  ASSERT_TRUE(recover.shows("yes or no")) << recover.screen();
  recover.type("no");
  EXPECT_EQ(recover.exit_code(), 1) << recover.screen();
  EXPECT_FALSE(done());
}

TEST_F(Terminal, WhereTheStarterMayNotAgreeNothingIsAskedHere) {
  write("daruma.yaml",
        "repository: {key: {file: key}, copies: [{name: here, url: 'file:///nowhere/repo'}]}\n"
        "targets: {production: {approval: {by_starter: false}}}\nplans: [gate.yaml]\n");
  AtTerminal recover(scratch_.path(), {"recover", "gate", "--no-wait"});
  EXPECT_EQ(recover.exit_code(), 4) << recover.screen();
  EXPECT_THAT(recover.screen(), Not(HasSubstr("yes or no")));
}

TEST_F(Terminal, AnApprovalFromElsewhereIsConfirmedByTheStepsName) {
  ASSERT_EQ(run({"recover", "gate", "--no-wait"}).code, 4);
  const std::string id = run_id();
  AtTerminal hasty(scratch_.path(), {"approve", id, "gate"});
  ASSERT_TRUE(hasty.shows("type the name of the step")) << hasty.screen();
  hasty.type("yes");
  EXPECT_EQ(hasty.exit_code(), 3) << hasty.screen();
  AtTerminal careful(scratch_.path(), {"approve", id, "gate"});
  ASSERT_TRUE(careful.shows("type the name of the step")) << careful.screen();
  careful.type("gate");
  EXPECT_EQ(careful.exit_code(), 0) << careful.screen();
  EXPECT_EQ(run({"resume", id}).code, 0);
  EXPECT_TRUE(done());
}

TEST_F(Terminal, ARunTakenOverAsksAgainWhatWasAskedBefore) {
  ASSERT_EQ(run({"recover", "gate", "--no-wait"}).code, 4);
  AtTerminal resume(scratch_.path(), {"resume", run_id()});
  ASSERT_TRUE(resume.shows("yes or no")) << resume.screen();
  resume.type("yes");
  EXPECT_EQ(resume.exit_code(), 0) << resume.screen();
  EXPECT_TRUE(done());
}

TEST_F(Terminal, YesGivenAtTheTakeOverAnswersWhatWasAskedBefore) {
  ASSERT_EQ(run({"recover", "gate", "--no-wait"}).code, 4);
  const ProcessExit resumed = run({"resume", run_id(), "--yes"});
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_TRUE(done());
}

class SecondPerson : public Terminal {
 protected:
  SecondPerson() {
    std::filesystem::copy_file(DARUMA_PROGRAM, scratch_.path() / "daruma");
    write("gate.yaml",
          "plan: gate\ntitle: {en: A gate, ja: 門}\nsteps:\n"
          "  secret: {do: exec, with: {command: [echo, not for all eyes]}}\n"
          "  gate: {do: exec.destroy, with: {command: [touch, done], directory: ., after_crash: again},"
          " approve: {question: {en: 'Touch ${steps.secret.exit} now', ja: 触れる}}, needs: "
          "[secret]}\nfinish: {report: false}\n");
    policy("groups: [postgres], ");
    for (const char* open : {".", "daruma", "daruma.yaml"})
      std::filesystem::permissions(scratch_.path() / open, std::filesystem::perms(0755));
  }
  void policy(const std::string& more) {
    write(
        "daruma.yaml",
        "state: state\nrepository: {key: {file: key}, copies: [{name: here, url: 'file:///nowhere/repo'}]}\n"
        "targets: {production: {approval: {" +
            more + "by_starter: false}}}\nplans: [gate.yaml]\n");
    std::filesystem::permissions(scratch_.path() / "daruma.yaml", std::filesystem::perms(0644));
  }
  std::vector<std::string> somebody(const std::string& user) const {
    return {"setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups",
            (scratch_.path() / "daruma").string()};
  }
  // The run's id, once the gate is reached.
  std::string reach_gate(AtTerminal& recover) {
    EXPECT_TRUE(recover.shows("daruma approve")) << recover.screen();
    return run_id();
  }
};

TEST_F(SecondPerson, SeesWhatIsAskedAndNothingElseAndApprovesAtATerminal) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can be two people here";
  AtTerminal recover(scratch_.path(), {"recover", "gate"});
  const std::string id = reach_gate(recover);
  AtTerminal look(scratch_.path(), {"runs", id}, somebody("postgres"));
  EXPECT_EQ(look.exit_code(), 0) << look.screen();
  EXPECT_THAT(look.screen(), testing::AllOf(HasSubstr("Touch 0 now"), HasSubstr("exec.destroy"),
                                            HasSubstr("[\"touch\",\"done\"]"), HasSubstr("production"),
                                            Not(HasSubstr("not for all eyes"))));
  AtTerminal approve(scratch_.path(), {"approve", id, "gate"}, somebody("postgres"));
  ASSERT_TRUE(approve.shows("type the name of the step")) << approve.screen();
  EXPECT_THAT(approve.screen(), HasSubstr("Touch 0 now"));
  approve.type("gate");
  EXPECT_EQ(approve.exit_code(), 0) << approve.screen();
  EXPECT_EQ(recover.exit_code(), 0) << recover.screen();
  EXPECT_TRUE(done());
}

TEST_F(SecondPerson, InNoneOfTheGroupsSeesNothing) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can be two people here";
  AtTerminal recover(scratch_.path(), {"recover", "gate"});
  const std::string id = reach_gate(recover);
  AtTerminal look(scratch_.path(), {"runs", id}, somebody("daemon"));
  EXPECT_EQ(look.exit_code(), 3) << look.screen();
  EXPECT_THAT(look.screen(), testing::AllOf(HasSubstr("none of the groups"), Not(HasSubstr("Touch 0 now"))));
}

TEST_F(SecondPerson, IsToldWhoMustGoOnWhereNobodyCarriesTheRunOut) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can be two people here";
  ASSERT_EQ(run({"recover", "gate", "--no-wait"}).code, 4);
  const std::string id = run_id();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"runs", id}, std::vector<std::string>{"approve", id, "gate"}}) {
    AtTerminal other(scratch_.path(), words, somebody("postgres"));
    EXPECT_EQ(other.exit_code(), 3) << other.screen();
    EXPECT_THAT(other.screen(), testing::AllOf(HasSubstr("another user's"), HasSubstr("daruma resume " + id),
                                               Not(HasSubstr("Permission denied"))));
  }
}

}  // namespace
}  // namespace daruma
