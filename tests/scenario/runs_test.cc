// Goal: a run of the real program survives whatever happens to it: its engine killed at any moment, its
//       runner killed, a step that does not end or never stops printing, a full disk, a plan edited
//       meanwhile, two who want the same target.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <set>

#include <fmt/format.h>

#include "base/value.h"
#include "os/files.h"
#include "os/process.h"
#include "os/process_table.h"
#include "os/random.h"
#include "os/scratch_dir.h"
#include "os/split_mix.h"
#include "support/small_disk.h"

namespace daruma {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

enum Code { kDone = 0, kFailed = 1, kUsage = 2, kRefused = 3, kWaits = 4 };

class Runs : public testing::Test {
 protected:
  Runs() {
    write("daruma.yaml",
          "state: state\n"
          "repository: {key: {file: none.key}, copies: [{name: here, url: \"file:///nonexistent/daruma\"}]}\n"
          "targets: {production: {}, staging: {}}\n"
          "plans: [plans/*.yaml]\n");
    std::filesystem::create_directory(path("plans"));
    write("plans/story.yaml", R"(plan: story
title: {ja: 物語, en: A story}
steps:
  one:   {do: exec, with: {command: [sh, -c, "echo one >>done; sleep 0.2"], directory: ., after_crash: ask}}
  two:
    do: exec
    with: {command: [sh, -c, "echo two >>done; sleep 0.2"], directory: ., after_crash: ask}
    needs: [one]
  three:
    do: exec
    with: {command: [sh, -c, "echo three >>done; sleep 0.2"], directory: ., after_crash: ask}
    needs: [two]
finish: {report: true}
)");
  }

  Path path(const std::string& name) const { return scratch_.path() / name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }
  std::string text_of(const Path& file) const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void plan(const std::string& name, const std::string& steps) const {
    write("plans/" + name + ".yaml",
          fmt::format("plan: {}\ntitle: {{ja: 題, en: A title}}\nsteps:\n{}finish: {{report: false}}\n", name,
                      steps));
  }

  Command command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), DARUMA_PROGRAM);
    return {.argv = std::move(arguments),
            .environment = {{"LANG", "C"}, {"A_SECRET", "tr0ub4dor&3"}},
            .working_directory = scratch_.path()};
  }
  std::unique_ptr<Process> start(std::vector<std::string> arguments) const {
    return *processes_->start(command(std::move(arguments)));
  }
  ProcessExit run(std::vector<std::string> arguments) const {
    return *processes_->run(command(std::move(arguments)), clock_->after(2min));
  }
  Value run_json(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    const ProcessExit exit = run(std::move(arguments));
    auto value = parse_json(exit.output);
    EXPECT_TRUE(value.ok()) << exit.output;
    return value.ok() ? *value : Value();
  }
  // The newest run's id; "" while there is none.
  std::string newest() const {
    const Value all = run_json({"runs"});
    const Value* runs = all.find("runs");
    return runs && runs->list() && !runs->list()->empty() ? runs->list()->front().text_at("run") : "";
  }
  std::string state_of(const std::string& id) const { return run_json({"runs", id}).text_at("state"); }
  void wait_until(const std::string& what, const std::function<bool()>& holds) const {
    const Deadline deadline = clock_->after(1min);
    while (!holds()) {
      ASSERT_FALSE(deadline.passed(clock_->mono())) << "waited a minute for: " << what;
      clock_->pause(5ms);
    }
  }
  Path attempt(const std::string& id, const std::string& name) const {
    return path("state/runs") / id / name;
  }
  static ProcessId id_of(const Value& value) {
    return {static_cast<int>(value.integer_at("pid")),
            static_cast<uint64_t>(value.integer_at("start_ticks"))};
  }
  Value file_value(const Path& file) const {
    const auto value = parse_json(text_of(file));
    return value.ok() ? *value : Value();
  }

  void expect_nowhere_in_state(const std::string& secret) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path("state")))
      if (entry.is_regular_file()) {
        EXPECT_THAT(text_of(entry.path()), Not(HasSubstr(secret))) << entry.path();
      }
  }

  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  ScratchDir scratch_;
};

TEST_F(Runs, APlanIsCarriedOutAndItsReportWritten) {
  const ProcessExit exit = run({"recover", "story", "--yes"});
  EXPECT_EQ(exit.code, kDone) << exit.output;
  EXPECT_EQ(text_of(path("done")), "one\ntwo\nthree\n");
  size_t reports = 0;
  for (const auto& entry : std::filesystem::directory_iterator(attempt(newest(), "report"))) {
    ++reports;
    EXPECT_THAT(text_of(entry.path()), HasSubstr(newest())) << entry.path();
  }
  EXPECT_EQ(reports, 4u);
}

