// Notes: numbered, each for ever, told from damage, and in verify's charge.
#include "repository/note.h"

#include <gmock/gmock.h>

#include "repository/repository_fixture.h"
#include "repository/verify.h"

namespace daruma {
namespace {

using testing::HasSubstr;

class NoteTest : public testing::Test {
 protected:
  Note put(const std::string& text) { return *put_note(*repository_, "journal", repository_.writer, text); }
  std::string newest() {
    const auto note = *newest_note(*repository_, "journal", repository_.writer);
    return note ? note->text : "none";
  }
  std::string name(uint64_t number) { return note_name("journal", repository_.writer, number); }
  std::vector<std::string> findings() {
    std::vector<std::string> all;
    const auto report = *verify(*repository_, {});
    for (const Finding& finding : report.findings) all.push_back(finding.object + ": " + finding.what);
    return all;
  }

  TestRepository repository_;
};

TEST_F(NoteTest, AreNumberedFromOne) {
  EXPECT_EQ(newest(), "none");
  for (uint64_t number = 1; number <= 9; ++number) {
    EXPECT_EQ(put(std::to_string(number)).number, number);
    EXPECT_EQ(newest(), std::to_string(number));
  }
}

TEST_F(NoteTest, TopicsAndWritersAreApart) {
  put("a");
  ASSERT_TRUE(put_note(*repository_, "other", repository_.writer, "b").ok());
  ASSERT_TRUE(put_note(*repository_, "journal", repository_.random->id<WriterId>(), "c").ok());
  EXPECT_EQ(newest(), "a");
}

TEST_F(NoteTest, WhatIsAgainstTheLimitsIsRefused) {
  for (const char* topic : {"", "Journal", "a/b", "a.b"})
    EXPECT_TRUE(put_note(*repository_, topic, repository_.writer, "a").is(Errc::kInvalid)) << topic;
  const std::string long_text(kNoteTextMost + 1, 'x');
  EXPECT_TRUE(put_note(*repository_, "journal", repository_.writer, long_text).is(Errc::kInvalid));
}

TEST_F(NoteTest, AChangedByteAnywhereIsDamageAndTheOneBeforeIsRead) {
  put("first");
  put("second");
  const Bytes whole = repository_.store.bytes(name(2));
  for (size_t at = 0; at < whole.size(); ++at) {
    repository_.store.bytes(name(2)) = whole;
    repository_.store.bytes(name(2))[at] ^= std::byte{1};
    ASSERT_FALSE(read_note(*repository_, name(2)).ok()) << at;
  }
  EXPECT_EQ(newest(), "first");
}

TEST_F(NoteTest, ANoteUnderAnothersNameIsDamage) {
  put("first");
  put("second");
  repository_.store.bytes(name(2)) = repository_.store.bytes(name(1));
  EXPECT_TRUE(read_note(*repository_, name(2)).is(Errc::kCorrupt));
}

TEST_F(NoteTest, VerifyFindsNothingWrongWithGoodOnes) {
  put("first");
  EXPECT_THAT(findings(), testing::IsEmpty());
}

TEST_F(NoteTest, VerifyNamesADamagedAndAMissingOne) {
  for (const char* text : {"first", "second", "third"}) put(text);
  repository_.store.bytes(name(3)).back() ^= std::byte{1};
  ASSERT_TRUE(repository_.store.remove(name(2)).ok());
  EXPECT_THAT(findings(),
              testing::ElementsAre(HasSubstr(name(2) + ": it is missing"), HasSubstr(name(3) + ": ")));
}

}  // namespace
}  // namespace daruma
