// The directory store on a real directory.
#include "storage/directory_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "os/scratch_dir.h"
#include "storage/object_store_conformance.h"

namespace daruma {
namespace {

struct OnRealDirectory {
  static constexpr bool kHasTails = true;
  ObjectStore& store() { return *open_; }
  ObjectStore& reopen() { return *(open_ = *open_directory_store(scratch_.fs(), *random_, scratch_.path())); }

  ScratchDir scratch_;
  std::unique_ptr<Random> random_ = real_random();
  std::unique_ptr<ObjectStore> open_ = *open_directory_store(scratch_.fs(), *random_, scratch_.path());
};
INSTANTIATE_TYPED_TEST_SUITE_P(RealDirectory, ObjectStoreConformance, OnRealDirectory);

class DirectoryStoreTest : public testing::Test, protected OnRealDirectory {
 protected:
  FileSystem& fs() { return scratch_.fs(); }
  const Path& root() { return scratch_.path(); }
  void make_staged(const std::string& name, Duration age) {
    const Path path = root() / ".staging" / name;
    ASSERT_TRUE(create_dirs(fs(), root() / ".staging").ok());
    ASSERT_TRUE(fs().create(path).ok());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    const timespec then{fs().info(path)->modified.micros / 1'000'000 - seconds, 0};
    const timespec times[2] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
};

TEST_F(DirectoryStoreTest, AnObjectIsAPlainFileUnderItsName) {
  ASSERT_TRUE(store().put("packs/ab/cd", as_bytes("bytes")).ok());
  EXPECT_EQ(as_text(*read_file(fs(), root() / "packs/ab/cd", 100)), "bytes");
}

TEST_F(DirectoryStoreTest, NothingStaysBehindInStaging) {
  ASSERT_TRUE(store().put("a", as_bytes("x")).ok());
  ASSERT_TRUE(store().put("a", as_bytes("y")).is(Errc::kExists));
  EXPECT_TRUE(fs().list_dir(root() / ".staging")->empty());
}

TEST_F(DirectoryStoreTest, OpeningSweepsWhatCrashedWritersLeftADayAgoAndNothingYounger) {
  make_staged("old", 25h);
  make_staged("young", 23h);
  reopen();
  EXPECT_FALSE(*exists(fs(), root() / ".staging/old"));
  EXPECT_TRUE(*exists(fs(), root() / ".staging/young"));
  EXPECT_EQ(fs().list_dir(root() / ".staging")->size(), 1u);
}

TEST_F(DirectoryStoreTest, ARootThatIsMissingOrAFileIsNotFound) {
  ASSERT_TRUE(fs().create(root() / "file").ok());
  EXPECT_TRUE(open_directory_store(fs(), *random_, root() / "missing").is(Errc::kNotFound));
  EXPECT_TRUE(open_directory_store(fs(), *random_, root() / "file").is(Errc::kNotFound));
  EXPECT_TRUE(open_directory_store(fs(), *random_, "").is(Errc::kNotFound));
}

TEST_F(DirectoryStoreTest, OpeningWritesNothingSoThatAReadOnlyCopyCanBeRestoredFrom) {
  reopen();
  EXPECT_TRUE(fs().list_dir(root())->empty());
}

TEST_F(DirectoryStoreTest, ARootMayBeGivenWithDotsAndASlashAtItsEnd) {
  auto other = open_directory_store(fs(), *random_, root() / "." / "");
  ASSERT_TRUE(other.ok());
  EXPECT_TRUE((*other)->put("a/b", as_bytes("x")).ok());
  EXPECT_EQ((*other)->url(), "file://" + root().native());
}

TEST_F(DirectoryStoreTest, SymbolicLinksAndStrangeFilesAreNoObjects) {
  ASSERT_TRUE(store().put("a", as_bytes("x")).ok());
  ASSERT_TRUE(fs().symlink("a", root() / "link").ok());
  ASSERT_TRUE(fs().create(root() / ".hidden").ok());
  EXPECT_EQ(store().list("")->size(), 1u);
  EXPECT_TRUE(store().head("link").is(Errc::kNotFound));
}

}  // namespace
}  // namespace daruma