TEST_F(Runs, AnEngineKilledAtAnyMomentLosesNothingAndRepeatsNothing) {
  SplitMix random(static_cast<uint64_t>(::getpid()));
  const char* wanted = std::getenv("DARUMA_RUN_KILLS");
  const int kills = wanted ? std::stoi(wanted) : 6;
  for (int i = 0; i < kills; ++i) {
    std::filesystem::remove(path("done"));
    const std::string before = newest();
    auto engine = start({"recover", "story", "--yes"});
    const auto patience = std::chrono::milliseconds(50 + random.below(1500));
    const auto early = engine->wait(clock_->after(patience));
    engine.reset();  // SIGKILL
    if (early.ok()) continue;
    const std::string id = newest();
    if (id == before) continue;  // killed before the run was there: nothing happened
    const ProcessExit resumed = run({"resume", id, "--yes"});
    EXPECT_EQ(resumed.code, kDone) << "after " << patience.count() << " ms: " << resumed.output;
    EXPECT_EQ(text_of(path("done")), "one\ntwo\nthree\n") << "after " << patience.count() << " ms";
  }
}

TEST_F(Runs, AStepWhoseRunnerWasKilledIsUnknownAndAPersonIsAsked) {
  plan("long", "  act: {do: exec, with: {command: [sleep, \"600\"], after_crash: ask}, timeout: 20m}\n");
  auto engine = start({"recover", "long", "--yes", "--no-wait"});
  wait_until("the step acts", [&] {
    return !newest().empty() && std::filesystem::exists(attempt(newest(), "act.1") / "worker.json");
  });
  const std::string id = newest();
  const Value runner = file_value(attempt(id, "act.1") / "started.json");
  const Value worker = file_value(attempt(id, "act.1") / "worker.json");
  ASSERT_TRUE(send_signal(id_of(runner), SIGKILL));
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, kWaits) << exit->output;
  EXPECT_THAT(exit->output, HasSubstr("did 'act' happen?"));
  EXPECT_FALSE(is_running(
      {static_cast<int>(worker.integer_at("pid")), static_cast<uint64_t>(worker.integer_at("start_ticks"))}))
      << "what acted must not act on";
  EXPECT_EQ(run({"approve", id, "act"}).code, kDone);
  EXPECT_EQ(run({"resume", id}).code, kDone);
}

TEST_F(Runs, AnActKilledInItsMiddleIsUnknownAndNotRepeated) {
  plan("pays",
       "  pay:\n"
       "    do: exec\n"
       "    with: {command: [sh, -c, \"echo PAID >>paid; exec sleep 600\"], directory: .}\n"
       "    retry: {times: 2}\n"
       "    timeout: 20m\n");
  auto engine = start({"recover", "pays", "--yes", "--no-wait"});
  wait_until("it has paid", [&] { return std::filesystem::exists(path("paid")); });
  const std::string id = newest();
  ASSERT_TRUE(send_signal(id_of(file_value(attempt(id, "pay.1") / "worker.json")), SIGKILL));
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, kWaits) << exit->output;
  EXPECT_THAT(exit->output,
              AllOf(HasSubstr("its process was ended by signal 9"), HasSubstr("did 'pay' happen?")));
  EXPECT_EQ(text_of(path("paid")), "PAID\n");
  EXPECT_EQ(run({"approve", id, "pay"}).code, kDone);
  EXPECT_EQ(run({"resume", id}).code, kDone);
  EXPECT_EQ(text_of(path("paid")), "PAID\n");
}

TEST_F(Runs, AnActWhoseProgramWasKilledOrThatWasTooLateIsNotRepeatedUnasked) {
  plan("killed",
       "  pay: {do: exec, with: {command: [sh, -c, \"echo PAID >>paid; kill -9 $$$$\"], directory: .}, "
       "retry: {times: 2}}\n");
  plan("late",
       "  pay: {do: exec, with: {command: [sh, -c, \"echo PAID >>paid; exec sleep 600\"], directory: .}, "
       "retry: {times: 2}, timeout: 1s}\n");
  for (const std::string name : {"killed", "late"}) {
    std::filesystem::remove(path("paid"));
    const ProcessExit exit = run({"recover", name, "--yes", "--no-wait"});
    EXPECT_EQ(exit.code, kWaits) << exit.output;
    EXPECT_THAT(exit.output, HasSubstr("did 'pay' happen?"));
    EXPECT_EQ(text_of(path("paid")), "PAID\n") << name;
    EXPECT_EQ(run({"abort", newest(), "--reason", "test"}).code, kDone);
    EXPECT_EQ(run({"resume", newest()}).code, kFailed);
  }
}

TEST_F(Runs, WhatMayActAgainSimplyDoesWhenItIsKilled) {
  plan("again",
       "  act: {do: exec, with: {command: [sh, -c, \"echo once >>done; exec sleep 600\"], directory: ., "
       "after_crash: again}, retry: {times: 1}, timeout: 1s}\n");
  const ProcessExit exit = run({"recover", "again", "--yes", "--no-wait"});
  EXPECT_EQ(exit.code, kFailed) << exit.output;
  EXPECT_EQ(text_of(path("done")), "once\nonce\n");
}

