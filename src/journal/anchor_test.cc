// The journal's head comes back from the repository, and with it a cut end is found.
#include "journal/anchor.h"

#include <gmock/gmock.h>

#include "repository/repository_fixture.h"

namespace daruma {
namespace {

JournalHead head_of(uint64_t number) {
  JournalHead head{number, {}};
  head.hash.fill(static_cast<std::byte>(number));
  return head;
}

class JournalAnchor : public testing::Test {
 protected:
  void put(uint64_t number) {
    ASSERT_TRUE(put_journal_anchor(*repository_, repository_.writer, head_of(number)).ok());
  }
  std::optional<JournalHead> newest() { return *newest_journal_anchor(*repository_, repository_.writer); }

  TestRepository repository_;
};

TEST_F(JournalAnchor, IsNotThereBeforeTheFirst) { EXPECT_FALSE(newest()); }

TEST_F(JournalAnchor, TheNewestComesBack) {
  for (const uint64_t number : {3, 40, 500}) {
    put(number);
    EXPECT_EQ(newest()->number, number);
    EXPECT_EQ(newest()->hash, head_of(number).hash);
  }
}

TEST_F(JournalAnchor, EachInstallationHasItsOwn) {
  put(7);
  const auto other = repository_.random->id<WriterId>();
  EXPECT_FALSE(*newest_journal_anchor(*repository_, other));
}

TEST_F(JournalAnchor, ADamagedOneLeavesTheOneBefore) {
  put(7);
  put(8);
  repository_.store.bytes(note_name("journal", repository_.writer, 2)).back() ^= std::byte{1};
  EXPECT_EQ(newest()->number, 7u);
  repository_.store.bytes(note_name("journal", repository_.writer, 1)).back() ^= std::byte{1};
  EXPECT_TRUE(newest_journal_anchor(*repository_, repository_.writer).is(Errc::kCorrupt));
}

}  // namespace
}  // namespace daruma
