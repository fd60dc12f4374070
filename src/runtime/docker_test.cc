#include <gmock/gmock.h>

#include "runtime/docker_api.h"
#include "runtime/docker_runtime.h"

namespace daruma::runtime {
namespace {

std::string frame(std::string_view text, size_t length) {
  std::string bytes(8, '\0');
  bytes[0] = 1;
  for (size_t i = 0; i < 4; ++i) bytes[4 + i] = static_cast<char>(length >> (8 * (3 - i)) & 255);
  return bytes.append(text);
}
std::string frame(std::string_view text) { return frame(text, text.size()); }

std::string text_of(std::string_view bytes, size_t piece) {
  DockerFrames frames;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
    frames.add(bytes.substr(0, piece));
  return std::move(frames).text();
}

TEST(DockerFrames, AreTakenOutWhereverTheBytesAreCut) {
  const std::string bytes = frame("hello\n") + frame("") + frame("the world\n");
  for (size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(text_of(bytes, piece), "hello\nthe world\n") << piece;
}

TEST(DockerFrames, ACutOrALyingFrameGivesWhatHasCome) {
  EXPECT_EQ(text_of(frame("hello\n") + frame("the w", 100), 7), "hello\nthe w");
  EXPECT_EQ(text_of(frame("x", 0xffffffff), 7), "x");
  EXPECT_EQ(text_of("\x01\0\0", 3), "");
}

TEST(DockerFrames, KeepTheLastMebibyte) {
  std::string bytes;
  for (int i = 0; i < 3000; ++i) bytes += frame(std::string(1024, 'x'));
  const std::string text = text_of(bytes + frame("end"), 60'000);
  EXPECT_EQ(text.size(), 1u << 20);
  EXPECT_TRUE(text.ends_with("xend"));
}

TEST(DockerVersions, AreComparedByNumber) {
  EXPECT_LT(compare_versions("1.9", "1.41"), 0);
  EXPECT_GT(compare_versions("1.41", "1.9"), 0);
  EXPECT_EQ(compare_versions("1.41", "1.41"), 0);
  EXPECT_GT(compare_versions("2.0", "1.99"), 0);
  EXPECT_GT(compare_versions("1.41.1", "1.41"), 0);
}

TEST(DockerUrls, EscapeWhatIsNotPlain) { EXPECT_EQ(url_escaped("a-b_c.d/é?"), "a-b_c.d%2F%C3%A9%3F"); }

Value container(const std::string& state, const std::string& policy = "no") {
  return *parse_json(R"({"RestartCount":2,"HostConfig":{"RestartPolicy":{"Name":")" + policy +
                     R"("}},"State":{)" + state + "}}");
}
State state_of(const std::string& state, const std::string& policy = "no") {
  return docker_status(container(state, policy)).state;
}

TEST(DockerStatus, TellsWhatEndedByItselfFromWhatWasStopped) {
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":0)"), State::kStopped);
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":143)"), State::kStopped);
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":1)"), State::kFailed);
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":137)"), State::kFailed);
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":137)", "always"), State::kStopped);
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":1)", "unless-stopped"), State::kStopped);
  EXPECT_EQ(state_of(R"("Status":"exited","ExitCode":0,"OOMKilled":true)"), State::kFailed);
}

TEST(DockerStatus, KnowsTheOtherStates) {
  EXPECT_EQ(state_of(R"("Status":"created")"), State::kStopped);
  EXPECT_EQ(state_of(R"("Status":"restarting")"), State::kStarting);
  EXPECT_EQ(state_of(R"("Status":"removing")"), State::kStopping);
  EXPECT_EQ(state_of(R"("Status":"dead")"), State::kFailed);
  EXPECT_EQ(state_of(R"("Status":"paused")"), State::kUnknown);
  EXPECT_EQ(docker_status(Value()).state, State::kUnknown);
}

TEST(DockerStatus, CarriesPidTimeRestartsAndHealth) {
  const auto status = docker_status(container(
      R"("Status":"running","Pid":42,"StartedAt":"2026-11-22T10:00:00.5Z","Health":{"Status":"healthy"})"));
  EXPECT_EQ(status.pids, std::vector<int>{42});
  EXPECT_EQ(to_rfc3339(*status.since), "2026-11-22T10:00:00.500000Z");
  EXPECT_EQ(status.restarts, 2u);
  EXPECT_EQ(status.health, "healthy");
}

TEST(DockerStatus, OfAStoppedContainerThereIsNoPid) {
  const auto status =
      docker_status(container(R"("Status":"created","Pid":0,"FinishedAt":"0001-01-01T00:00:00Z")"));
  EXPECT_TRUE(status.pids.empty());
  EXPECT_FALSE(status.since.has_value());
}

TEST(DockerInspect, KeepsTheNamesOfVariablesOnly) {
  const auto shown =
      without_values(*parse_json(R"({"Config":{"Env":["A=secret","B","C=x=y"],"Tty":false}})"));
  EXPECT_EQ(to_json(shown), R"({"Config":{"Env":["A","B","C"],"Tty":false}})");
  EXPECT_EQ(to_json(without_values(*parse_json("{}"))), "{}");
}

TEST(DockerResources, LeaveOutWhatIsOnlyCached) {
  const auto used = docker_resources(*parse_json(
      R"({"memory_stats":{"usage":1000,"stats":{"inactive_file":300}},"pids_stats":{"current":3},
          "cpu_stats":{"cpu_usage":{"total_usage":5}}})"));
  EXPECT_EQ(used.memory_bytes, 700u);
  EXPECT_EQ(used.processes, 3u);
  EXPECT_EQ(used.cpu, Duration(5));
}

}  // namespace
}  // namespace daruma::runtime