TEST_F(Runs, ASecondOneOnTheSameTargetIsRefusedWithWhoHoldsIt) {
  plan("waits",
       "  gate: {do: approve, with: {question: go on}}\n  act: {do: exec, with: {command: [\"true\"]}, "
       "needs: [gate]}\n");
  EXPECT_EQ(run({"recover", "waits", "--no-wait"}).code, kWaits);
  const std::string first = newest();
  const ProcessExit second = run({"recover", "story", "--yes"});
  EXPECT_EQ(second.code, kRefused);
  EXPECT_THAT(second.output,
              AllOf(HasSubstr("production is held by run " + first), HasSubstr("daruma resume " + first)));
  EXPECT_EQ(run({"recover", "story", "--yes", "--target", "staging"}).code, kDone)
      << "another target is another matter";
  EXPECT_EQ(run({"abort", first, "--reason", "test"}).code, kDone);
  EXPECT_EQ(run({"resume", first}).code, kFailed);
  EXPECT_EQ(run({"recover", "story", "--yes"}).code, kDone);
}

TEST_F(Runs, ARunThatIsCarriedOutCannotBeCarriedOutTwice) {
  plan("long", "  act: {do: exec, with: {command: [sleep, \"600\"]}, timeout: 20m}\n");
  auto engine = start({"recover", "long", "--yes"});
  wait_until("the step acts", [&] {
    return !newest().empty() && std::filesystem::exists(attempt(newest(), "act.1") / "worker.json");
  });
  const ProcessExit second = run({"resume", newest()});
  EXPECT_EQ(second.code, kRefused);
  EXPECT_THAT(second.output, AllOf(HasSubstr("is being carried out by another daruma"),
                                   HasSubstr(fmt::format("process {} of ", engine->pid())),
                                   HasSubstr(fmt::format("if process {0} hangs: kill -9 {0}", engine->pid())),
                                   HasSubstr("then daruma resume " + newest())));
  EXPECT_EQ(run({"abort", newest(), "--reason", "enough"}).code, kDone);
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, kFailed);
  EXPECT_EQ(state_of(newest()), "aborted");
}

TEST_F(Runs, WhoStartedItCannotBeTheSecondPersonAndTheKernelSaysWhoIs) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can be two people here";
  write("daruma.yaml",
        "state: state\n"
        "repository: {key: {file: none.key}, copies: [{name: here, url: \"file:///nonexistent/daruma\"}]}\n"
        "targets: {production: {approval: {by_starter: false}}}\n"
        "plans: [plans/*.yaml]\n");
  plan("two",
       "  gate: {do: approve, with: {question: \"go on?\"}}\n"
       "  act: {do: exec, with: {command: [touch, acted], directory: .}, needs: [gate]}\n");
  std::filesystem::copy_file(DARUMA_PROGRAM, path("daruma"));
  for (const Path& open : {scratch_.path(), path("daruma")})
    std::filesystem::permissions(open, std::filesystem::perms(0755));
  auto engine = start({"recover", "two", "--yes"});
  wait_until("the gate is reached",
             [&] { return !newest().empty() && state_of(newest()) == "waits for a person"; });
  const std::string id = newest();
  EXPECT_THAT(run({"approve", id, "gate"}).output, HasSubstr("root cannot be the second person"));
  const ProcessExit other = *processes_->run(
      {.argv = {"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", path("daruma").string(),
                "-c", path("daruma.yaml").string(), "approve", id, "gate"}},
      clock_->after(1min));
  EXPECT_EQ(other.code, kDone) << other.output;
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, kDone) << exit->output;
  EXPECT_THAT(exit->output, HasSubstr("postgres approves gate"));
  EXPECT_TRUE(std::filesystem::exists(path("acted")));
}

TEST_F(Runs, AStepThatIgnoresTermIsEndedAtItsDeadline) {
  plan("deaf",
       "  act: {do: exec, with: {command: [sh, -c, \"trap '' TERM; echo $$$$ >pid; while :; do sleep 1; "
       "done\"], directory: .}, timeout: 1s}\n");
  const ProcessExit exit = run({"recover", "deaf", "--yes"});
  EXPECT_EQ(exit.code, kFailed);
  // The step sees its deadline, or who started the step does: whoever is first.
  EXPECT_THAT(exit.output,
              AnyOf(HasSubstr("still running at its deadline"), HasSubstr("did not end within")));
  EXPECT_FALSE(process_info(std::stoi(text_of(path("pid"))))) << "it must be gone";
}

TEST_F(Runs, AGigabyteOfOutputIsCutAndFillsNothing) {
  plan("loud", "  act: {do: exec, with: {command: [head, -c, \"1073741824\", /dev/zero]}, timeout: 5m}\n");
  const ProcessExit exit = run({"recover", "loud", "--yes"});
  EXPECT_EQ(exit.code, kDone) << exit.output;
  EXPECT_LT(std::filesystem::file_size(attempt(newest(), "act.1") / "output"), 9u << 20);
}

TEST_F(Runs, ASecretNeverReachesTheDisk) {
  plan("tells",
       "  act: {do: exec, with: {command: [sh, -c, \"echo the password is $$TOLD\"], environment: {TOLD: "
       "{env: A_SECRET}}}}\n"
       "  give:\n"
       "    do: exec\n"
       "    with: {command: [sh, -c, \"echo $$TOLD; echo $$TOLD | base64\"], capture: true, "
       "environment: {TOLD: {env: A_SECRET}}}\n");
  EXPECT_EQ(run({"recover", "tells", "--yes"}).code, kDone);
  EXPECT_THAT(text_of(attempt(newest(), "act.1") / "output"), HasSubstr("the password is [secret]"));
  EXPECT_THAT(text_of(attempt(newest(), "give.1") / "answer.json"), HasSubstr("[secret]"));
  expect_nowhere_in_state("tr0ub4dor");
  expect_nowhere_in_state("dHIwdWI0ZG9y");
}

