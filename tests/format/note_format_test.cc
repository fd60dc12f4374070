// The golden notes are read as they were written, by this version and every later one.
//
// tests/data/format/notes-v1: daruma.key; repository/, made by make_golden_notes; contents.txt, what dump()
// says of it.
#include <gmock/gmock.h>

#include "format/dump.h"
#include "format/note_golden.h"
#include "os/files.h"
#include "repository/verify.h"
#include "storage/directory_store.h"

namespace daruma {
namespace {

const Path kRoot = Path(DARUMA_TEST_DATA) / "format" / "notes-v1";

class NoteFormatV1 : public testing::Test {
 protected:
  void SetUp() override {
    store_ = *open_directory_store(*fs_, *random_, kRoot / "repository");
    auto opened =
        Repository::open({{"golden", store_.get()}}, *parse_key_file(text("daruma.key")), clock_, *random_);
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

TEST_F(NoteFormatV1, EveryRecordSaysWhatItSaid) {
  EXPECT_EQ(*golden::dump(*repository_), text("contents.txt"));
}

TEST_F(NoteFormatV1, TheNewestAnchorComesBack) {
  const auto anchor = *newest_journal_anchor(*repository_, golden::kNoteWriter);
  ASSERT_TRUE(anchor);
  EXPECT_EQ(anchor->number, 1300u);
  EXPECT_EQ(anchor->hash, golden::anchor(1300).hash);
}

TEST_F(NoteFormatV1, VerifyFindsNothingWrong) { EXPECT_TRUE(verify(*repository_, {})->findings.empty()); }

}  // namespace
}  // namespace daruma
