// Memory that several processes share: each test forks the processes it speaks of.
#include "service/shared_region.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "os/scratch_dir.h"

namespace daruma::service {
namespace {

class SharedRegionTest : public testing::Test {
 protected:
  std::unique_ptr<SharedRegion> open() {
    auto region = SharedRegion::open(dir_.path() / "region");
    EXPECT_TRUE(region.ok()) << region.error().what;
    return *std::move(region);
  }
  // Runs `body` in a process of its own, to its end.
  static void in_another_process(const std::function<void()>& body) {
    const pid_t pid = fork();
    if (pid == 0) {
      body();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }

  ScratchDir dir_;
};

TEST_F(SharedRegionTest, ACellIsTheSameForWhoeverAsksForItsName) {
  const auto region = open();
  const auto other = open();  // as another process has it
  (*region->cells("requests", 2))[1] = 7;
  EXPECT_EQ((*other->cells("requests", 2))[1], 7u);
  (*other->cells("failures", 1))[0] = 1;
  EXPECT_EQ((*region->cells("failures", 1))[0], 1u);
  EXPECT_EQ((*region->cells("failures", 2))[0], 0u) << "another size, cells of its own";
}

TEST_F(SharedRegionTest, CellsBeginOnACacheLine) {
  const auto region = open();
  for (const char* name : {"a", "some longer name that does not fit into one line of the cache", ""})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(region->cells(name, 3)->data()) % 64, 0u);
}

TEST_F(SharedRegionTest, WhatAProcessCountedStaysWhenItIsGone) {
  const auto region = open();
  in_another_process([&] {
    auto mine = open();
    (*mine->cells("requests", 1))[0] = 41;
  });
  in_another_process([&] { (*region->cells("requests", 1))[0]++; });  // through inherited memory
  EXPECT_EQ((*region->cells("requests", 1))[0], 42u);
}

TEST_F(SharedRegionTest, WhoeverFindsNobodyElseStartsFromZero) {
  {
    const auto region = open();
    EXPECT_TRUE(region->fresh());
    (*region->cells("requests", 1))[0] = 7;
    const auto joined = open();
    EXPECT_FALSE(joined->fresh());
    EXPECT_EQ((*joined->cells("requests", 1))[0], 7u);
  }
  const auto later = open();
  EXPECT_TRUE(later->fresh());
  EXPECT_EQ((*later->cells("requests", 1))[0], 0u);
}

TEST_F(SharedRegionTest, EveryNameIsVisitedInTheOrderOfMaking) {
  const auto region = open();
  ASSERT_TRUE(region->cells("b", 1).ok());
  ASSERT_TRUE(open()->cells("a", 2).ok());
  std::string seen;
  region->each([&](std::string_view name, std::span<Cell> cells) {
    seen += std::string(name) + std::to_string(cells.size()) + " ";
  });
  EXPECT_EQ(seen, "b1 a2 ");
}

TEST_F(SharedRegionTest, AFullRegionSaysSoAndKeepsWhatItHas) {
  const auto region = SharedRegion::private_memory();
  ASSERT_TRUE(region->cells("first", 1).ok());
  EXPECT_TRUE(region->cells("huge", SIZE_MAX / 8).is(Errc::kNoSpace));
  size_t made = 0;
  while (region->cells(std::to_string(made), 500).ok()) ++made;
  EXPECT_GT(made, 900u);
  EXPECT_TRUE(region->cells("one more", 500).is(Errc::kNoSpace));
  EXPECT_TRUE(region->cells("first", 1).ok());
}

// The processes die holding the lock or not, wherever the signal finds them.
TEST_F(SharedRegionTest, AProcessKilledWhileMakingCellsBlocksNobody) {
  const auto region = open();
  for (int round = 0; round < 20; ++round) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      for (size_t i = 0;; ++i) {
        static_cast<void>(region->cells(std::to_string(round * 1000 + static_cast<int>(i % 1000)), 1));
        if (i == 10 && write(ready[1], "x", 1) != 1) _exit(1);
      }
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    close(ready[0]);
    close(ready[1]);
    ASSERT_TRUE(region->cells("mine " + std::to_string(round), 1).ok());
  }
}

TEST_F(SharedRegionTest, AFileThatCannotBeMappedIsNamed) {
  const auto region = SharedRegion::open(dir_.path() / "missing" / "region");
  ASSERT_TRUE(region.is(Errc::kUnavailable));
  EXPECT_THAT(region.error().what, testing::HasSubstr("missing/region"));
}

}  // namespace
}  // namespace daruma::service