TEST_F(Runs, NothingActsOnAnOutputOutOfWhichASecretWasTaken) {
  plan("passes",
       "  ask: {do: exec.observe, with: {command: [sh, -c, \"echo $$TOLD\"], capture: true, environment: "
       "{TOLD: {env: A_SECRET}}}}\n"
       "  use: {do: exec, with: {command: [touch, $steps.ask.output], directory: .}}\n");
  const ProcessExit exit = run({"recover", "passes", "--yes"});
  EXPECT_EQ(exit.code, kFailed);
  EXPECT_THAT(exit.output, AllOf(HasSubstr("a secret was taken out"), HasSubstr("{env: NAME}")));
  EXPECT_FALSE(std::filesystem::exists(path("[secret]")));
  EXPECT_FALSE(std::filesystem::exists(attempt(newest(), "use.1"))) << "it never began";
  expect_nowhere_in_state("tr0ub4dor");
}

TEST_F(Runs, APlanEditedMeanwhileChangesNothingOfItsRun) {
  plan("edited",
       "  gate: {do: approve, with: {question: go on}}\n  act: {do: exec, with: {command: [touch, first], "
       "directory: .}, needs: [gate]}\n");
  EXPECT_EQ(run({"recover", "edited", "--no-wait"}).code, kWaits);
  const std::string id = newest();
  plan("edited", "  act: {do: exec, with: {command: [touch, second], directory: .}}\n");
  EXPECT_EQ(run({"approve", id, "gate"}).code, kDone);
  EXPECT_EQ(run({"resume", id}).code, kDone);
  EXPECT_TRUE(std::filesystem::exists(path("first")));
  EXPECT_FALSE(std::filesystem::exists(path("second")));
}

TEST_F(Runs, AConfigurationEditedMeanwhileChangesNothingOfItsRun) {
  const auto configured = [&](const std::string& name) {
    write("daruma.yaml", fmt::format("state: state\n"
                                     "repository: {{key: {{file: none.key}}, copies: [{{name: here, url: "
                                     "\"file:///nonexistent/daruma\"}}]}}\n"
                                     "channels: {{ops: {{kind: command, command: [touch, \"{}\"]}}}}\n"
                                     "plans: [plans/*.yaml]\n",
                                     path(name).string()));
  };
  configured("first");
  plan("tells",
       "  gate: {do: approve, with: {question: go on}}\n"
       "  tell: {do: notify, with: {channels: [ops], title: hello}, needs: [gate]}\n");
  EXPECT_EQ(run({"recover", "tells", "--no-wait"}).code, kWaits);
  const std::string id = newest();
  EXPECT_EQ(run({"approve", id, "gate"}).code, kDone);
  configured("second");
  const ProcessExit exit = run({"resume", id});
  EXPECT_EQ(exit.code, kDone) << exit.output;
  EXPECT_THAT(exit.output, HasSubstr("daruma.yaml is not what this run began with"));
  EXPECT_TRUE(std::filesystem::exists(path("first"))) << "what was agreed to";
  EXPECT_FALSE(std::filesystem::exists(path("second")));
}

TEST_F(Runs, AConfigurationBrokenMeanwhileBreaksNoStep) {
  plan("goes",
       "  wait: {do: exec, with: {command: [sh, -c, \"touch waits; until [ -e go ]; do sleep 0.02; done\"], "
       "directory: .}}\n"
       "  act: {do: exec, with: {command: [touch, acted], directory: .}, needs: [wait]}\n");
  auto engine = start({"recover", "goes", "--yes"});
  wait_until("the first step acts", [&] { return std::filesystem::exists(path("waits")); });
  write("daruma.yaml", "state: {{{\n");
  write("go", "");
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, kDone) << exit->output;
  EXPECT_TRUE(std::filesystem::exists(path("acted")));
}

TEST_F(Runs, ACopyOfTheConfigurationThatWasTouchedIsNotActedBy) {
  plan("goes",
       "  gate: {do: approve, with: {question: go on}}\n"
       "  act: {do: exec, with: {command: [touch, acted], directory: .}, needs: [gate]}\n");
  EXPECT_EQ(run({"recover", "goes", "--no-wait"}).code, kWaits);
  const std::string id = newest();
  std::ofstream(attempt(id, "config.yaml"), std::ios::app) << "\n";
  const ProcessExit exit = run({"resume", id, "--yes"});
  EXPECT_NE(exit.code, kDone);
  EXPECT_THAT(exit.output, HasSubstr("is not what the run began with"));
  EXPECT_FALSE(std::filesystem::exists(path("acted")));
}

