// The golden repository of format version 1 is read as it was written, by this version and every later one.
//
// tests/data/format/v1: daruma.key; repository/, made by make_golden; contents.txt, what dump() says of it. A
// change that makes one of these tests fail makes repositories in the field unreadable: it needs a new format
// version, with files of its own beside these.
#include <gmock/gmock.h>

#include <filesystem>

#include "format/dump.h"
#include "format/golden.h"
#include "os/files.h"
#include "repository/verify.h"
#include "storage/directory_store.h"

namespace daruma {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

const Path kRoot = Path(DARUMA_TEST_DATA) / "format" / "v1";

class FormatV1Test : public testing::Test {
 protected:
  void SetUp() override { open(*parse_key_file(text("daruma.key"))); }

  void open(const KeyFile& key) {
    store_ = *open_directory_store(*fs_, *random_, kRoot / "repository");
    auto opened = Repository::open({{"golden", store_.get()}}, key, clock_, *random_);
    ASSERT_TRUE(opened.ok()) << opened.error().what;
    repository_ = *std::move(opened);
  }
  std::string text(const std::string& name) {
    const Bytes bytes = *read_file(*fs_, kRoot / name, 1 << 20);
    return std::string(as_text(bytes));
  }

  std::unique_ptr<FileSystem> fs_ = real_file_system();
  std::unique_ptr<Random> random_ = seeded_random(1);
  ManualClock clock_;
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<Repository> repository_;
};

TEST_F(FormatV1Test, EveryRecordOfEveryObjectSaysWhatItSaid) {
  const auto dumped = golden::dump(*repository_);
  ASSERT_TRUE(dumped.ok()) << dumped.error().what;
  EXPECT_EQ(*dumped, text("contents.txt"));
}

TEST_F(FormatV1Test, ThePassphraseOpensItToo) {
  const Bytes object = *store_->get("keys/00000001");
  const auto key = unwrap_with_passphrase(object, 1, golden::kPassphrase);
  ASSERT_TRUE(key.ok()) << key.error().what;
  EXPECT_EQ(print_key_file(*key), text("daruma.key"));
  open(*key);
}

TEST_F(FormatV1Test, TheFirstSnapshotComesBack) {
  const auto commits = *repository_->commits();
  ASSERT_EQ(commits.size(), 2u);
  EXPECT_EQ(*read_tree(*repository_, commits[0]), golden::first_tree());
}

TEST_F(FormatV1Test, ASnapshotWithPrefixFramesAndRecordsOfUnknownKindComesBack) {
  const auto commits = *repository_->commits();
  ASSERT_EQ(commits.size(), 2u);
  EXPECT_EQ(*read_tree(*repository_, commits[1]), golden::later_tree());
}

TEST_F(FormatV1Test, AnyBytesOfASnapshotCanBeReadAlone) {
  const auto commits = *repository_->commits();
  const auto snapshot = *SnapshotReader::open(*repository_, commits[1]);
  const FileEntry entry = *snapshot->find("base/16384");
  const Bytes whole = golden::later_tree().at("base/16384").bytes;
  EXPECT_EQ(*snapshot->read_range(entry, kPageSize + 90, 20),
            to_bytes(BytesView(whole).subspan(kPageSize + 90, 20)));
}

TEST_F(FormatV1Test, TheLogComesBack) {
  const auto log = *LogReader::open(*repository_, golden::kStream);
  ASSERT_EQ(log->ranges().size(), 2u);
  EXPECT_EQ(*log->read(1, 4096, 9000 - 4096), golden::log_bytes(1, 4096, 9000));
  EXPECT_EQ(*log->read(2, 8192, 216), golden::log_bytes(2, 8192, 8408));
  EXPECT_EQ(log->histories().at(2), "1\t0/2328\tno recovery target specified\n");
  EXPECT_EQ(*log->summary(log->pieces()[1]), "branch 1 at 8192: 808 bytes");
}

TEST_F(FormatV1Test, VerifyFindsNothingWrongAndNamesTheFeatureThatItDoesNotKnow) {
  const auto report = verify(*repository_, {.read_data = true});
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->ok());
  EXPECT_EQ(report->snapshots_good, 2u);
  const std::string strange = "packs/ff/" + std::string(32, 'f');
  EXPECT_THAT(
      report->findings,
      ElementsAre(AllOf(Field(&Finding::object, strange), Field(&Finding::what, HasSubstr("'time-travel'"))),
                  AllOf(Field(&Finding::object, strange), Field(&Finding::what, HasSubstr("names it")))));
}

TEST_F(FormatV1Test, AnUnknownRequiredFeatureIsRefusedByName) {
  PackId pack;
  pack.bytes.fill(std::byte{0xff});
  const auto record = repository_->read_record({pack, 150, 21});
  ASSERT_TRUE(record.is(Errc::kInvalid));
  EXPECT_THAT(record.error().what, HasSubstr("it requires the feature 'time-travel'"));
}

}  // namespace
}  // namespace daruma
