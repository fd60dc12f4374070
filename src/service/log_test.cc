// What operators read: http.log and error.log, whole lines of JSON, whatever happens to the files.
#include "service/log.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <map>
#include <sstream>

#include "os/files.h"
#include "os/scratch_dir.h"
#include "os/sim_file_system.h"

namespace daruma::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

boost::json::object parsed(const std::string& line) {
  boost::system::error_code failure;
  const boost::json::value value = boost::json::parse(line, failure);
  EXPECT_FALSE(failure) << line;
  return failure ? boost::json::object() : value.as_object();
}

class LogTest : public testing::Test {
 protected:
  std::unique_ptr<Log> open(size_t worker = 0) {
    auto log = Log::open(settings_, worker, clock_, disk_, metrics_);
    EXPECT_TRUE(log.ok()) << log.error().what;
    return *std::move(log);
  }
  std::string read(const std::string& name) {
    const auto bytes = read_file(disk_, "/logs/" + name, 1 << 24);
    return bytes.ok() ? std::string(as_text(*bytes)) : "error: " + bytes.error().what;
  }
  std::vector<std::string> lines(const std::string& name) { return lines_in(read(name)); }
  static AccessLine request(std::string_view id) {
    return {.request_id = id, .method = "GET", .path = "/", .route = "r", .client = "c", .status = 200};
  }
  static ErrorLine failure(std::string_view message) { return {.message = message}; }

  LogSettings settings_{.directory = "/logs", .service = "stay"};
  SimFileSystem disk_;
  ManualClock clock_;
  std::unique_ptr<SharedRegion> region_ = SharedRegion::private_memory();
  Metrics metrics_{*region_, 0};
};

TEST_F(LogTest, ARequestIsALineOfItsOwn) {
  const auto log = open(3);
  log->access({.request_id = "1",
               .method = "GET",
               .path = "/api/hotels/search",
               .route = "search",
               .client = "10.0.0.1",
               .status = 200,
               .duration = 1234567ns,
               .bytes = 4096});
  log->access({.request_id = "id-2",
               .method = "GET",
               .path = "/x",
               .route = "",
               .client = "::1",
               .status = 404,
               .degraded = true});
  log->flush();
  EXPECT_EQ(
      read("http.log"),
      R"({"time":"2023-11-14T22:13:20.000000Z","requestId":"1","method":"GET","path":"/api/hotels/search",)"
      R"("route":"search","statusCode":200,"durationMs":1.234,"bytes":4096,"client":"10.0.0.1","worker":3})"
      "\n"
      R"({"time":"2023-11-14T22:13:20.000000Z","requestId":"id-2","method":"GET","path":"/x",)"
      R"("route":"","statusCode":404,"durationMs":0.000,"bytes":0,"client":"::1","worker":3,"degraded":true})"
      "\n");
}

TEST_F(LogTest, AnErrorSaysWhoseItIs) {
  const auto log = open();
  log->error({.severity = Severity::kWarning, .request_id = "id", .dependency = "Redis", .message = "lost"});
  log->error(failure("a \"quoted\" thing"));
  EXPECT_EQ(read("error.log"),
            R"({"time":"2023-11-14T22:13:20.000000Z","level":"warning","requestId":"id","service":"stay",)"
            R"("dependency":"Redis","message":"lost"})"
            "\n"
            R"({"time":"2023-11-14T22:13:20.000000Z","level":"error","service":"stay",)"
            R"("message":"a \"quoted\" thing"})"
            "\n");
}

