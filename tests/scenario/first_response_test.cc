// What whoever is there first types, on real services under real shims: `daruma service` by hand, and
// `daruma look`, with what is down, hanging or well.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "base/value.h"
#include "os/files.h"
#include "os/process_table.h"
#include "os/scratch_dir.h"
#include "runtime/leftovers.h"
#include "runtime/service_folder.h"
#include "support/caretaker.h"
#include "support/free_port.h"
#include "support/postgres_server.h"

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
  // A service that is ended after the test.
  void keep(const std::string& name) { names_.push_back(name); }
  Said daruma(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), DARUMA_PROGRAM);
    const Command command{
        .argv = arguments, .environment = {{"LC_ALL", "C.UTF-8"}}, .working_directory = scratch_.path()};
    const auto ended = processes_->run(command, clock_->after(1min));
    EXPECT_TRUE(ended.ok());
    return ended.ok() ? Said{ended->code, ended->output} : Said{};
  }
  int pid_of(const std::string& name) {
    return runtime::read_record(scratch_.fs(), {state() / "services" / name})->mains.at(0).pid;
  }

  ScratchDir scratch_;
  Caretaker caretaker_{scratch_.path()};
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  std::vector<std::string> names_;
};

TEST_F(FirstResponse, AServiceIsStartedScaledReadAndStoppedByHand) {
  configure("services:\n  jobs: {runtime: process, command: [sh, -c, 'echo ready; exec sleep 600']}\n");
  keep("jobs");
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

// Two services of the kit with health checks, one of which needs the other.
class FirstLook : public FirstResponse {
 protected:
  FirstLook() {
    add("auth", "");
    add("gateway", "needs: [auth], ");
    configure(services_);
  }
  void add(const std::string& name, const std::string& more) {
    const uint16_t port = free_port();
    services_ += fmt::format(
        "  {0}: {{runtime: process, command: ['{1}'], {2}environment: {{SAMPLE_PORT: '{3}'}},"
        " health: {{http: 'http://127.0.0.1:{3}/health'}}}}\n",
        name, SAMPLE_SERVICE, more, port);
    keep(name);
  }
  // Returns when all are well.
  void start_all() {
    for (const std::string& name : names_) ASSERT_EQ(daruma({"service", "start", name}).code, 0);
    const Deadline patience = clock_->after(30s);
    while (!all_well() && !patience.passed(clock_->mono())) {
    }
    ASSERT_TRUE(all_well());
  }
  bool all_well() {
    const auto seen = parse_json(daruma({"look", "--json"}).text);
    const Value* well = seen.ok() ? seen->find("well") : nullptr;
    return well && std::ranges::all_of(names_, [&](const std::string& name) {
             return std::ranges::find(*well->list(), Value(name)) != well->list()->end();
           });
  }
  Value look() {
    const Said said = daruma({"look", "--json"});
    EXPECT_EQ(said.code, 1) << said.text;
    const auto value = parse_json(said.text);
    EXPECT_TRUE(value.ok()) << said.text;
    return value.ok() ? *value : Value();
  }
  static std::string next(const Value& seen) {
    const Value* next = seen.find("next");
    const Value* commands = next ? next->find("commands") : nullptr;
    return commands && commands->list() && !commands->list()->empty() ? to_text(commands->list()->front())
                                                                      : "";
  }
  static std::string what(const Value& seen, const std::string& subject) {
    for (const Value& finding : *seen.find("findings")->list())
      if (finding.text_at("subject") == subject)
        return finding.text_at("severity") + " " + finding.find("what")->text_at("en");
    return "well";
  }
  // Every file there is.
  std::string files() {
    std::string out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path()))
      out += entry.path().string() + "\n";
    return out;
  }

  std::string services_ = "services:\n";
};

// Whether the disk of the machine that runs the test is nearly full is none of the test's business.
TEST_F(FirstLook, WhereEverythingRunsNothingIsDown) {
  start_all();
  const Said said = daruma({"look"});
  EXPECT_EQ(said.text.find("✗"), std::string::npos) << said.text;
  EXPECT_THAT(said.text, HasSubstr("well: auth, gateway"));
  EXPECT_EQ(said.code == 0, said.text.starts_with("all is well")) << said.text;
}

TEST_F(FirstLook, ADeadServiceIsNamedWithTheCommandThatStartsIt) {
  start_all();
  ASSERT_EQ(daruma({"service", "stop", "auth"}).code, 0);
  const Value seen = look();
  EXPECT_EQ(seen.text_at("root"), "auth");
  EXPECT_THAT(what(seen, "auth"), HasSubstr("down stopped"));
  EXPECT_EQ(what(seen, "gateway"), "well");
  EXPECT_EQ(next(seen), "daruma service start auth");
}

