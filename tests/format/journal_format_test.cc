// The golden journal of format version 1 is read as it was written, by this version and every later one.
//
// tests/data/format/journal-v1/journal.db, made by make_golden_journal. A copy is read: opening makes files
// beside it.
#include <gmock/gmock.h>

#include "format/journal_golden.h"
#include "os/files.h"
#include "os/scratch_dir.h"

namespace daruma {
namespace {

class JournalFormatV1 : public testing::Test {
 protected:
  void SetUp() override {
    const Path golden = Path(DARUMA_TEST_DATA) / "format" / "journal-v1" / "journal.db";
    ASSERT_TRUE(replace_file(scratch_.fs(), file(), *read_file(scratch_.fs(), golden, 1 << 20)).ok());
  }
  Path file() const { return scratch_.path() / "journal.db"; }

  ScratchDir scratch_;
  ManualClock clock_;
};

std::string show(const JournalEvent& event) {
  return std::to_string(event.number) + " " + event.stream + " " + std::to_string(event.position) + " " +
         to_rfc3339(event.at) + " " + event.kind + " " + to_json(event.body);
}

TEST_F(JournalFormatV1, EveryEventSaysWhatItSaid) {
  const auto journal = *open_journal(scratch_.fs(), clock_, file());
  std::vector<std::string> lines;
  const auto names = *journal->streams("run/", 9);
  for (const std::string& name : names) {
    const auto events = *journal->read(name);
    for (const JournalEvent& event : events) lines.push_back(show(event));
  }
  EXPECT_THAT(lines,
              testing::ElementsAre(
                  R"(3 run/redis 1 2023-11-14T22:13:21.500000Z run_started null)",
                  R"(1 run/corruption 1 2023-11-14T22:13:20Z run_started )"
                  R"({"plan":"postgres-corruption","title":"データ破損"})",
                  R"(2 run/corruption 2 2023-11-14T22:13:20Z step_started {"attempt":1,"step":"evidence"})",
                  R"(4 run/corruption 3 2023-11-14T22:13:21.500001Z step_ended )"
                  R"({"outputs":["a\"\\\n\u0001",-7,5E-1,true],"step":"evidence"})"));
}

TEST_F(JournalFormatV1, ItsChainEndsWhereItDid) {
  const auto journal = *open_journal(scratch_.fs(), clock_, file());
  const JournalHead head = *journal->head();
  EXPECT_EQ(to_hex(head.hash), golden::kJournalHead);
  EXPECT_EQ(*check_journal(scratch_.fs(), file(), head), 4u);
}

TEST_F(JournalFormatV1, TheSameEventsMakeTheSameChainToday) {
  ManualClock clock;
  MemoryJournal memory(clock);
  ASSERT_TRUE(golden::write_journal(memory, clock).ok());
  EXPECT_EQ(to_hex(memory.head()->hash), golden::kJournalHead);
}

TEST_F(JournalFormatV1, ALaterVersionIsRefused) {
  Bytes bytes = *read_file(scratch_.fs(), file(), 1 << 20);
  bytes[63] = std::byte{2};  // user_version
  ASSERT_TRUE(replace_file(scratch_.fs(), file(), bytes).ok());
  const auto opened = open_journal(scratch_.fs(), clock_, file());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().what, testing::HasSubstr("not a journal of version 1"));
}

}  // namespace
}  // namespace daruma
