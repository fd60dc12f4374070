// The fault model of the simulated disk, promise by promise. Whoever writes a crash test relies on these.
#include "os/sim_file_system.h"

#include <gmock/gmock.h>

#include <set>

#include "os/files.h"

namespace daruma {
namespace {

using Fault = SimFileSystem::Fault;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

constexpr uint64_t kSeeds = 64;

std::unique_ptr<File> make(SimFileSystem& disk, const Path& path) { return *disk.create(path, 0600); }

// A file whose bytes and name are durable.
std::unique_ptr<File> make_durable(SimFileSystem& disk, const Path& path, std::string_view text) {
  auto file = make(disk, path);
  EXPECT_TRUE(file->write_at(0, as_bytes(text)).ok());
  EXPECT_TRUE(file->sync().ok());
  EXPECT_TRUE(disk.sync_dir("/").ok());
  return file;
}

std::string text_of(SimFileSystem& disk, const Path& path) {
  const auto bytes = read_file(disk, path, 1 << 20);
  return bytes.ok() ? std::string(as_text(*bytes)) : "error";
}

std::string names_in(SimFileSystem& disk) {
  std::string all;
  for (const DirectoryEntry& entry : *disk.list_dir("/")) all += entry.name;
  return all;
}

// `story` on one disk per seed, then a power cut; the set of what `look` sees afterwards.
template <class Story, class Look>
std::set<std::string> outcomes(Story story, Look look) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimFileSystem disk(seed);
    story(disk);
    disk.power_cut();
    seen.insert(look(disk));
  }
  return seen;
}

void write(File& file, uint64_t offset, std::string_view text) {
  ASSERT_TRUE(file.write_at(offset, as_bytes(text)).ok());
}

// The characters at the beginnings of a file's sectors; '0' for a zero byte.
std::string sectors(SimFileSystem& disk, const Path& path) {
  const std::string text = text_of(disk, path);
  std::string firsts;
  for (size_t at = 0; at < text.size(); at += 512) firsts += text[at] == '\0' ? '0' : text[at];
  return firsts;
}

TEST(SimDisk, SeedZeroKeepsNothingThatWasNotSynced) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "durable");
  write(*file, 0, "changed and longer");
  make(disk, "/new");
  ASSERT_TRUE(disk.create_dir("/d", 0700).ok());
  disk.power_cut();
  EXPECT_EQ(text_of(disk, "/f"), "durable");
  EXPECT_EQ(names_in(disk), "f");
}

TEST(SimDisk, WhatWasSyncedSurvivesEverySeed) {
  const auto seen = outcomes([](SimFileSystem& disk) { make_durable(disk, "/f", std::string(2000, 'x')); },
                             [](SimFileSystem& disk) { return text_of(disk, "/f"); });
  EXPECT_THAT(seen, ElementsAre(std::string(2000, 'x')));
}

TEST(SimDisk, ASyncedFileWithoutASyncedNameMayBeLost) {
  const auto story = [](SimFileSystem& disk) {
    const auto file = make(disk, "/f");
    write(*file, 0, "x");
    ASSERT_TRUE(file->sync().ok());
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return text_of(disk, "/f"); }),
              ElementsAre("error", "x"));
}

TEST(SimDisk, ASyncedNameSaysNothingOfTheBytes) {
  const auto story = [](SimFileSystem& disk) {
    write(*make(disk, "/f"), 0, "x");
    ASSERT_TRUE(disk.sync_dir("/").ok());
  };
  // Empty, grown but without the bytes, and whole.
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return text_of(disk, "/f"); }),
              ElementsAre("", std::string(1, '\0'), "x"));
}

TEST(SimDisk, ASyncedVolumeKeepsAllBytesAndNames) {
  const auto story = [](SimFileSystem& disk) {
    const auto volume = *disk.open_volume("/");
    write(*make(disk, "/f"), 0, "x");
    ASSERT_TRUE(disk.create_dir("/d", 0700).ok());
    write(*make(disk, "/d/g"), 0, "y");
    ASSERT_TRUE(volume->sync().ok());
    make(disk, "/later");
  };
  EXPECT_THAT(
      outcomes(story, [](SimFileSystem& disk) { return text_of(disk, "/f") + text_of(disk, "/d/g"); }),
      ElementsAre("xy"));
}

TEST(SimDisk, AVolumeFromBeforeThePowerCutSyncsNothing) {
  SimFileSystem disk;
  const auto volume = *disk.open_volume("/");
  disk.power_cut();
  make(disk, "/f");
  EXPECT_TRUE(volume->sync().is(Errc::kFailed));
  disk.power_cut();
  EXPECT_EQ(names_in(disk), "");
}