TEST_F(Runs, WhatCouldNotBeUndoneIsToldEverywhere) {
  write("plans/stuck.yaml",
        "plan: stuck\ntitle: {ja: 題, en: A title}\nsteps:\n"
        "  one: {do: exec, with: {command: [\"true\"]}, undo: {do: exec, with: {command: [\"false\"]}}}\n"
        "  two: {do: exec, with: {command: [\"false\"]}, needs: [one], on_failure: undo}\n"
        "finish: {report: true}\n");
  const ProcessExit exit = run({"recover", "stuck", "--yes"});
  EXPECT_EQ(exit.code, kFailed);
  const std::string said = "something remains: step 'one' could not be undone: false ended with exit code 1";
  EXPECT_THAT(exit.output,
              AllOf(HasSubstr("not undone: one"), HasSubstr(said), Not(HasSubstr(" undone: one\n"))));
  EXPECT_THAT(run({"runs"}).output, HasSubstr("failed, something remains"));
  EXPECT_THAT(run({"runs", newest()}).output, AllOf(HasSubstr("not undone: "), HasSubstr(said)));
  size_t telling = 0;
  for (const auto& entry : std::filesystem::directory_iterator(attempt(newest(), "report")))
    telling += text_of(entry.path()).find("could not be undone, and remains") != std::string::npos;
  EXPECT_GT(telling, 0u);
}

TEST_F(Runs, BreakingTheGlassIsAlarmedWhetherOrNotItsRunIsCarriedOut) {
  write("daruma.yaml", fmt::format("state: state\n"
                                   "repository: {{key: {{file: none.key}}, copies: [{{name: here, url: "
                                   "\"file:///nonexistent/daruma\"}}]}}\n"
                                   "targets: {{production: {{approval: {{by_starter: false}}}}}}\n"
                                   "channels: {{ops: {{kind: command, command: [tee, -a, \"{}\"]}}}}\n"
                                   "plans: [plans/*.yaml]\n",
                                   path("told").string()));
  plan("two",
       "  gate: {do: approve, with: {question: \"go on?\"}}\n"
       "  act: {do: exec, with: {command: [touch, acted], directory: .}, needs: [gate]}\n");
  EXPECT_EQ(run({"recover", "two", "--no-wait"}).code, kWaits);
  const std::string first = newest();
  EXPECT_EQ(run({"approve", first, "gate", "--break-glass", "--reason", "fire"}).code, kDone);
  EXPECT_THAT(text_of(path("told")),
              AllOf(HasSubstr("broke the glass"), HasSubstr("fire"), HasSubstr(first)));
  EXPECT_EQ(run({"resume", first}).code, kDone);
  std::filesystem::remove(path("told"));
  auto engine = start({"recover", "two"});
  wait_until("the gate is reached", [&] {
    return newest() != first && !newest().empty() && state_of(newest()) == "waits for a person";
  });
  EXPECT_EQ(run({"approve", newest(), "gate", "--break-glass", "--reason", "flood"}).code, kDone);
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_THAT(exit->output, AllOf(HasSubstr("BREAKS THE GLASS for gate"), HasSubstr("ops is told")));
  EXPECT_THAT(text_of(path("told")), HasSubstr("flood"));
}

TEST_F(Runs, BadInputIsRefusedBeforeAnythingIsTouched) {
  EXPECT_THAT(run({"recover", "stroy"}).output, HasSubstr("did you mean 'story'?"));
  EXPECT_THAT(run({"recover", "story", "--param", "colour=red"}).output, HasSubstr("colour"));
  EXPECT_THAT(run({"resume", "2020-01-01-story-1"}).output,
              HasSubstr("there is no run '2020-01-01-story-1'"));
  EXPECT_EQ(run({"recover", "story", "--target", "sandbox"}).code, kRefused);
  plan("broken", "  act: {do: no.such.step}\n");
  const ProcessExit broken = run({"recover", "broken", "--yes"});
  EXPECT_EQ(broken.code, kRefused);
  EXPECT_THAT(broken.output, HasSubstr("no.such.step"));
  EXPECT_FALSE(std::filesystem::exists(path("state/runs")) && !std::filesystem::is_empty(path("state/runs")));
}

TEST_F(Runs, AnArgumentThatNamesNothingIsRefusedBeforeTheRunBegins) {
  write("plans/of.yaml",
        "plan: of\ntitle: {ja: 題, en: t}\nparams: {svc: {type: service}, at: {type: time}}\n"
        "steps: {a: {do: exec, with: {command: [echo, $svc, $at]}}}\n");
  const ProcessExit exit =
      run({"recover", "of", "--param", "svc=nosuch", "--param", "at=2026-11-22T10:42:00Z", "--yes"});
  EXPECT_EQ(exit.code, kUsage);
  EXPECT_THAT(exit.output, HasSubstr("parameter 'svc': no service is named 'nosuch'"));
  EXPECT_EQ(newest(), "");
  const ProcessExit paper = run({"plan", "render", "of", "--language", "en"});
  EXPECT_EQ(paper.code, kDone) << paper.output;
  EXPECT_THAT(paper.output, AllOf(HasSubstr("<svc>"), HasSubstr("<at>")));
}

