#include "probe/system.h"

#include <gtest/gtest.h>

#include "os/files.h"
#include "os/sim_file_system.h"

namespace daruma::probe {
namespace {

class System : public testing::Test {
 protected:
  System() {
    EXPECT_TRUE(create_dirs(fs, "/proc").ok());
    write("/proc/loadavg", "0.50 1.25 8.00 3/400 12345\n");
    write("/proc/meminfo", "MemTotal:        2048 kB\nMemFree:  10 kB\nMemAvailable:    1024 kB\n");
  }
  void write(const Path& path, const std::string& text) {
    ASSERT_TRUE(replace_file(fs, path, as_bytes(text)).ok());
  }
  SimFileSystem fs;
};

TEST_F(System, ReadsLoadAndMemory) {
  const auto reading = read_system(fs);
  ASSERT_TRUE(reading.ok()) << reading.error().what;
  EXPECT_EQ(reading->load_1m, 0.5);
  EXPECT_EQ(reading->load_15m, 8.0);
  EXPECT_EQ(reading->memory_bytes, 2048U * 1024);
  EXPECT_EQ(reading->memory_available_bytes, 1024U * 1024);
}

TEST_F(System, WhatTheKernelDoesNotSayIsAnError) {
  write("/proc/meminfo", "MemTotal: 1 kB\n");
  EXPECT_FALSE(read_system(fs).ok());
  write("/proc/loadavg", "busy\n");
  EXPECT_FALSE(read_system(fs).ok());
}

TEST_F(System, ThisMachineCanBeRead) {
  const auto real = real_file_system();
  const auto reading = read_system(*real);
  ASSERT_TRUE(reading.ok()) << reading.error().what;
  EXPECT_GT(reading->memory_bytes, 0U);
  const auto disk = read_disk(*real, "/");
  ASSERT_TRUE(disk.ok()) << disk.error().what;
  EXPECT_LE(disk->used_percent(), 100);
}

}  // namespace
}  // namespace daruma::probe