TEST(SimDisk, EverySectorOfAWriteSurvivesByItself) {
  const auto story = [](SimFileSystem& disk) {
    write(*make_durable(disk, "/f", std::string(1536, 'o')), 0, std::string(1536, 'n'));
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return sectors(disk, "/f"); }),
              ElementsAre("nnn", "nno", "non", "noo", "onn", "ono", "oon", "ooo"));
}

TEST(SimDisk, ASectorWrittenTwiceMayComeBackInAnyOfItsStates) {
  const auto story = [](SimFileSystem& disk) {
    const auto file = make_durable(disk, "/f", "o");
    write(*file, 0, "1");
    write(*file, 0, "2");
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return text_of(disk, "/f"); }),
              ElementsAre("1", "2", "o"));
}

TEST(SimDisk, ATruncationIsUndoneOrKept) {
  const auto story = [](SimFileSystem& disk) {
    ASSERT_TRUE(make_durable(disk, "/f", std::string(1024, 'o'))->truncate(512).ok());
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return sectors(disk, "/f"); }),
              ElementsAre("o", "o0", "oo"));
}

TEST(SimDisk, EveryNameSurvivesByItself) {
  const auto story = [](SimFileSystem& disk) {
    make_durable(disk, "/a", "");
    make(disk, "/b");
    make(disk, "/c");
    ASSERT_TRUE(disk.remove_file("/a").ok());
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return names_in(disk); }),
              ElementsAre("", "a", "ab", "abc", "ac", "b", "bc", "c"));
}

TEST(SimDisk, ARenameHappenedOrNot) {
  const auto story = [](SimFileSystem& disk) {
    make_durable(disk, "/a", "new");
    make_durable(disk, "/b", "old");
    ASSERT_TRUE(disk.rename("/a", "/b").ok());
  };
  EXPECT_THAT(
      outcomes(story, [](SimFileSystem& disk) { return text_of(disk, "/a") + " " + text_of(disk, "/b"); }),
      ElementsAre("error new", "new old"));
}

TEST(SimDisk, AFileRenamedTwiceKeepsOneName) {
  const auto story = [](SimFileSystem& disk) {
    make_durable(disk, "/a", "");
    ASSERT_TRUE(disk.rename("/a", "/b").ok());
    ASSERT_TRUE(disk.rename("/b", "/c").ok());
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return names_in(disk); }),
              ElementsAre("a", "b", "c"));
}

TEST(SimDisk, ARenameToAnotherDirectoryNeedsBothSynced) {
  const auto story = [](SimFileSystem& disk) {
    make_durable(disk, "/f", "x");
    ASSERT_TRUE(create_dirs(disk, "/d").ok());
    ASSERT_TRUE(disk.rename("/f", "/d/f").ok());
    ASSERT_TRUE(disk.sync_dir("/").ok());
  };
  const auto look = [](SimFileSystem& disk) { return names_in(disk) + " " + text_of(disk, "/d/f"); };
  EXPECT_THAT(outcomes(story, look), ElementsAre("d error", "d x"));
}

TEST(SimDisk, WhatLiesInALostDirectoryIsLost) {
  SimFileSystem disk;
  ASSERT_TRUE(disk.create_dir("/d", 0700).ok());
  ASSERT_TRUE(replace_file(disk, "/d/f", as_bytes("x")).ok());
  EXPECT_THAT(disk.durable_files(), ElementsAre());
  disk.power_cut();
  EXPECT_FALSE(*exists(disk, "/d"));
}