TEST_F(Runs, NothingBeginsOnAJournalThatIsGoneOrDamaged) {
  plan("fails",
       "  a: {do: exec, with: {command: [\"false\"]}}\n  b: {do: exec, with: {command: [ls]}, needs: [a]}\n");
  EXPECT_EQ(run({"recover", "fails", "--yes"}).code, kFailed);
  EXPECT_THAT(run({"runs", newest()}).output, HasSubstr("not run"));
  const std::string bytes = text_of(path("state/journal.db"));
  std::string damaged = bytes;
  damaged[damaged.find("run_created") + 4] ^= 1;
  write("state/journal.db", damaged);
  const ProcessExit on_damaged = run({"recover", "story", "--yes"});
  EXPECT_EQ(on_damaged.code, kRefused) << on_damaged.output;
  std::filesystem::remove(path("state/journal.db"));
  const ProcessExit on_none = run({"recover", "story", "--yes"});
  EXPECT_EQ(on_none.code, kRefused);
  EXPECT_THAT(on_none.output, AllOf(HasSubstr("journal.db is gone"), HasSubstr("mv ")));
  EXPECT_FALSE(std::filesystem::exists(path("done")));
}

TEST_F(Runs, ADryRunDoesNothing) {
  const ProcessExit exit = run({"recover", "story", "--dry-run"});
  EXPECT_EQ(exit.code, kDone);
  EXPECT_THAT(exit.output, AllOf(HasSubstr("DRY RUN"), HasSubstr("nothing was done")));
  EXPECT_FALSE(std::filesystem::exists(path("done")));
  EXPECT_FALSE(std::filesystem::exists(path("state")));
}

TEST_F(Runs, ADryRunSaysWhatIsSkippedAndWhatCouldBeginNow) {
  write("plans/foresee.yaml", R"(plan: foresee
title: {ja: 予見, en: What is foreseen}
params: {last_resort: {type: boolean, default: false}}
preconditions: [{do: exec.observe, with: {command: ["true"]}}, {do: exec.observe, with: {command: ["false"]}}]
steps:
  look: {do: exec.observe, with: {command: ["true"]}, on_failure: continue}
  gone: {do: exec.observe, with: {command: ["true"]}, when: last_resort}
  after: {do: exec.observe, with: {command: ["true"]}, when: steps.gone.succeeded}
  perhaps: {do: exec.observe, with: {command: ["true"]}, when: steps.look.failed}
finish: {report: false}
)");
  const ProcessExit exit = run({"recover", "foresee", "--dry-run"});
  EXPECT_EQ(exit.code, kRefused) << "with an unmet precondition: " << exit.output;
  EXPECT_THAT(exit.output, AllOf(HasSubstr("when last_resort: does not hold, so it is skipped"),
                                 HasSubstr("when steps.gone.succeeded: does not hold"),
                                 HasSubstr("when steps.look.failed: decided when it runs"),
                                 HasSubstr("before the first step: exec.observe: holds now"),
                                 HasSubstr("'exec.observe' is not met"), HasSubstr("could begin now")));
  const Value told = run_json({"recover", "foresee", "--dry-run"});
  const Value::List& steps = *told.find("steps")->list();
  EXPECT_EQ(*steps[0].find("runs"), Value(true));
  EXPECT_EQ(*steps[2].find("runs"), Value(false));
  EXPECT_TRUE(steps[3].find("runs")->is_null());
  EXPECT_FALSE(std::filesystem::exists(path("state")));
}

TEST_F(Runs, ADryRunSaysWhereTheRunWouldFailAndHowLongItUsuallyTakes) {
  plan("ends", "  act: {do: exec.observe, with: {command: [\"true\"]}}\n");
  EXPECT_THAT(run({"recover", "ends", "--dry-run"}).output, HasSubstr("no basis for a forecast"));
  EXPECT_EQ(run({"recover", "ends"}).code, kDone);
  EXPECT_THAT(run({"recover", "ends", "--dry-run"}).output, HasSubstr("takes about"));

  plan("cannot", "  act: {do: exec.observe, with: {command: [no-such-program]}}\n");
  const ProcessExit exit = run({"recover", "cannot", "--dry-run"});
  EXPECT_EQ(exit.code, kRefused) << exit.output;
  EXPECT_THAT(exit.output, HasSubstr("as things are, the run would fail at: act"));
}

TEST_F(Runs, VerifyHoldsTheJournalToItsHashesAndToWhatTheRepositoryKnowsOfIt) {
  write("daruma.yaml", fmt::format("state: state\n"
                                   "repository: {{key: {{file: daruma.key}}, copies: [{{name: here, url: "
                                   "\"file://{}\"}}]}}\n"
                                   "targets: {{production: {{}}}}\nplans: [plans/*.yaml]\n",
                                   path("repository").string()));
  ASSERT_EQ(run({"init"}).code, kDone);
  plan("harmless", "  act: {do: exec.observe, with: {command: [\"true\"]}}\n");
  plan("destroys",
       "  act: {do: exec.destroy, with: {command: [\"true\"]}, approve: {question: {ja: 可, en: Really}}}\n");
  ASSERT_EQ(run({"recover", "harmless"}).code, kDone);
  EXPECT_THAT(run({"verify"}).output, HasSubstr("nothing was anchored"));
  const std::string before = text_of(path("state/journal.db"));
  ASSERT_EQ(run({"recover", "destroys", "--yes"}).code, kDone);
  const std::string whole = text_of(path("state/journal.db"));

  const ProcessExit good = run({"verify"});
  EXPECT_EQ(good.code, kDone) << good.output;
  EXPECT_THAT(good.output, HasSubstr("the repository vouches for its first"));

  write("state/journal.db", before);
  const ProcessExit cut = run({"verify"});
  EXPECT_EQ(cut.code, kFailed) << "the end was cut off: " << cut.output;

  std::string changed = whole;
  changed[changed.find("A title")] = 'B';
  write("state/journal.db", changed);
  const ProcessExit wrong = run({"verify"});
  EXPECT_EQ(wrong.code, kFailed);
  EXPECT_THAT(wrong.output, HasSubstr("is not what was written"));
}

