// What a person types instead: the manuals' own words, one command a line.
#include <gtest/gtest.h>

#include "runtime/runtime.h"

namespace daruma::runtime {
namespace {

using Lines = std::vector<std::string>;

class ByHand : public testing::Test {
 protected:
  Lines lines(daruma::Runtime runtime, std::string_view act, const Path& directory = {}) {
    ServiceConfig service;
    service.name = "auth-service";
    service.runtime = runtime;
    service.directory = directory;
    return make_runtime({*fs_, clock_, *processes_, "/state", "/usr/bin/daruma"}, service)->by_hand(act);
  }

  std::unique_ptr<FileSystem> fs_ = real_file_system();
  ManualClock clock_;
  std::unique_ptr<ProcessRunner> processes_ = real_processes(clock_);
};

TEST_F(ByHand, OfAContainerOfCompose) {
  const Path folder = "/opt/ai-micro-service/ai-micro-api-auth";
  EXPECT_EQ(lines(Runtime::kDocker, "restart", folder),
            (Lines{"cd " + folder.native(), "docker compose restart"}));
  EXPECT_EQ(lines(Runtime::kDocker, "recreate", folder),
            (Lines{"cd " + folder.native(), "docker compose down", "docker compose up -d"}));
}

TEST_F(ByHand, OfAContainer) {
  EXPECT_EQ(lines(Runtime::kDocker, "restart"), Lines{"docker restart auth-service"});
  EXPECT_EQ(lines(Runtime::kDocker, "logs"), Lines{"docker logs auth-service --tail 100"});
  EXPECT_EQ(lines(Runtime::kDocker, "recreate")[0],
            "cd \"$(docker inspect auth-service --format '{{index .Config.Labels "
            "\"com.docker.compose.project.working_dir\"}}')\"");
}

TEST_F(ByHand, OfAUnit) {
  EXPECT_EQ(lines(Runtime::kSystemd, "restart"), Lines{"systemctl restart auth-service"});
  EXPECT_EQ(lines(Runtime::kSystemd, "status"), Lines{"systemctl status auth-service"});
  EXPECT_EQ(lines(Runtime::kSystemd, "logs"), Lines{"journalctl -u auth-service -n 100 --no-pager"});
}

TEST_F(ByHand, OfPm2) {
  EXPECT_EQ(lines(Runtime::kPm2, "reload"), Lines{"pm2 reload auth-service"});
  EXPECT_EQ(lines(Runtime::kPm2, "scale"), Lines{"pm2 scale auth-service N"});
  EXPECT_EQ(lines(Runtime::kPm2, "logs"), Lines{"pm2 logs auth-service --lines 100 --nostream"});
}

TEST_F(ByHand, OfAProcess) {
  EXPECT_EQ(lines(Runtime::kProcess, "stop"), Lines{"daruma service stop auth-service"});
  EXPECT_EQ(lines(Runtime::kProcess, "scale"), Lines{"daruma service scale auth-service --instances N"});
}

TEST_F(ByHand, WhatCannotBeDoneIsAComment) {
  for (const auto runtime : {Runtime::kDocker, Runtime::kSystemd})
    EXPECT_TRUE(lines(runtime, "scale")[0].starts_with("# "));
}

}  // namespace
}  // namespace daruma::runtime