TEST(SimDisk, TheSameSeedLosesTheSame) {
  for (uint64_t seed = 1; seed < 8; ++seed) {
    std::string first;
    for (int run = 0; run < 2; ++run) {
      SimFileSystem disk(seed);
      write(*make_durable(disk, "/f", std::string(20'000, 'o')), 0, std::string(20'000, 'n'));
      disk.power_cut();
      if (run == 0) first = text_of(disk, "/f");
      EXPECT_EQ(text_of(disk, "/f"), first);
    }
  }
}

TEST(SimDisk, ASecondPowerCutTakesNothingMore) {
  SimFileSystem disk(7);
  write(*make_durable(disk, "/f", std::string(5000, 'o')), 0, std::string(9000, 'n'));
  make(disk, "/g");
  disk.power_cut();
  const std::string text = text_of(disk, "/f"), names = names_in(disk);
  disk.power_cut();
  EXPECT_EQ(text_of(disk, "/f"), text);
  EXPECT_EQ(names_in(disk), names);
}

TEST(SimDisk, HoweverManyFilesWereWrittenNoneIsForgotten) {
  SimFileSystem disk;
  for (int i = 0; i < 500; ++i) make_durable(disk, "/" + std::to_string(i), "old");
  for (int i = 0; i < 500; ++i) write(**disk.open_write("/" + std::to_string(i)), 0, "new");
  disk.power_cut();
  for (int i = 0; i < 500; ++i) EXPECT_EQ(text_of(disk, "/" + std::to_string(i)), "old");
}

TEST(SimDisk, AFullDiskTakesAnAppendWholeOrNotAtAll) {
  SimFileSystem disk;
  const auto file = *disk.open_append("/f", 0640);
  ASSERT_TRUE(file->append(as_bytes("one\n")).ok());
  disk.set_full(true);
  EXPECT_TRUE(file->append(as_bytes("two\n")).is(Errc::kNoSpace));
  disk.set_full(false);
  ASSERT_TRUE(file->append(as_bytes("three\n")).ok());
  EXPECT_EQ(text_of(disk, "/f"), "one\nthree\n");
}

TEST(SimDisk, AnAppendIsTornByAPowerCutAndItsFileIsGoneFromItsHolder) {
  SimFileSystem disk;
  const auto file = *disk.open_append("/f", 0640);
  disk.fail_call(1, SimFileSystem::Fault::kTorn);
  EXPECT_TRUE(file->append(as_bytes("1234")).is(Errc::kFailed));
  disk.power_cut();
  EXPECT_TRUE(file->append(as_bytes("5")).is(Errc::kFailed));
  EXPECT_FALSE(file->still_named().ok());
}

TEST(SimDisk, OnlyCallsThatChangeOrSyncAreCounted) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "x");  // create, write, sync, sync_dir
  EXPECT_EQ(disk.calls(), 4u);
  text_of(disk, "/f");
  names_in(disk);
  ASSERT_TRUE(disk.info("/f").ok());
  ASSERT_TRUE(disk.open_write("/f").ok());
  EXPECT_EQ(disk.calls(), 4u);
}

TEST(SimDisk, TheNthCallFailsAndNoOther) {
  SimFileSystem disk;
  disk.fail_call(2, Fault::kError);
  EXPECT_TRUE(disk.create_dir("/a", 0700).ok());
  EXPECT_FALSE(disk.fault_met());
  const Status failed = disk.create_dir("/b", 0700);
  ASSERT_TRUE(failed.is(Errc::kFailed));
  EXPECT_EQ(failed.error().what, "cannot create directory '/b': Input/output error");
  EXPECT_TRUE(disk.fault_met());
  EXPECT_TRUE(disk.create_dir("/c", 0700).ok());
  EXPECT_EQ(names_in(disk), "ac");
}

TEST(SimDisk, AFailedSyncMakesNothingDurable) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "old");
  write(*file, 0, "new");
  disk.fail_call(1, Fault::kError);
  EXPECT_FALSE(file->sync().ok());
  disk.power_cut();
  EXPECT_EQ(text_of(disk, "/f"), "old");
}

TEST(SimDisk, AFullDiskTakesAPartOfAWrite) {
  SimFileSystem disk;
  const auto file = make(disk, "/f");
  disk.fail_call(1, Fault::kFull);
  EXPECT_TRUE(file->write_at(0, as_bytes("12345678")).is(Errc::kNoSpace));
  EXPECT_EQ(text_of(disk, "/f"), "1234");
  EXPECT_TRUE(file->write_at(0, as_bytes("12345678")).ok());
}

TEST(SimDisk, AFullDiskWaitsForACallThatNeedsSpace) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "old");
  disk.fail_call(1, Fault::kFull);
  write(*file, 0, "new");
  EXPECT_TRUE(file->sync().ok());
  EXPECT_FALSE(disk.fault_met());
  EXPECT_TRUE(disk.link("/f", "/g").is(Errc::kNoSpace));
  EXPECT_TRUE(disk.fault_met());
}

TEST(SimDisk, WhileItIsFullRemovingAndReadingWork) {
  SimFileSystem disk;
  make_durable(disk, "/f", "x");
  disk.set_full(true);
  EXPECT_EQ(*disk.free_bytes("/"), 0u);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(disk.create("/g", 0600).is(Errc::kNoSpace));
  EXPECT_EQ(text_of(disk, "/f"), "x");
  EXPECT_TRUE(disk.remove_file("/f").ok());
  disk.set_full(false);
  EXPECT_TRUE(disk.create("/g", 0600).ok());
}