TEST_F(Runs, WithTheJournalsDiskFullNothingBegins) {
  if (!SmallDisk::possible()) GTEST_SKIP() << "only root may mount a small file system here";
  std::filesystem::create_directory(path("state"));
  SmallDisk disk(path("state"), 4);
  EXPECT_EQ(run({"recover", "story", "--no-wait", "--target", "staging", "--yes"}).code, kDone);
  std::filesystem::remove(path("done"));
  disk.resize_kib(disk.used_kib() + 4);
  const ProcessExit exit = run({"recover", "story", "--yes"});
  EXPECT_NE(exit.code, kDone);
  EXPECT_THAT(exit.output, HasSubstr("disk"));
  EXPECT_FALSE(std::filesystem::exists(path("done"))) << "no effect without its intent on the disk";
}

TEST_F(Runs, WhileEverythingIsHaltedNothingChanges) {
  EXPECT_EQ(run({"halt"}).code, kUsage) << "a reason is asked for";
  EXPECT_EQ(run({"halt", "--reason", "who is doing this?"}).code, kDone);
  auto engine = start({"recover", "story", "--yes"});
  wait_until("the run is there", [&] { return !newest().empty(); });
  EXPECT_FALSE(std::filesystem::exists(path("done")));
  EXPECT_EQ(run({"halt", "--release"}).code, kDone);
  const auto exit = engine->wait(clock_->after(1min));
  ASSERT_TRUE(exit.ok());
  EXPECT_EQ(exit->code, kDone) << exit->output;
  EXPECT_THAT(exit->output, HasSubstr("who is doing this?"));
}

// --- what `daruma serve` does about a run that was cut off

class ServedRuns : public Runs {
 protected:
  ServedRuns() {
    write("daruma.yaml",
          fmt::format("state: state\n"
                      "repository: {{key: {{file: k.key}}, copies: [{{name: here, url: \"file://{}\"}}]}}\n"
                      "datastores:\n"
                      "  db: {{kind: postgres, connection: {{host: /nonexistent}}, capture: {{slot: d}}}}\n"
                      "targets: {{production: {{}}}}\n"
                      "plans: [plans/*.yaml]\n",
                      path("repository").string()));
    EXPECT_EQ(run({"init"}).code, kDone);
    std::string steps = "  agreed: {do: approve, with: {question: go on}}\n";
    std::string before = "agreed";
    for (const std::string step : {"one", "two", "three"}) {
      steps += fmt::format(
          "  {0}: {{do: exec, with: {{command: [sh, -c, \"echo {0} >>done; sleep 1\"], directory: ., "
          "after_crash: ask}}, needs: [{1}]}}\n",
          step, before);
      before = step;
    }
    plan("served", steps);
  }
  std::unique_ptr<Process> serve() const {
    Command serving = command({"serve"});
    serving.output = path("serve.log");
    return *processes_->start(serving);
  }
  void wait_for_word(const std::string& word) const {
    wait_until("serve says: " + word,
               [&] { return text_of(path("serve.log")).find(word) != std::string::npos; });
  }
};

TEST_F(ServedRuns, ARunThatWasCutOffIsFinishedWithoutAnybodyTyping) {
  auto engine = start({"recover", "served", "--yes"});
  wait_until("the first step acts", [&] { return std::filesystem::exists(path("done")); });
  engine.reset();  // SIGKILL
  const std::string id = newest();
  const auto serving = serve();
  wait_until("the run has ended", [&] { return state_of(id) == "succeeded"; });
  EXPECT_EQ(text_of(path("done")), "one\ntwo\nthree\n");
  wait_for_word(id + ": recovered");
  EXPECT_THAT(text_of(attempt(id, "resume.log")), HasSubstr("three"));
}

TEST_F(ServedRuns, ARunThatSomebodyLeftIsLeftAloneAndNamed) {
  EXPECT_EQ(run({"recover", "served", "--no-wait"}).code, kWaits);
  const std::string id = newest();
  {
    const auto serving = serve();
    wait_for_word(id + ": stands still: it was left on purpose; go on with it: daruma resume " + id);
  }
  EXPECT_EQ(run({"approve", id, "agreed"}).code, kDone);
  auto engine = start({"resume", id});
  wait_until("the first step acts", [&] { return std::filesystem::exists(path("done")); });
  ASSERT_TRUE(engine->signal(SIGINT).ok());
  EXPECT_EQ(engine->wait(clock_->after(1min))->code, kFailed);
  std::filesystem::remove(path("serve.log"));
  const auto serving = serve();
  wait_for_word(id + ": stands still: it was left on purpose");
  EXPECT_EQ(state_of(id), "stands still");
}