TEST_F(LogTest, TheTimeIsTheClocks) {
  const auto log = open();
  for (const Duration step : {Duration(1us), Duration(999'998us), Duration(1us), Duration(36h)}) {
    clock_.advance(step);
    log->error(failure("x"));
  }
  std::vector<std::string> times;
  for (const std::string& line : lines("error.log")) times.emplace_back(parsed(line)["time"].as_string());
  EXPECT_THAT(times, ElementsAre("2023-11-14T22:13:20.000001Z", "2023-11-14T22:13:20.999999Z",
                                 "2023-11-14T22:13:21.000000Z", "2023-11-16T10:13:21.000000Z"));
}

TEST_F(LogTest, WhatHealedHasTheWordRecoveredOnItsLine) {
  const auto log = open();
  log->error({.dependency = "HotelDataAPI", .message = "timeout", .recovered = "by stale cache"});
  EXPECT_THAT(read("error.log"), HasSubstr(R"("recovered":"by stale cache"})"));
}

TEST_F(LogTest, NothingSaidByAnErrorThatHurtsHidesItFromGrep) {
  const auto log = open();
  log->error({.request_id = "recovered", .dependency = "recovered", .message = "\\recovered \recovered"});
  EXPECT_THAT(read("error.log"), Not(HasSubstr("recovered")));
  const auto line = parsed(lines("error.log").at(0));
  EXPECT_EQ(line.at("requestId").as_string(), "recovered");
  EXPECT_EQ(line.at("message").as_string(), "\\recovered \recovered");
}

TEST_F(LogTest, WhatAClientSendsBreaksNoLine) {
  const auto log = open();
  AccessLine line = request("\"}\n{\"statusCode\":200");
  line.path = "/\xFF\x01\\";
  log->access(line);
  log->flush();
  ASSERT_EQ(lines("http.log").size(), 1u);
  const auto object = parsed(lines("http.log")[0]);
  EXPECT_EQ(object.at("requestId").as_string(), line.request_id);
  EXPECT_EQ(object.at("path").as_string(), "/\xEF\xBF\xBD\x01\\");
}

TEST_F(LogTest, RequestsWaitForTheNextFlushErrorsDoNot) {
  const auto log = open();
  log->access(request("a"));
  log->error(failure("x"));
  EXPECT_EQ(read("http.log"), "");
  EXPECT_EQ(lines("error.log").size(), 1u);
  log->flush();
  EXPECT_EQ(lines("http.log").size(), 1u);
}

TEST_F(LogTest, ALargeBatchIsWrittenBeforeTheFlush) {
  const auto log = open();
  const uint64_t calls = disk_.calls();
  for (int i = 0; i < 1000; ++i) log->access(request("a"));
  EXPECT_GT(lines("http.log").size(), 0u);
  EXPECT_LT(disk_.calls() - calls, 10u);
}

TEST_F(LogTest, TheEndOfTheLogWritesWhatIsWaiting) {
  open()->access(request("a"));
  EXPECT_EQ(lines("http.log").size(), 1u);
}

TEST_F(LogTest, LinesOfAnEarlierRunStay) {
  open()->error(failure("first"));
  open()->error(failure("second"));
  EXPECT_EQ(lines("error.log").size(), 2u);
}

TEST_F(LogTest, AFileThatGrowsTooLargeIsRotated) {
  settings_.rotate_at = 200;
  settings_.keep = 2;
  const auto log = open();
  for (const std::string message : {"1", "2", "3", "4", "5", "6", "7", "8"}) log->error(failure(message));
  const auto messages = [&](const std::string& name) {
    std::string all;
    for (const std::string& line : lines(name)) all += parsed(line)["message"].as_string();
    return all;
  };
  EXPECT_EQ(messages("error.log.2") + messages("error.log.1") + messages("error.log"), "345678");
  EXPECT_FALSE(*exists(disk_, "/logs/error.log.3"));
}

TEST_F(LogTest, WithNothingToKeepTheOldFileIsRemoved) {
  settings_.rotate_at = 1;
  settings_.keep = 0;
  const auto log = open();
  log->error(failure("1"));
  log->error(failure("2"));
  EXPECT_EQ(lines("error.log").size(), 1u);
  EXPECT_FALSE(*exists(disk_, "/logs/error.log.1"));
}

TEST_F(LogTest, TwoProcessesFollowEachOthersRotation) {
  settings_.rotate_at = 200;
  const auto one = open(0), other = open(1);
  for (int i = 0; i < 3; ++i) {
    one->error(failure("one"));
    other->error(failure("other"));
  }
  for (const std::string name : {"error.log", "error.log.1", "error.log.2"})
    EXPECT_EQ(lines(name).size(), 2u) << name;
}

TEST_F(LogTest, WhoDoesNotGetTheLockOfTheRotationGoesOnWriting) {
  settings_.rotate_at = 1;
  const auto log = open();
  log->error(failure("1"));
  const auto lock = disk_.lock("/logs/.error.log.lock");
  ASSERT_TRUE(lock.ok());
  log->error(failure("2"));
  EXPECT_EQ(lines("error.log").size(), 2u);
}

TEST_F(LogTest, AFileThatSomebodyMovedAwayIsMadeAnew) {
  const auto log = open();
  log->error(failure("before"));
  ASSERT_TRUE(disk_.rename("/logs/error.log", "/logs/error.log-20240620").ok());
  log->error(failure("after"));
  EXPECT_THAT(read("error.log"), HasSubstr("after"));
  EXPECT_EQ(lines("error.log-20240620").size(), 1u);
}

TEST_F(LogTest, AFlushMakesAMovedFileAnewThoughThereIsNothingToWrite) {
  const auto log = open();
  ASSERT_TRUE(disk_.rename("/logs/http.log", "/logs/http.log.old").ok());
  log->flush();
  EXPECT_EQ(read("http.log"), "");
  ASSERT_TRUE(disk_.remove_file("/logs/http.log").ok());
  log->reopen();
  EXPECT_EQ(read("http.log"), "");
}

TEST_F(LogTest, ADirectoryThatWasRemovedIsMadeAnew) {
  const auto log = open();
  ASSERT_TRUE(remove_tree(disk_, "/logs").ok());
  log->error(failure("after"));
  EXPECT_EQ(lines("error.log").size(), 1u);
}

TEST_F(LogTest, AFullDiskLosesLinesAndSaysSoLater) {
  const auto log = open();
  log->access(request("kept"));
  log->flush();
  disk_.set_full(true);
  for (int i = 0; i < 3; ++i) log->access(request("lost"));
  log->flush();
  log->error(failure("lost too"));
  disk_.set_full(false);
  log->access(request("fits again"));
  log->flush();
  EXPECT_EQ(lines("http.log").size(), 2u);
  std::vector<std::string> told;
  for (const std::string& line : lines("error.log")) told.emplace_back(parsed(line)["message"].as_string());
  EXPECT_THAT(
      told,
      ElementsAre("3 lines of http.log could not be written: cannot append to '/logs/http.log': No space "
                  "left on device",
                  "1 line of error.log could not be written: cannot append to '/logs/error.log': No "
                  "space left on device"));
  EXPECT_THAT(metrics_.text(), HasSubstr("log_lines_lost_total{file=\"http.log\"} 3\n"));
  EXPECT_THAT(metrics_.text(), HasSubstr("log_lines_lost_total{file=\"error.log\"} 1\n"));
}

TEST_F(LogTest, WhatWasLostIsSaidOnceBeforeTheNextError) {
  const auto log = open();
  disk_.set_full(true);
  log->error(failure("lost"));
  disk_.set_full(false);
  log->error(failure("next"));
  log->error(failure("and next"));
  ASSERT_EQ(lines("error.log").size(), 3u);
  EXPECT_THAT(lines("error.log")[0], HasSubstr("1 line of error.log could not be written"));
}

TEST_F(LogTest, WhateverCallFailsWholeLinesStayAndTheNextFits) {
  settings_.rotate_at = 300;
  for (uint64_t call = 1; call < 40; ++call) {
    for (const auto fault : {SimFileSystem::Fault::kError, SimFileSystem::Fault::kFull}) {
      ASSERT_TRUE(remove_tree(disk_, "/logs").ok());
      const auto log = open();
      disk_.fail_call(call, fault);
      while (!disk_.fault_met()) log->error(failure("x"));
      log->error(failure("last"));
      EXPECT_EQ(std::string(parsed(lines("error.log").back())["message"].as_string()), "last") << call;
      for (const DirectoryEntry& entry : *disk_.list_dir("/logs"))
        for (const std::string& line : lines(entry.name)) parsed(line);
    }
  }
}

TEST_F(LogTest, ALogThatCannotBeOpenedIsAnError) {
  ASSERT_TRUE(disk_.create_dir("/logs", 0700).ok());
  ASSERT_TRUE(disk_.create_dir("/logs/http.log", 0700).ok());
  EXPECT_FALSE(Log::open(settings_, 0, clock_, disk_, metrics_).ok());
}

TEST_F(LogTest, NoneTakesEverything) {
  const auto log = Log::none();
  log->access(request("a"));
  log->error(failure("x"));
  log->flush();
  log->reopen();
}

// Writes its lines in a process of its own.
pid_t writer(const LogSettings& settings, FileSystem& fs, size_t worker, int lines_to_write) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const auto clock = real_clock();
  const auto region = SharedRegion::private_memory();
  Metrics metrics(*region, worker);
  const auto log = Log::open(settings, worker, *clock, fs, metrics);
  if (!log.ok()) ::_exit(1);
  for (int i = 0; i < lines_to_write; ++i) {
    const std::string number = std::to_string(i);
    (*log)->access({.request_id = number, .method = "GET", .path = std::string(i % 200, 'x')});
    (*log)->error({.message = number});
    if (i % 7 == 0) (*log)->flush();
  }
  (*log)->flush();
  ::_exit(0);
}

TEST(LogsOfSeveralProcesses, NoLineIsLostOrTornWhileTheyRotate) {
  constexpr int kWriters = 4, kLines = 1500;
  ScratchDir scratch;
  const LogSettings settings{
      .directory = scratch.path() / "logs", .service = "stay", .rotate_at = 64 << 10, .keep = 1000};
  std::vector<pid_t> children;
  for (size_t worker = 0; worker < kWriters; ++worker)
    children.push_back(writer(settings, scratch.fs(), worker, kLines));
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  std::map<std::string, int> requests, errors;
  size_t files = 0;
  for (const DirectoryEntry& entry : *scratch.fs().list_dir(settings.directory)) {
    ++files;
    const auto bytes = read_file(scratch.fs(), settings.directory / entry.name, 1 << 26);
    for (const std::string& line : lines_in(std::string(as_text(*bytes)))) {
      const auto object = parsed(line);
      if (const auto* worker = object.if_contains("worker"))
        ++requests[std::to_string(worker->as_int64()) + ":" +
                   std::string(object.at("requestId").as_string())];
      else
        ++errors[std::string(object.at("message").as_string())];
    }
  }
  EXPECT_GT(files, 10u);
  EXPECT_EQ(requests.size(), size_t{kWriters} * kLines);
  EXPECT_EQ(errors.size(), size_t{kLines});
  for (const auto& [message, count] : errors) EXPECT_EQ(count, kWriters) << message;
}

}  // namespace
}  // namespace daruma::service