TEST(SimDisk, AfterATornWriteNothingWorksUntilThePowerIsBack) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "old");
  disk.fail_call(1, Fault::kTorn);
  EXPECT_TRUE(file->write_at(0, as_bytes("new")).is(Errc::kFailed));
  EXPECT_TRUE(disk.fault_met());
  EXPECT_FALSE(disk.create("/g", 0600).ok());
  EXPECT_FALSE(file->sync().ok());
  EXPECT_FALSE(file->size().ok());
  EXPECT_FALSE(disk.info("/f").ok());
  EXPECT_FALSE(disk.list_dir("/").ok());
  EXPECT_FALSE(disk.open_read("/f").ok());
  disk.power_cut();
  EXPECT_EQ(text_of(disk, "/f"), "old");
  EXPECT_TRUE(disk.create("/g", 0600).ok());
}

TEST(SimDisk, ATornWriteLeavesAPartOfItself) {
  const auto story = [](SimFileSystem& disk) {
    const auto file = make_durable(disk, "/f", std::string(1024, 'o'));
    disk.fail_call(1, Fault::kTorn);
    EXPECT_FALSE(file->write_at(0, as_bytes(std::string(1024, 'n'))).ok());
  };
  EXPECT_THAT(outcomes(story, [](SimFileSystem& disk) { return sectors(disk, "/f"); }),
              ElementsAre("no", "oo"));
}

TEST(SimDisk, PowerLostInASyncMayHaveSyncedAndIsNeverReportedAsSuccess) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "old");
  write(*file, 0, "new");
  disk.fail_call(1, Fault::kPower);
  EXPECT_FALSE(file->sync().ok());
  disk.power_cut();
  EXPECT_EQ(text_of(disk, "/f"), "new");
}

TEST(SimDisk, PowerLostBeforeACallLeavesItUndone) {
  SimFileSystem disk;
  make_durable(disk, "/f", "");
  disk.fail_call(1, Fault::kTorn);
  EXPECT_FALSE(disk.remove_file("/f").ok());
  disk.power_cut();
  EXPECT_EQ(names_in(disk), "f");
}

TEST(SimDisk, APowerCutDisarmsThePendingFault) {
  SimFileSystem disk;
  disk.fail_call(1, Fault::kError);
  disk.power_cut();
  EXPECT_TRUE(disk.create("/f", 0600).ok());
}

TEST(SimDisk, OpenFilesDieWithThePowerAndLocksAreGone) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "x");
  const auto lock = disk.lock("/f");
  ASSERT_TRUE(lock.ok());
  disk.power_cut();
  Bytes out(1);
  EXPECT_TRUE(file->read_at(0, out).is(Errc::kFailed));
  EXPECT_TRUE(file->write_at(0, out).is(Errc::kFailed));
  EXPECT_TRUE(disk.lock("/f").ok());
}

TEST(SimDisk, ALockFromBeforeThePowerCutReleasesNobodysLock) {
  SimFileSystem disk;
  make_durable(disk, "/f", "x");
  auto old_lock = *disk.lock("/f");
  disk.power_cut();
  const auto lock = disk.lock("/f");
  old_lock.reset();
  EXPECT_TRUE(disk.lock("/f").is(Errc::kRefused));
}

TEST(SimDisk, DurableFilesAreThoseAPowerCutWouldLeave) {
  SimFileSystem disk;
  make_durable(disk, "/a", "x");
  ASSERT_TRUE(create_dirs(disk, "/d").ok());
  ASSERT_TRUE(replace_file(disk, "/d/b", as_bytes("x")).ok());
  make(disk, "/unsynced");
  ASSERT_TRUE(disk.remove_file("/a").ok());
  EXPECT_THAT(disk.durable_files(), UnorderedElementsAre("/a", "/d/b"));
}

TEST(SimDisk, DamageFlipsBitsThatAreDurable) {
  SimFileSystem disk;
  const auto file = make_durable(disk, "/f", "abc");
  write(*file, 3, "def");
  ASSERT_TRUE(disk.damage("/f", 1, std::byte{1}).ok());
  EXPECT_EQ(text_of(disk, "/f"), "accdef");
  EXPECT_TRUE(disk.damage("/f", 3, std::byte{1}).is(Errc::kInvalid));
  EXPECT_TRUE(disk.damage("/g", 0, std::byte{1}).is(Errc::kNotFound));
  disk.power_cut();
  EXPECT_EQ(text_of(disk, "/f"), "acc");
}

}  // namespace
}  // namespace daruma