TEST_F(ServedRuns, WhatIsCarriedOutOrHaltedIsLeftAlone) {
  auto engine = start({"recover", "served"});
  wait_until("the gate is reached",
             [&] { return !newest().empty() && state_of(newest()) == "waits for a person"; });
  const std::string id = newest();
  const auto beside = serve();
  wait_for_word("db: ");  // by then it has looked at the runs
  EXPECT_EQ(run({"approve", id, "agreed"}).code, kDone);
  wait_until("the first step acts", [&] { return std::filesystem::exists(path("done")); });
  EXPECT_EQ(run({"halt", "--reason", "look first"}).code, kDone);
  engine.reset();
  EXPECT_THAT(text_of(path("serve.log")), Not(HasSubstr(id)));
  std::filesystem::remove(path("serve.log"));
  ASSERT_TRUE(beside->signal(SIGTERM).ok());
  ASSERT_TRUE(beside->wait(clock_->after(1min)).ok());
  const auto serving = serve();
  wait_for_word(id + ": stands still: halted by");
}

// --- rules that no plan can switch off

class SafetyRules : public Runs {
 protected:
  SafetyRules() {
    write("daruma.yaml",
          "state: state\n"
          "repository: {key: {file: none.key}, copies: [{name: here, url: \"file:///nonexistent/daruma\"}]}\n"
          "datastores: {db: {kind: postgres, connection: {host: /nonexistent}, service: pg, data_directory: "
          "data}}\n"
          "services: {pg: {runtime: process, command: [touch, started], directory: .}}\n"
          "plans: [plans/*.yaml]\n");
    std::filesystem::create_directories(path("data"));
    write("data/PG_VERSION", "15\n");
    std::filesystem::create_directory(path("dumps"));
    write("dumps/all_databases_20261121_030000.sql",
          "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE a;\n\n--\n"
          "-- PostgreSQL database cluster dump complete\n--\n");
  }
  void expect_untouched() const {
    std::set<std::string> here;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.path()))
      here.insert(entry.path().filename());
    EXPECT_THAT(here, testing::IsSubsetOf({"daruma.yaml", "data", "dumps", "plans", "state", "server"}));
    EXPECT_EQ(text_of(path("data/PG_VERSION")), "15\n");
    EXPECT_FALSE(std::filesystem::exists(path("state/services/pg")));
  }
};

TEST_F(SafetyRules, DataWhoseProvenSourceWasLostStaysWhereItIs) {
  plan("careless",
       "  backup: {do: postgres.find_backup, with: {directory: dumps}}\n"
       "  lose:\n"
       "    do: exec\n"
       "    with: {command: [rm, $steps.backup.file]}\n"
       "    approve: {question: {ja: 消す, en: remove it}}\n"
       "  aside: {do: postgres.set_aside, with: {datastore: db}, needs: [lose]}\n");
  const ProcessExit exit = run({"recover", "careless", "--yes"});
  EXPECT_EQ(exit.code, kFailed);
  EXPECT_THAT(exit.output,
              AllOf(HasSubstr("safety rule 'at least one good copy stays'"), HasSubstr("'db'"),
                    HasSubstr("what step 'backup' proved is of no use any more"), HasSubstr("begin anew")));
  EXPECT_FALSE(std::filesystem::exists(attempt(newest(), "aside.1"))) << "it never began";
  expect_untouched();
}

TEST_F(SafetyRules, NoSecondServerOfTheSameDataIsStarted) {
  const auto server = *processes_->start({.argv = {"sleep", "600"}, .working_directory = path("data")});
  write("data/postmaster.pid", fmt::format("{}\n{}\n", server->pid(), path("data").string()));
  plan("again", "  start: {do: service.start, with: {service: pg}}\n");
  const ProcessExit exit = run({"recover", "again", "--yes"});
  EXPECT_EQ(exit.code, kFailed);
  EXPECT_THAT(exit.output,
              AllOf(HasSubstr("safety rule 'never two writers'"),
                    HasSubstr(fmt::format("process {}, which service 'pg' did not start", server->pid())),
                    HasSubstr("pg_ctl stop -D " + path("data").string())));
  const ProcessExit dry = run({"recover", "again", "--dry-run"});
  EXPECT_THAT(dry.output, HasSubstr("not now: safety rule 'never two writers'"));
  plan("more", "  scale: {do: service.scale, with: {service: pg, instances: 2}}\n");
  const ProcessExit more = run({"recover", "more", "--yes"});
  EXPECT_EQ(more.code, kFailed);
  EXPECT_THAT(more.output, HasSubstr("2 instances of service 'pg' would write the data of 'db'"));
  expect_untouched();
}

TEST_F(SafetyRules, AServerThatNobodyCanAskIsNotPromoted) {
  plan("promote",
       "  promote: {do: postgres.promote, with: {datastore: db}, approve: {question: {ja: 昇格, en: "
       "promote}}}\n");
  const ProcessExit exit = run({"recover", "promote", "--yes"});
  EXPECT_EQ(exit.code, kFailed);
  EXPECT_THAT(exit.output,
              AllOf(HasSubstr("safety rule 'never two writers'"), HasSubstr("does not say whom it follows")));
  expect_untouched();
}

}  // namespace
}  // namespace daruma
