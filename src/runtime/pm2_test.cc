#include <gtest/gtest.h>

#include "runtime/pm2_runtime.h"

namespace daruma::runtime {
namespace {

std::string entry(const std::string& name, const std::string& status, int pid) {
  return R"({"name":")" + name + R"(","pid":)" + std::to_string(pid) + R"(,"pm2_env":{"status":")" + status +
         R"(","restart_time":2,"pm_uptime":1700000000000}})";
}
ServiceStatus status_of(const std::string& entries) {
  return pm2_status(*pm2_entries("[" + entries + "]", "api"));
}

TEST(Pm2List, IsFoundAmongWhateverElseIsPrinted) {
  const std::string list = "[" + entry("api", "online", 7) + "," + entry("other", "online", 8) + "]";
  for (const std::string& text :
       {list, "[PM2] Spawning PM2 daemon\n[PM2] done\n" + list + "\n", list + "\n\nnews"})
    EXPECT_EQ(pm2_entries(text, "api")->size(), 1u) << text;
  EXPECT_TRUE(pm2_entries("[]", "api")->empty());
}

TEST(Pm2List, ThatIsNotThereIsCorrupt) {
  for (const char* text : {"", "[PM2] nothing", "[{\"name\":", "{}"})
    EXPECT_TRUE(pm2_entries(text, "api").is(Errc::kCorrupt)) << text;
}

TEST(Pm2Status, CarriesEveryInstance) {
  const auto status = status_of(entry("api", "online", 7) + "," + entry("api", "online", 9));
  EXPECT_EQ(status.state, State::kRunning);
  EXPECT_EQ(status.pids, (std::vector<int>{7, 9}));
  EXPECT_EQ(status.restarts, 4u);
  EXPECT_EQ(to_rfc3339(*status.since), "2023-11-14T22:13:20Z");
  EXPECT_EQ(status.detail, "online, online");
}

TEST(Pm2Status, IsTheWorstOfTheInstances) {
  EXPECT_EQ(status_of(entry("api", "stopped", 0)).state, State::kStopped);
  EXPECT_EQ(status_of(entry("api", "errored", 0)).state, State::kFailed);
  EXPECT_EQ(status_of(entry("api", "launching", 7)).state, State::kStarting);
  EXPECT_EQ(status_of(entry("api", "waiting restart", 0)).state, State::kStarting);
  EXPECT_EQ(status_of(entry("api", "online", 7) + "," + entry("api", "errored", 0)).state, State::kFailed);
  EXPECT_EQ(status_of(entry("api", "stopped", 0) + "," + entry("api", "online", 7)).state, State::kRunning);
  EXPECT_EQ(status_of(entry("api", "dancing", 7)).state, State::kUnknown);
}

TEST(Pm2Status, NamesNoProcessOfWhatDoesNotRun) {
  EXPECT_TRUE(status_of(entry("api", "errored", 7)).pids.empty());
  EXPECT_TRUE(status_of(entry("api", "stopped", 7)).pids.empty());
}

}  // namespace
}  // namespace daruma::runtime
