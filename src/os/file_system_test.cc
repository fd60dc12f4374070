// What every FileSystem does, on the real one and on the simulated disk: a test against the twin is worth as
// much as the twin is like the original, error codes included.
#include "os/file_system.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>

#include "os/files.h"
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

template <class Twin>
class FileSystemTest : public testing::Test {
 protected:
  FileSystem& fs() { return twin_.fs(); }
  Path at(const std::string& name) { return twin_.root() / name; }
  void write(const std::string& name, std::string_view text) {
    auto file = fs().create(at(name), 0600);
    ASSERT_TRUE(file.ok()) << file.error().what;
    ASSERT_TRUE((*file)->write_at(0, as_bytes(text)).ok());
  }
  std::string read(const std::string& name) {
    const auto bytes = read_file(fs(), at(name), 1 << 20);
    return bytes.ok() ? std::string(as_text(*bytes)) : "error: " + bytes.error().what;
  }
  std::string names(const std::string& name) {
    std::string all;
    for (const DirectoryEntry& entry : *fs().list_dir(at(name))) all += entry.name + " ";
    return all;
  }
  void make_dir(const std::string& name) { ASSERT_TRUE(fs().create_dir(at(name), 0700).ok()); }

  Twin twin_;
};
using Twins = testing::Types<Real, Simulated>;
TYPED_TEST_SUITE(FileSystemTest, Twins);

TYPED_TEST(FileSystemTest, BytesAreReadBackWhereTheyWereWritten) {
  auto file = *this->fs().create(this->at("f"), 0600);
  ASSERT_TRUE(file->write_at(0, as_bytes("0123456789")).ok());
  ASSERT_TRUE(file->write_at(8, as_bytes("abc")).ok());
  EXPECT_EQ(*file->size(), 11u);
  EXPECT_EQ(this->read("f"), "01234567abc");
}

TYPED_TEST(FileSystemTest, AReadIsShortOnlyAtTheEnd) {
  this->write("f", "0123456789");
  const auto file = *this->fs().open_read(this->at("f"));
  Bytes out(4);
  EXPECT_EQ(*file->read_at(3, out), 4u);
  EXPECT_EQ(as_text(out), "3456");
  EXPECT_EQ(*file->read_at(8, out), 2u);
  EXPECT_EQ(*file->read_at(10, out), 0u);
  EXPECT_EQ(*file->read_at(1000, out), 0u);
}

TYPED_TEST(FileSystemTest, AGapIsZeros) {
  auto file = *this->fs().create(this->at("f"), 0600);
  ASSERT_TRUE(file->write_at(3, as_bytes("x")).ok());
  EXPECT_EQ(this->read("f"), std::string("\0\0\0x", 4));
}

TYPED_TEST(FileSystemTest, TruncationCutsAndGrowsWithZeros) {
  this->write("f", "0123456789");
  auto file = *this->fs().open_write(this->at("f"));
  ASSERT_TRUE(file->truncate(2).ok());
  ASSERT_TRUE(file->truncate(4).ok());
  EXPECT_EQ(this->read("f"), std::string("01\0\0", 4));
  EXPECT_TRUE(file->sync().ok());
}

TYPED_TEST(FileSystemTest, CreateNeverTouchesWhatIsThere) {
  this->write("f", "first");
  this->make_dir("d");
  ASSERT_TRUE(this->fs().symlink("nowhere", this->at("s")).ok());
  for (const char* name : {"f", "d", "s"}) {
    EXPECT_TRUE(this->fs().create(this->at(name), 0600).is(Errc::kExists)) << name;
    EXPECT_TRUE(this->fs().create_dir(this->at(name), 0700).is(Errc::kExists)) << name;
  }
  EXPECT_EQ(this->read("f"), "first");
}

