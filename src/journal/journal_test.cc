// The journal's file keeps the promises of any journal, is private, survives being opened again, and is told
// from what is none.
#include "journal/journal_conformance.h"
#include "journal/journal_file.h"
#include "os/files.h"
#include "os/scratch_dir.h"

namespace daruma {
namespace {

using testing::HasSubstr;

struct OnDisk {
  OnDisk() { open(); }
  void open() {
    opened.reset();
    auto result = open_journal(scratch.fs(), clock, file());
    ASSERT_TRUE(result.ok()) << result.error().what;
    opened = *std::move(result);
  }
  Path file() const { return scratch.path() / "journal.db"; }
  Journal& journal() { return *opened; }

  ScratchDir scratch;
  ManualClock clock;
  std::unique_ptr<Journal> opened;
};
INSTANTIATE_TYPED_TEST_SUITE_P(OnDisk, JournalConformance, OnDisk);

class JournalFileTest : public testing::Test {
 protected:
  void append(const std::string& stream, uint64_t after, std::initializer_list<const char*> kinds) {
    const auto appended = disk_.journal().append(stream, after, events_of(kinds));
    ASSERT_TRUE(appended.ok()) << appended.error().what;
  }
  Result<uint64_t> check(std::optional<JournalHead> anchor = {}) {
    return check_journal(disk_.scratch.fs(), disk_.file(), anchor);
  }
  std::string why(const Result<uint64_t>& checked) { return checked.ok() ? "" : checked.error().what; }

  OnDisk disk_;
};

TEST_F(JournalFileTest, OnlyItsOwnerMayReadIt) {
  append("run/1", 0, {"a"});
  for (const char* end : {"", "-wal", "-shm"})
    EXPECT_EQ(disk_.scratch.fs().info(disk_.file().string() + end)->mode, 0600u) << end;
}

TEST_F(JournalFileTest, NothingButItsOwnFilesIsLeftBesideIt) {
  disk_.opened.reset();
  const auto entries = *disk_.scratch.fs().list_dir(disk_.scratch.path());
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].name, "journal.db");
}

TEST_F(JournalFileTest, ItGoesOnWhereItEnded) {
  append("run/1", 0, {"a", "b"});
  const JournalHead head = *disk_.journal().head();
  disk_.open();
  EXPECT_EQ(disk_.journal().head()->hash, head.hash);
  append("run/1", 2, {"c"});
  EXPECT_EQ(disk_.journal().read("run/1")->size(), 3u);
  EXPECT_EQ(*check(head), 3u);
}

TEST_F(JournalFileTest, TwoThatHaveItOpenSeeEachOthersEvents) {
  const auto other = *open_journal(disk_.scratch.fs(), disk_.clock, disk_.file());
  append("run/1", 0, {"a"});
  EXPECT_EQ(other->head()->number, 1u);
  EXPECT_TRUE(other->append("run/1", 0, events_of({"late"})).is(Errc::kRefused));
  ASSERT_TRUE(other->append("run/1", 1, events_of({"b"})).ok());
  append("run/1", 2, {"c"});
  EXPECT_EQ(*check(disk_.journal().head().value()), 3u);
}

TEST_F(JournalFileTest, AnAnchorThatIsNotThereAnyMoreIsNamed) {
  append("run/1", 0, {"a", "b"});
  EXPECT_EQ(*check(*disk_.journal().head()), 2u);
  JournalHead later = *disk_.journal().head();
  later.number = 7;
  EXPECT_THAT(why(check(later)),
              HasSubstr("event 7 is anchored outside and is not here: the journal ends at 2"));
  JournalHead other = *disk_.journal().head();
  other.hash[0] ^= std::byte{1};
  EXPECT_THAT(why(check(other)), HasSubstr("event 2 is another than the one anchored outside"));
}

TEST_F(JournalFileTest, AFileThatIsNoneIsRefusedAndLeftAsItIs) {
  const Path file = disk_.scratch.path() / "other.db";
  for (const std::string& content : {std::string(), std::string("SQLite format 3"), std::string(5000, 'x')}) {
    ASSERT_TRUE(replace_file(disk_.scratch.fs(), file, as_bytes(content)).ok());
    EXPECT_TRUE(open_journal(disk_.scratch.fs(), disk_.clock, file).is(Errc::kCorrupt)) << content.size();
    EXPECT_EQ(as_text(*read_file(disk_.scratch.fs(), file, 10000)), content);
  }
}

TEST_F(JournalFileTest, EveryCommitIsSynced) {
  auto database = *open_journal_file(disk_.scratch.fs(), disk_.file());
  EXPECT_EQ(*database.integer_of("PRAGMA synchronous"), 2);
  EXPECT_EQ(*database.text_of("PRAGMA journal_mode"), "wal");
}

TEST_F(JournalFileTest, CheckOfAMissingFileSaysSo) {
  EXPECT_TRUE(check_journal(disk_.scratch.fs(), disk_.scratch.path() / "none.db", {}).is(Errc::kNotFound));
}

TEST_F(JournalFileTest, AMissingFolderIsSaid) {
  EXPECT_TRUE(open_journal(disk_.scratch.fs(), disk_.clock, disk_.scratch.path() / "no" / "j.db")
                  .is(Errc::kNotFound));
}

}  // namespace
}  // namespace daruma