TEST_F(FirstLook, ASystemThatNeverStartedIsSeenWithoutMakingAnything) {
  const std::string before = files();
  const Value seen = look();
  EXPECT_EQ(seen.text_at("root"), "auth");
  EXPECT_EQ(files(), before);
}

TEST_F(FirstLook, AServiceThatHangsIsDownThoughItRuns) {
  start_all();
  const int pid = pid_of("gateway");
  std::vector<ProcessInfo> stopped = descendants_of(pid, all_processes());
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  for (const ProcessInfo& child : stopped) send_signal(child.id, SIGSTOP);
  const Value seen = look();
  EXPECT_THAT(what(seen, "gateway"), HasSubstr("down runs, but does not answer"));
  EXPECT_EQ(next(seen), "daruma service restart gateway");
  ::kill(pid, SIGCONT);
  for (const ProcessInfo& child : stopped) send_signal(child.id, SIGCONT);
}

TEST_F(FirstLook, ThePlanThatDetectsItIsTheNextCommand) {
  write("auth-down.yaml",
        "plan: auth-down\n"
        "title: {en: Auth is down, ja: 認証サービス停止}\n"
        "scheme: microservices\nlevel: 1\n"
        "impact: {en: no new log-in, ja: 新規ログインができません}\n"
        "detect: [{probe: auth}]\n"
        "steps:\n  restart: {do: service.restart, with: {service: auth}}\n");
  configure(services_ + "plans: [auth-down.yaml]\n");
  start_all();
  ASSERT_EQ(daruma({"service", "stop", "auth"}).code, 0);
  const Said said = daruma({"look", "-c", "daruma.yaml"});
  EXPECT_THAT(said.text, HasSubstr("daruma recover auth-down -c "));
  EXPECT_THAT(said.text, HasSubstr("Level 1 (microservices): one component is affected"));
  EXPECT_THAT(said.text, HasSubstr("no new log-in"));
}

TEST_F(FirstLook, ADeadDatabaseIsTheRootOfWhatNeedsIt) {
  PostgresServer server({.tcp = true});
  server.start();
  const auto at = server.tcp_settings();
  const std::string datastores = fmt::format(
      "datastores:\n  users-db:\n    kind: postgres\n    connection:"
      " {{host: {}, port: {}, user: postgres, dbname: postgres}}\n    snapshots: {{}}\n",
      at.host, at.port);
  services_ +=
      "  reports: {runtime: process, command: [sleep, '600'], needs: [users-db],"
      " health: {datastore: users-db}}\n";
  keep("reports");
  configure(datastores + services_);
  start_all();
  server.kill9();
  const Value seen = look();
  EXPECT_EQ(seen.text_at("root"), "users-db");
  EXPECT_THAT(what(seen, "users-db"), HasSubstr("down does not answer"));
  EXPECT_THAT(what(seen, "reports"), HasSubstr("down runs, but does not answer"));
  EXPECT_EQ(seen.find("level")->integer_at("number"), 2);
}

// A pipe that nobody writes into hangs whoever opens it, as a file on a dead network disk does.
TEST_F(FirstLook, AFileThatHangsIsLeftBehindAndSaidSo) {
  const Path pipe = scratch_.path() / "error.log";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  services_.insert(services_.rfind("}}\n") + 1,
                   fmt::format(", logs: {{error: {0}, access: {0}}}", pipe.string()));
  configure(services_);
  const Said said = daruma({"look"});
  EXPECT_EQ(said.code, 1);
  EXPECT_THAT(said.text, HasSubstr("no answer within 4 s"));
  EXPECT_THAT(said.text, HasSubstr("daruma service start auth"));
}

TEST_F(FirstLook, ItSpeaksJapaneseWhereTheTerminalDoes) {
  const Command command{.argv = {DARUMA_PROGRAM, "look"},
                        .environment = {{"LC_ALL", "ja_JP.UTF-8"}},
                        .working_directory = scratch_.path()};
  const auto said = processes_->run(command, clock_->after(1min));
  ASSERT_TRUE(said.ok());
  EXPECT_THAT(said->output, HasSubstr("次の操作"));
  EXPECT_THAT(said->output, HasSubstr("停止・応答なし 2 件"));
}

}  // namespace
}  // namespace daruma
