// The life of a service: supervisor and workers as processes, their signals, and clients that must not
// notice.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "os/environment.h"
#include "os/process.h"
#include "os/scratch_dir.h"
#include "os/unix_socket.h"
#include "service/test_client.h"
#include "support/free_port.h"

namespace daruma::service {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr Duration kPatience = 60s;

std::string content_of(const Path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

size_t count_of(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// One started instance of the sample service.
class Instance {
 public:
  Instance(const Path& directory, const std::string& name, std::vector<std::string> arguments,
           std::vector<std::pair<std::string, std::string>> environment = {})
      : output_(directory / (name + ".out")) {
    daruma::Command command{.argv = {SAMPLE_SERVICE}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.environment = std::move(environment);
    command.working_directory = directory;
    command.output = output_;
    auto process = processes_->start(command);
    EXPECT_TRUE(process.ok());
    process_ = *std::move(process);
  }

  // The port, when the `generation`-th set of workers (1 is the first) is ready.
  int wait_until_serving(size_t generation = 1) {
    static constexpr std::string_view kMark = "serving on http://127.0.0.1:";
    wait_for([&] { return count_of(output(), kMark) >= generation; }, "serving");
    const std::string text = output();
    return std::stoi(text.substr(text.rfind(kMark) + kMark.size()));
  }
  void wait_for_output(std::string_view part) {
    wait_for([&] { return output().find(part) != std::string::npos; }, part);
  }
  void wait_for(const std::function<bool()>& condition, std::string_view what) {
    const Deadline deadline = clock_->after(kPatience);
    bool holds = condition();
    for (; !holds && !deadline.passed(clock_->mono()); holds = condition()) clock_->pause(2ms);
    ASSERT_TRUE(holds) << "never: " << what << "\n" << output();
  }

  void signal(int number) { EXPECT_TRUE(process_->signal(number).ok()); }
  int exit_code() {
    const auto ended = process_->wait(clock_->after(kPatience));
    EXPECT_TRUE(ended.ok()) << output();
    return ended.ok() ? ended->code : -1;
  }
  int pid() const { return process_->pid(); }
  std::string output() const { return content_of(output_); }

  std::set<int> workers() const {
    std::istringstream text(content_of(fmt::format("/proc/{0}/task/{0}/children", pid())));
    std::set<int> pids;
    for (int child = 0; text >> child;) pids.insert(child);
    return pids;
  }

 private:
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  Path output_;
  std::unique_ptr<Process> process_;
};

// Clients that ask all the time, over connections kept and over fresh ones, until they are told to end;
// what is not answered with 200 is a failure.
class Load {
 public:
  explicit Load(int port) {
    for (int i = 0; i < 2; ++i) {
      threads_.emplace_back([this, port] { ask_over_kept(port); });
      threads_.emplace_back([this, port] { ask_over_fresh(port); });
    }
  }
  ~Load() { end(); }

  // The first few failures, in words.
  std::vector<std::string> end() {
    ending_ = true;
    for (std::thread& thread : threads_)
      if (thread.joinable()) thread.join();
    return failures_;
  }
  size_t answered() const { return answered_; }

 private:
  void ask_over_kept(int port) {
    while (!ending_) {
      TestClient client(port);
      for (bool closing = !client.connected(); !ending_;) {
        if (closing) break;
        const Answer answer = client.get("/hello");
        note(answer, client, "kept");
        closing = answer.status != 200 || answer.header("Connection") == "close";
      }
    }
  }
  void ask_over_fresh(int port) {
    while (!ending_) {
      TestClient client(port);
      client.send("GET /slow?ms=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      note(client.receive(), client, "fresh");
    }
  }
  void note(const Answer& answer, const TestClient& client, const char* kind) {
    if (answer.status == 200) {
      ++answered_;
      return;
    }
    const std::lock_guard lock(mutex_);
    if (failures_.size() < 5)
      failures_.push_back(
          fmt::format("{} {} status {}", kind, client.connected() ? "connected" : "refused", answer.status));
  }

  std::atomic<bool> ending_{false};
  std::atomic<size_t> answered_{0};
  std::mutex mutex_;
  std::vector<std::string> failures_;
  std::vector<std::thread> threads_;
};

class ServiceProgramTest : public testing::Test {
 protected:
  const Path& directory() const { return dir_.path(); }
  std::unique_ptr<Instance> start(std::vector<std::string> arguments = {},
                                  std::vector<std::pair<std::string, std::string>> environment = {}) {
    arguments.insert(arguments.end(), {"--workers", "2"});
    return std::make_unique<Instance>(directory(), fmt::format("{}", ++started_), std::move(arguments),
                                      std::move(environment));
  }
  static boost::json::object who(int port) {
    return boost::json::parse(TestClient(port).get("/who").body).as_object();
  }
  // Waits until the load has met the new state of things a while.
  static void let_run(const Load& load, Instance& instance) {
    const size_t before = load.answered();
    instance.wait_for([&] { return load.answered() > before + 200; }, "answers");
  }
  size_t doors() {
    size_t count = 0;
    for (const auto& entry : *dir_.fs().list_dir(directory() / "state"))
      count += entry.name.ends_with(".sock") ? 1 : 0;
    return count;
  }

  ScratchDir dir_;
  int started_ = 0;
};

// --- ends

TEST_F(ServiceProgramTest, AStopFinishesWhatRunsAndRefusesTheRest) {
  auto service = start();
  const int port = service->wait_until_serving();
  EXPECT_EQ(service->workers().size(), 2u);
  TestClient running(port);
  running.send("GET /slow?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n");
  service->wait_for(
      [&] { return TestClient(port).get("/metrics").body.find("in_flight 1") != std::string::npos; },
      "in flight");
  service->signal(SIGTERM);
  EXPECT_EQ(running.receive().body, R"({"waited":true})");
  EXPECT_EQ(service->exit_code(), 0);
  EXPECT_FALSE(TestClient(port).connected());
  EXPECT_EQ(doors(), 0u);
}

TEST_F(ServiceProgramTest, ARequestThatOutlivesTheDrainIsCutOff) {
  auto service = start({"--drain", "100ms"});
  const int port = service->wait_until_serving();
  TestClient running(port);
  running.send("GET /slow?ms=9000 HTTP/1.1\r\nHost: a\r\n\r\n");
  service->wait_for(
      [&] { return TestClient(port).get("/metrics").body.find("in_flight 1") != std::string::npos; },
      "in flight");
  service->signal(SIGINT);
  EXPECT_EQ(running.rest(), "");
  EXPECT_EQ(service->exit_code(), 0);
}

TEST_F(ServiceProgramTest, WhyAWorkerCannotStartIsSaid) {
  auto service = start({"--fail", "the stars are wrong"});
  EXPECT_EQ(service->exit_code(), 1);
  EXPECT_THAT(service->output(), HasSubstr("sample: a worker cannot start: the stars are wrong"));
}

TEST_F(ServiceProgramTest, AWorkerThatCannotStartEndsNothingWhileAnotherServes) {
  const int port = free_port();
  auto service = start({"--port", std::to_string(port), "--second", "second"});
  service->wait_for([&] { return TestClient(port).get("/hello").status == 200; }, "the first worker");
  std::ofstream(directory() / "second") << "fail";
  service->wait_for_output("a worker cannot start: the second was told to fail");
  service->wait_for([&] { return count_of(service->output(), "ended with exit code 1") >= 2; },
                    "a second try");
  EXPECT_EQ(TestClient(port).get("/hello").status, 200);
  std::ofstream(directory() / "second") << "go";
  service->wait_until_serving();
  EXPECT_EQ(service->workers().size(), 2u);
  service->signal(SIGTERM);
  EXPECT_EQ(service->exit_code(), 0);
}

TEST_F(ServiceProgramTest, APortOfSomebodyElseIsNamed) {
  auto first = start();
  const int port = first->wait_until_serving();
  auto stranger = start({"--port", std::to_string(port), "--state", "elsewhere"});
  EXPECT_EQ(stranger->exit_code(), 1);
  EXPECT_THAT(stranger->output(), HasSubstr(fmt::format("cannot listen on 127.0.0.1:{}", port)));
}

TEST_F(ServiceProgramTest, TheCommandLineIsHelpful) {
  const auto ended = [&](std::vector<std::string> arguments) {
    auto service = start(std::move(arguments));
    const int code = service->exit_code();
    return fmt::format("{} {}", code, service->output());
  };
  EXPECT_THAT(ended({"--help"}),
              AllOf(testing::StartsWith("0 sample: a sample service"), HasSubstr("sample greet"),
                    HasSubstr("greeting"), HasSubstr("SAMPLE_HOST")));
  EXPECT_EQ(ended({"--version"}), "0 sample 1.0\n");
  EXPECT_EQ(ended({"greet", "Daruma", "--greeting", "ohayo"}).substr(0, 14), "0 ohayo Daruma");
  EXPECT_THAT(ended({"great"}), AllOf(testing::StartsWith("2"), HasSubstr("'great' is no command")));
  EXPECT_THAT(ended({"--prot", "1"}), AllOf(testing::StartsWith("2"), HasSubstr("port")));
  EXPECT_THAT(ended({"--port", "70000"}), AllOf(testing::StartsWith("2"), HasSubstr("70000")));
}

TEST_F(ServiceProgramTest, ConnectionsAreSharedOutAmongTheWorkers) {
  auto service = start();
  const int port = service->wait_until_serving();
  const auto fewest_of_forty = [&] {
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<TestClient>(port));
    std::map<std::string, int> counts;
    for (const auto& client : clients) ++counts[client->get("/who").body];
    return counts.size() < 2 ? 0 : std::min(counts.begin()->second, counts.rbegin()->second);
  };
  // Where the machine has no time for one of them, the other takes more: so not every time.
  service->wait_for([&] { return fewest_of_forty() >= 15; }, "an even share");
}

// --- deaths

TEST_F(ServiceProgramTest, AKilledWorkerIsReplacedAndForgotten) {
  auto service = start();
  const int port = service->wait_until_serving();
  TestClient on_victim(port);
  const auto victim = boost::json::parse(on_victim.get("/who").body).as_object();
  const int pid = static_cast<int>(victim.at("pid").as_int64());
  kill(pid, SIGKILL);
  EXPECT_EQ(on_victim.rest(), "");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(TestClient(port).get("/hello").status, 200) << "the others go on";
  service->wait_for([&] { return service->workers().size() == 2 && !service->workers().contains(pid); },
                    "replacement");
  service->wait_for(
      [&] {
        return content_of(directory() / "logs" / "error.log").find("by a new worker") != std::string::npos;
      },
      "the log");
  EXPECT_THAT(service->output(), HasSubstr(fmt::format("(process {}) was killed by signal 9", pid)));
  service->wait_for(
      [&] { return TestClient(port).get("/metrics").body.find("http_connections 1\n") != std::string::npos; },
      "the dead worker's connections are counted no more");
}

TEST_F(ServiceProgramTest, WorkersOfAKilledSupervisorLetGoOfThePort) {
  auto service = start();
  const int port = service->wait_until_serving();
  const auto workers = service->workers();
  kill(service->pid(), SIGKILL);
  EXPECT_EQ(service->exit_code(), 128 + SIGKILL);
  auto next = start({"--port", std::to_string(port)});
  EXPECT_EQ(next->wait_until_serving(), port);
  next->wait_for([&] { return std::ranges::none_of(workers, process_exists); }, "the end of the orphans");
  EXPECT_EQ(TestClient(port).get("/hello").status, 200);
  EXPECT_EQ(doors(), 1u);
}

// --- reload

TEST_F(ServiceProgramTest, AReloadLosesNoRequest) {
  auto service = start();
  const int port = service->wait_until_serving();
  Load load(port);
  for (size_t generation = 2; generation <= 4; ++generation) {
    const auto before = service->workers();
    service->signal(SIGHUP);
    EXPECT_EQ(service->wait_until_serving(generation), port);
    let_run(load, *service);
    service->wait_for(
        [&] {
          return std::ranges::none_of(before, [&](int pid) { return service->workers().contains(pid); });
        },
        "the end of the old workers");
    EXPECT_EQ(service->workers().size(), 2u);
  }
  EXPECT_THAT(load.end(), testing::IsEmpty());
  service->signal(SIGTERM);
  EXPECT_EQ(service->exit_code(), 0);
}

TEST_F(ServiceProgramTest, AReloadReadsTheSettingsAnewAndKeepsTheCounts) {
  std::ofstream(directory() / "sample.yaml") << "greeting: one\n";
  auto service = start({"--config", "sample.yaml"});
  const int port = service->wait_until_serving();
  EXPECT_EQ(TestClient(port).get("/hello").body, R"({"greeting":"one"})");
  std::ofstream(directory() / "sample.yaml") << "greeting: two\n";
  service->signal(SIGHUP);
  service->wait_until_serving(2);
  service->wait_for([&] { return TestClient(port).get("/hello").body == R"({"greeting":"two"})"; }, "two");
  EXPECT_THAT(TestClient(port).get("/metrics").body, Not(HasSubstr("{route=\"hello\",status=\"200\"} 1\n")));
}

TEST_F(ServiceProgramTest, AReloadThatCannotBeIsRefused) {
  std::ofstream(directory() / "sample.yaml") << "greeting: one\n";
  auto service = start({"--config", "sample.yaml"});
  const int port = service->wait_until_serving();
  std::ofstream(directory() / "sample.yaml") << "greting: two\n";
  service->signal(SIGHUP);
  service->wait_for_output("reload refused, everything stays as it was");
  EXPECT_EQ(TestClient(port).get("/hello").body, R"({"greeting":"one"})");
  EXPECT_EQ(service->workers().size(), 2u);
}

TEST_F(ServiceProgramTest, TheOldWorkersStayWhenTheNewOnesFail) {
  std::ofstream(directory() / "sample.yaml") << "fail: \"\"\n";
  auto service = start({"--config", "sample.yaml"});
  const int port = service->wait_until_serving();
  std::ofstream(directory() / "sample.yaml") << "fail: the database is of another version\n";
  service->signal(SIGHUP);
  service->wait_for_output("the database is of another version");
  EXPECT_EQ(TestClient(port).get("/hello").status, 200);
  std::ofstream(directory() / "sample.yaml") << "fail: \"\"\n";
  service->signal(SIGHUP);
  service->wait_until_serving(2);
  EXPECT_EQ(TestClient(port).get("/hello").status, 200);
}

// --- several instances

TEST_F(ServiceProgramTest, ASecondInstanceSharesSocketAndCounts) {
  auto first = start();
  const int port = first->wait_until_serving();
  TestClient(port).get("/hello");
  auto second = start({"--port", std::to_string(port)});
  EXPECT_EQ(second->wait_until_serving(), port);
  EXPECT_EQ(doors(), 2u);
  Load load(port);
  let_run(load, *second);
  first->signal(SIGTERM);
  EXPECT_EQ(first->exit_code(), 0);
  let_run(load, *second);
  EXPECT_THAT(load.end(), testing::IsEmpty());
  EXPECT_TRUE(second->workers().contains(static_cast<int>(who(port).at("pid").as_int64())));
  EXPECT_THAT(TestClient(port).get("/metrics").body,
              HasSubstr("http_requests_total{route=\"hello\",status=\"200\"}"));
}

TEST_F(ServiceProgramTest, AStoppedInstanceHandsOverToItsSuccessor) {
  auto first = start({"--handover", "1h"});
  const int port = first->wait_until_serving();
  const auto workers = first->workers();
  Load load(port);
  let_run(load, *first);
  first->signal(SIGINT);
  EXPECT_EQ(first->exit_code(), 0) << "at once, as pm2 expects";
  EXPECT_EQ(TestClient(port).get("/hello").status, 200) << "and yet it is served";
  auto second = start({"--handover", "1h", "--port", std::to_string(port)});
  EXPECT_EQ(second->wait_until_serving(), port);
  let_run(load, *second);
  second->wait_for([&] { return std::ranges::none_of(workers, process_exists); },
                   "the end of the old workers");
  EXPECT_THAT(load.end(), testing::IsEmpty());
  second->wait_for([&] { return doors() == 1; }, "the end of the old door");
  second->signal(SIGTERM);
  EXPECT_EQ(second->exit_code(), 0);
  auto last = start({"--port", std::to_string(port)});  // so that nobody lingers for an hour
  last->wait_until_serving();
}

TEST_F(ServiceProgramTest, AHandoverThatNobodyTakesEnds) {
  auto first = start({"--handover", "50ms"});
  const int port = first->wait_until_serving();
  const auto workers = first->workers();
  first->signal(SIGTERM);
  EXPECT_EQ(first->exit_code(), 0);
  first->wait_for([&] { return std::ranges::none_of(workers, process_exists); }, "the end of the workers");
  first->wait_for([&] { return !TestClient(port).connected(); }, "a free port");
}

// --- systemd and logs

TEST_F(ServiceProgramTest, SystemdIsToldWhatHappens) {
  const Path path = directory() / "notify";
  Descriptor notices(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path.native(), address.sun_path);
  ASSERT_EQ(::bind(notices.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto notice = [&] {
    const auto message = receive_message(notices.get(), kPatience);
    return message ? message->text : "nothing";
  };
  auto service = start({}, {{"NOTIFY_SOCKET", path}});
  EXPECT_EQ(notice(), "READY=1");
  service->signal(SIGHUP);
  EXPECT_THAT(notice(), testing::StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(notice(), "READY=1");
  service->signal(SIGTERM);
  EXPECT_EQ(notice(), "STOPPING=1");
}

TEST_F(ServiceProgramTest, ASocketOfSystemdIsUsed) {
  const auto listener = [] {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket.get(), 10), 0);
    return socket;
  }();
  const int port = port_of(listener.get());
  const std::string directory_text = directory();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(listener.get(), 3);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    if (::chdir(directory_text.c_str()) == 0) ::execl(SAMPLE_SERVICE, SAMPLE_SERVICE, "--workers=1", nullptr);
    ::_exit(127);
  }
  EXPECT_EQ(TestClient(port).get("/hello").status, 200) << "the first connection waits until it is served";
  ::kill(pid, SIGTERM);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

TEST_F(ServiceProgramTest, LogsAreOpenedAnewOnDemand) {
  auto service = start();
  const int port = service->wait_until_serving();
  const Path log = directory() / "logs" / "http.log";
  TestClient(port).get("/hello");
  service->wait_for([&] { return content_of(log).find("/hello") != std::string::npos; }, "a line");
  ASSERT_TRUE(dir_.fs().rename(log, directory() / "moved.log").ok());
  service->signal(SIGUSR1);
  service->wait_for(
      [&] {
        TestClient(port).get("/who");
        return content_of(log).find("/who") != std::string::npos;
      },
      "a line in the new file");
}

}  // namespace
}  // namespace daruma::service
