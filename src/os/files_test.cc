// The verbs of files.h on both file systems, and what a power cut at any moment leaves of them.
#include "os/files.h"

#include <gmock/gmock.h>

#include "os/scratch_dir.h"
#include "os/sim_file_system.h"

namespace daruma {
namespace {

struct Real {
  ScratchDir scratch;
  FileSystem& fs() { return scratch.fs(); }
  Path root() { return scratch.path(); }
};

struct Simulated {
  SimFileSystem disk;
  FileSystem& fs() { return disk; }
  Path root() { return "/"; }
};

std::string text_of(FileSystem& fs, const Path& path) {
  const auto bytes = read_file(fs, path, 1 << 20);
  return bytes.ok() ? std::string(as_text(*bytes)) : "error";
}

template <class Twin>
class FilesTest : public testing::Test {
 protected:
  FileSystem& fs() { return twin_.fs(); }
  Path at(const std::string& name) { return twin_.root() / name; }
  Twin twin_;
};
using Twins = testing::Types<Real, Simulated>;
TYPED_TEST_SUITE(FilesTest, Twins);

TYPED_TEST(FilesTest, AReplacedFileHasTheNewContentAndMode) {
  ASSERT_TRUE(replace_file(this->fs(), this->at("f"), as_bytes("one"), 0600).ok());
  ASSERT_TRUE(replace_file(this->fs(), this->at("f"), as_bytes("two"), 0400).ok());
  EXPECT_EQ(text_of(this->fs(), this->at("f")), "two");
  EXPECT_EQ(this->fs().info(this->at("f"))->mode, 0400u);
  EXPECT_EQ(this->fs().list_dir(this->at(""))->size(), 1u);
}

TYPED_TEST(FilesTest, WhatACrashedReplaceLeftIsInNobodysWay) {
  ASSERT_TRUE(this->fs().create(this->at("f.new"), 0600).ok());
  ASSERT_TRUE(replace_file(this->fs(), this->at("f"), as_bytes("x")).ok());
  EXPECT_EQ(text_of(this->fs(), this->at("f")), "x");
}

TYPED_TEST(FilesTest, AFileIsReadUpToItsLimit) {
  ASSERT_TRUE(replace_file(this->fs(), this->at("f"), as_bytes("12345")).ok());
  EXPECT_EQ(as_text(*read_file(this->fs(), this->at("f"), 5)), "12345");
  EXPECT_EQ(as_text(*read_file(this->fs(), this->at("f"), ~uint64_t{0})), "12345");
  EXPECT_TRUE(read_file(this->fs(), this->at("f"), 4).is(Errc::kInvalid));
  EXPECT_TRUE(read_file(this->fs(), this->at("missing"), 4).is(Errc::kNotFound));
}

TYPED_TEST(FilesTest, MissingParentsAreCreatedAndExistingOnesAreFine) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(create_dirs(this->fs(), this->at("a/b/c")).ok());
  ASSERT_TRUE(create_dirs(this->fs(), this->at("a/b/d/")).ok());
  EXPECT_EQ(this->fs().list_dir(this->at("a/b"))->size(), 2u);
  ASSERT_TRUE(this->fs().symlink("a", this->at("link")).ok());
  EXPECT_TRUE(create_dirs(this->fs(), this->at("link")).ok());
  EXPECT_TRUE(create_dirs(this->fs(), this->at("link/e")).ok());
}

TYPED_TEST(FilesTest, AFileInTheWayOfADirectoryIsNamed) {
  ASSERT_TRUE(replace_file(this->fs(), this->at("f"), as_bytes("x")).ok());
  const Status status = create_dirs(this->fs(), this->at("f"));
  ASSERT_TRUE(status.is(Errc::kExists));
  EXPECT_EQ(status.error().what,
            "cannot create directory '" + this->at("f").native() + "': a file has this name");
  EXPECT_FALSE(create_dirs(this->fs(), this->at("f/below")).ok());
}

TYPED_TEST(FilesTest, ExistsIsTrueForWhateverHasTheName) {
  ASSERT_TRUE(this->fs().symlink("nowhere", this->at("dangling")).ok());
  EXPECT_TRUE(*exists(this->fs(), this->at("dangling")));
  EXPECT_TRUE(*exists(this->fs(), this->at("")));
  EXPECT_FALSE(*exists(this->fs(), this->at("missing")));
}

TYPED_TEST(FilesTest, ATreeIsRemovedButNothingBehindItsLinks) {
  ASSERT_TRUE(create_dirs(this->fs(), this->at("keep")).ok());
  ASSERT_TRUE(replace_file(this->fs(), this->at("keep/f"), as_bytes("x")).ok());
  ASSERT_TRUE(create_dirs(this->fs(), this->at("tree/a/b")).ok());
  ASSERT_TRUE(replace_file(this->fs(), this->at("tree/a/f"), as_bytes("x")).ok());
  ASSERT_TRUE(this->fs().symlink(this->at("keep"), this->at("tree/a/link")).ok());
  ASSERT_TRUE(remove_tree(this->fs(), this->at("tree")).ok());
  ASSERT_TRUE(remove_tree(this->fs(), this->at("tree")).ok());
  EXPECT_FALSE(*exists(this->fs(), this->at("tree")));
  EXPECT_EQ(text_of(this->fs(), this->at("keep/f")), "x");
}

TEST(RealFiles, FilesOfProcAreReadThoughTheySayTheyAreEmpty) {
  const auto fs = real_file_system();
  EXPECT_GT(read_file(*fs, "/proc/self/status", 1 << 16)->size(), 100u);
  EXPECT_TRUE(read_file(*fs, "/proc/self/status", 100).is(Errc::kInvalid));
}

// Method: the n-th call of a replacement fails, tears or loses power, for every n; then the power is cut for
// some seeds. Whatever was hit: the file is whole, old or new; new if success was reported; and it can be
// replaced again. Planted bugs that these seeds catch: no sync of the file, no sync of the directory, writing
// in place.
TEST(FilesFaults, AReplacedFileIsOldOrNewWhateverFails) {
  using Fault = SimFileSystem::Fault;
  for (const Fault fault : {Fault::kError, Fault::kFull, Fault::kTorn, Fault::kPower})
    for (uint64_t seed = 0; seed < 16; ++seed)
      for (uint64_t call = 1, met = true; met; ++call) {
        SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " call " + std::to_string(call) +
                     " seed " + std::to_string(seed));
        SimFileSystem disk(seed);
        const std::string old_text(3000, 'o'), new_text(2000, 'n');
        ASSERT_TRUE(replace_file(disk, "/f", as_bytes(old_text)).ok());
        disk.fail_call(call, fault);
        const Status replaced = replace_file(disk, "/f", as_bytes(new_text));
        met = disk.fault_met();
        EXPECT_EQ(replaced.ok(), !met);
        disk.power_cut();

        const std::string text = text_of(disk, "/f");
        EXPECT_TRUE(text == new_text || (text == old_text && !replaced.ok()));
        EXPECT_TRUE(replace_file(disk, "/f", as_bytes("again")).ok());
        EXPECT_EQ(text_of(disk, "/f"), "again");
      }
}

TEST(FilesFaults, CreatedDirectoriesSurviveWhenSuccessWasReported) {
  for (uint64_t seed = 0; seed < 16; ++seed) {
    SimFileSystem disk(seed);
    ASSERT_TRUE(disk.create_dir("/a", 0700).ok());  // by somebody who has not synced it
    ASSERT_TRUE(create_dirs(disk, "/a/b/c").ok());
    ASSERT_TRUE(create_dirs(disk, "/a").ok());
    disk.power_cut();
    EXPECT_TRUE(*exists(disk, "/a/b/c")) << seed;
  }
}

}  // namespace
}  // namespace daruma