TYPED_TEST(FileSystemTest, WhatIsMissingIsNotFoundAlsoBelowAFile) {
  this->write("f", "x");
  for (const char* name : {"missing", "missing/x", "f/x"}) {
    SCOPED_TRACE(name);
    const Path path = this->at(name);
    EXPECT_TRUE(this->fs().open_read(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().open_write(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().list_dir(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().sync_dir(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().info(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().set_mode(path, 0600).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().remove_file(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().remove_dir(path).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().rename(path, this->at("to")).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().link(path, this->at("to")).is(Errc::kNotFound));
    EXPECT_TRUE(this->fs().read_symlink(path).is(Errc::kNotFound));
  }
  EXPECT_TRUE(this->fs().create(this->at("missing/x"), 0600).is(Errc::kNotFound));
  EXPECT_TRUE(this->fs().create_dir(this->at("f/x"), 0700).is(Errc::kNotFound));
}

TYPED_TEST(FileSystemTest, AnErrorNamesThePathAndTheCause) {
  const Path path = this->at("missing");
  EXPECT_EQ(this->fs().open_read(path).error().what,
            "cannot open '" + path.native() + "': No such file or directory");
}

TYPED_TEST(FileSystemTest, FilesAndDirectoriesAreNotTakenForEachOther) {
  this->write("f", "x");
  this->make_dir("d");
  EXPECT_TRUE(this->fs().open_read(this->at("d")).is(Errc::kFailed));
  EXPECT_TRUE(this->fs().open_write(this->at("d")).is(Errc::kFailed));
  EXPECT_TRUE(this->fs().remove_file(this->at("d")).is(Errc::kFailed));
  EXPECT_FALSE(this->fs().remove_dir(this->at("f")).ok());
  EXPECT_FALSE(this->fs().list_dir(this->at("f")).ok());
  EXPECT_EQ(this->names(""), "d f ");
}

TYPED_TEST(FileSystemTest, AFileOpenedForReadingIsNotWritten) {
  this->write("f", "x");
  auto file = *this->fs().open_read(this->at("f"));
  EXPECT_TRUE(file->write_at(0, as_bytes("y")).is(Errc::kFailed));
  EXPECT_FALSE(file->truncate(0).ok());
  EXPECT_EQ(this->read("f"), "x");
}

TYPED_TEST(FileSystemTest, AListIsSortedAndKnowsTheTypes) {
  this->make_dir("d");
  this->write("d/b", "");
  this->make_dir("d/a");
  ASSERT_TRUE(this->fs().symlink("b", this->at("d/c")).ok());
  const auto entries = *this->fs().list_dir(this->at("d"));
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].type, FileType::kDirectory);
  EXPECT_EQ(entries[1].type, FileType::kFile);
  EXPECT_EQ(entries[2].type, FileType::kSymlink);
}

TYPED_TEST(FileSystemTest, InfoTellsTypeSizeAndMode) {
  this->write("f", "12345");
  ASSERT_TRUE(this->fs().set_mode(this->at("f"), 0640).ok());
  const FileInfo info = *this->fs().info(this->at("f"));
  EXPECT_EQ(info.type, FileType::kFile);
  EXPECT_EQ(info.size, 5u);
  EXPECT_EQ(info.mode, 0640u);
  EXPECT_GT(info.modified.micros, 1'600'000'000'000'000);
  EXPECT_EQ(this->fs().info(this->at("."))->type, FileType::kDirectory);
}

TYPED_TEST(FileSystemTest, RenameReplacesAFileAtomically) {
  this->write("new", "new");
  this->write("old", "old");
  ASSERT_TRUE(this->fs().rename(this->at("new"), this->at("old")).ok());
  EXPECT_EQ(this->names(""), "old ");
  EXPECT_EQ(this->read("old"), "new");
}

TYPED_TEST(FileSystemTest, RenameMovesATreeButNotOntoWhatHasContent) {
  this->make_dir("a");
  this->write("a/f", "x");
  this->make_dir("b");
  this->write("b/g", "y");
  this->make_dir("empty");
  this->write("file", "");
  EXPECT_TRUE(this->fs().rename(this->at("a"), this->at("b")).is(Errc::kFailed));
  EXPECT_FALSE(this->fs().rename(this->at("a"), this->at("file")).ok());
  EXPECT_FALSE(this->fs().rename(this->at("file"), this->at("b")).ok());
  EXPECT_TRUE(this->fs().rename(this->at("a"), this->at("a/below")).is(Errc::kFailed));
  ASSERT_TRUE(this->fs().rename(this->at("a"), this->at("empty")).ok());
  ASSERT_TRUE(this->fs().rename(this->at("empty"), this->at("b/a")).ok());
  EXPECT_EQ(this->read("b/a/f"), "x");
}

TYPED_TEST(FileSystemTest, RenameOntoAnotherNameOfTheSameFileChangesNothing) {
  this->write("f", "x");
  ASSERT_TRUE(this->fs().link(this->at("f"), this->at("g")).ok());
  ASSERT_TRUE(this->fs().rename(this->at("f"), this->at("g")).ok());
  EXPECT_EQ(this->names(""), "f g ");
}

TYPED_TEST(FileSystemTest, ALinkIsASecondNameAndNeverTakesOne) {
  this->write("f", "x");
  this->write("taken", "y");
  ASSERT_TRUE(this->fs().link(this->at("f"), this->at("g")).ok());
  EXPECT_TRUE(this->fs().link(this->at("f"), this->at("taken")).is(Errc::kExists));
  ASSERT_TRUE(this->fs().remove_file(this->at("f")).ok());
  EXPECT_EQ(this->read("g"), "x");
  EXPECT_EQ(this->read("taken"), "y");
}

TYPED_TEST(FileSystemTest, DirectoriesTakeNoSecondName) {
  this->make_dir("d");
  EXPECT_TRUE(this->fs().link(this->at("d"), this->at("e")).is(Errc::kRefused));
}

TYPED_TEST(FileSystemTest, AnOpenFileOutlivesItsName) {
  this->write("f", "x");
  const auto file = *this->fs().open_read(this->at("f"));
  ASSERT_TRUE(this->fs().remove_file(this->at("f")).ok());
  Bytes out(1);
  EXPECT_EQ(*file->read_at(0, out), 1u);
}

TYPED_TEST(FileSystemTest, OnlyAnEmptyDirectoryIsRemoved) {
  this->make_dir("d");
  this->write("d/f", "");
  EXPECT_TRUE(this->fs().remove_dir(this->at("d")).is(Errc::kFailed));
  ASSERT_TRUE(this->fs().remove_file(this->at("d/f")).ok());
  EXPECT_TRUE(this->fs().remove_dir(this->at("d")).ok());
  EXPECT_EQ(this->names(""), "");
}

TYPED_TEST(FileSystemTest, ASymbolicLinkIsFollowedInTheMiddleButNotByInfo) {
  this->make_dir("d");
  this->write("d/f", "x");
  ASSERT_TRUE(this->fs().symlink("d", this->at("relative")).ok());
  ASSERT_TRUE(this->fs().symlink(this->at("d"), this->at("absolute")).ok());
  for (const std::string link : {"relative", "absolute"}) {
    EXPECT_EQ(this->read(link + "/f"), "x");
    EXPECT_EQ(this->read(link + "/../d/./f"), "x");
    EXPECT_EQ(this->names(link), "f ");
    EXPECT_EQ(this->fs().info(this->at(link))->type, FileType::kSymlink);
    EXPECT_EQ(this->fs().info(this->at(link) / ".")->type, FileType::kDirectory);
  }
  EXPECT_EQ(*this->fs().read_symlink(this->at("relative")), "d");
  EXPECT_TRUE(this->fs().read_symlink(this->at("d")).is(Errc::kFailed));
}

TYPED_TEST(FileSystemTest, ADanglingOrCircularLinkIsAnError) {
  ASSERT_TRUE(this->fs().symlink("nowhere", this->at("dangling")).ok());
  ASSERT_TRUE(this->fs().symlink("circle", this->at("circle")).ok());
  EXPECT_TRUE(this->fs().open_read(this->at("dangling")).is(Errc::kNotFound));
  EXPECT_TRUE(this->fs().open_read(this->at("circle")).is(Errc::kFailed));
  EXPECT_TRUE(this->fs().remove_file(this->at("circle")).ok());
}

TYPED_TEST(FileSystemTest, ALockIsHeldByOneUntilItsEnd) {
  {
    const auto lock = this->fs().lock(this->at("lock"));
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(this->fs().lock(this->at("lock")).is(Errc::kRefused));
    EXPECT_TRUE(this->fs().lock(this->at("other")).ok());
  }
  EXPECT_TRUE(this->fs().lock(this->at("lock")).ok());
}

TYPED_TEST(FileSystemTest, WhatIsAppendedStandsBehindWhatOthersAppended) {
  this->write("f", "0");
  const auto one = *this->fs().open_append(this->at("f"), 0640);
  const auto other = *this->fs().open_append(this->at("f"), 0640);
  ASSERT_TRUE(one->append(as_bytes("1")).ok());
  ASSERT_TRUE(other->append(as_bytes("2")).ok());
  ASSERT_TRUE(one->append(as_bytes("3")).ok());
  EXPECT_EQ(this->read("f"), "0123");
  EXPECT_EQ(*other->size(), 4u);
}

TYPED_TEST(FileSystemTest, AppendingCreatesAFileThatIsMissing) {
  ASSERT_TRUE((*this->fs().open_append(this->at("f"), 0640))->append(as_bytes("x")).ok());
  EXPECT_EQ(this->read("f"), "x");
  EXPECT_TRUE(this->fs().open_append(this->at("missing/f"), 0640).is(Errc::kNotFound));
  this->make_dir("d");
  EXPECT_TRUE(this->fs().open_append(this->at("d"), 0640).is(Errc::kFailed));
}

TYPED_TEST(FileSystemTest, AnAppenderKnowsWhetherItsPathStillNamesItsFile) {
  const auto file = *this->fs().open_append(this->at("f"), 0640);
  EXPECT_TRUE(*file->still_named());
  ASSERT_TRUE(this->fs().rename(this->at("f"), this->at("f.1")).ok());
  EXPECT_FALSE(*file->still_named());
  const auto next = *this->fs().open_append(this->at("f"), 0640);
  EXPECT_FALSE(*file->still_named());
  EXPECT_TRUE(*next->still_named());
  ASSERT_TRUE(file->append(as_bytes("late")).ok());
  EXPECT_EQ(this->read("f.1"), "late");
  ASSERT_TRUE(this->fs().remove_file(this->at("f")).ok());
  EXPECT_FALSE(*next->still_named());
}

TYPED_TEST(FileSystemTest, ThereIsFreeSpace) {
  EXPECT_GT(*this->fs().free_bytes(this->at(".")), 0u);
  EXPECT_GE(*this->fs().total_bytes(this->at(".")), *this->fs().free_bytes(this->at(".")));
  EXPECT_TRUE(this->fs().total_bytes(this->at("missing")).is(Errc::kNotFound));
  EXPECT_TRUE(this->fs().free_bytes(this->at("missing")).is(Errc::kNotFound));
}

TYPED_TEST(FileSystemTest, SyncsSucceed) {
  auto file = *this->fs().create(this->at("f"), 0600);
  EXPECT_TRUE(file->sync().ok());
  EXPECT_TRUE(this->fs().sync_dir(this->at("")).ok());
  EXPECT_TRUE((*this->fs().open_volume(this->at("")))->sync().ok());
}

TYPED_TEST(FileSystemTest, AVolumeIsNamedByADirectoryOnIt) {
  auto file = *this->fs().create(this->at("f"), 0600);
  EXPECT_FALSE(this->fs().open_volume(this->at("f")).ok());
  EXPECT_TRUE(this->fs().open_volume(this->at("missing")).is(Errc::kNotFound));
}

TEST(RealFileSystem, AFullDiskIsNoSpace) {
  auto file = real_file_system()->open_write("/dev/full");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->write_at(0, as_bytes("x")).is(Errc::kNoSpace));
}

TEST(RealFileSystem, AnAppendThatDoesNotFitLeavesNoPart) {
  ScratchDir scratch;
  const auto append_to_a_file_of_ten_bytes_at_most = [&] {
    const rlimit ten{10, 10};
    const auto file = *scratch.fs().open_append(scratch.path() / "f", 0640);
    const bool ready = std::signal(SIGXFSZ, SIG_IGN) != SIG_ERR && ::setrlimit(RLIMIT_FSIZE, &ten) == 0 &&
                       file->append(as_bytes("12345\n")).ok();
    std::_Exit(ready && !file->append(as_bytes("1234567\n")).ok() && file->append(as_bytes("1\n")).ok() ? 0
                                                                                                        : 1);
  };
  EXPECT_EXIT(append_to_a_file_of_ten_bytes_at_most(), testing::ExitedWithCode(0), "");
  EXPECT_EQ(as_text(*read_file(scratch.fs(), scratch.path() / "f", 100)), "12345\n1\n");
}

TEST(RealFileSystem, AnAppendDoesNotWaitForAHolderOfTheLock) {
  ScratchDir scratch;
  const Path path = scratch.path() / "f";
  const auto file = *scratch.fs().open_append(path, 0640);
  const auto holder = scratch.fs().lock(path);
  ASSERT_TRUE(holder.ok());
  EXPECT_TRUE(file->append(as_bytes("x")).ok());
}

TEST(RealFileSystem, WhatTheKernelForbidsIsRefused) {
  EXPECT_TRUE(real_file_system()->create_dir("/proc/daruma").is(Errc::kNotFound));
  EXPECT_TRUE(real_file_system()->set_mode("/proc/self/stat", 0600).is(Errc::kRefused));
}

}  // namespace
}  // namespace daruma
