// What an installation remembers is read back as it was printed, or refused whole.
#include <gmock/gmock.h>

#include "os/random.h"
#include "repository/verify.h"

namespace daruma {
namespace {

Heads some_heads() {
  const auto random = seeded_random(1);
  Heads heads;
  heads.writers[random->id<WriterId>().hex()] = {7, random->id<CommitHash>()};
  heads.writers[random->id<WriterId>().hex()] = {~uint64_t{0}, random->id<CommitHash>()};
  heads.logs["bookings/0000000000000001"] = {{1, 0x3000000}, {0xffffffff, ~uint64_t{0}}};
  heads.logs["empty/0000000000000002"] = {};
  return heads;
}

TEST(HeadsTest, AreReadBackAsTheyWerePrinted) {
  const auto parsed = parse_heads(print_heads(some_heads()));
  ASSERT_TRUE(parsed.ok()) << parsed.error().what;
  EXPECT_EQ(print_heads(*parsed), print_heads(some_heads()));
  EXPECT_EQ(parsed->logs, some_heads().logs);
  EXPECT_EQ(parsed->writers.size(), 2u);
}

TEST(HeadsTest, MayBeEmpty) {
  EXPECT_TRUE(parse_heads(print_heads({}))->empty());
  EXPECT_TRUE(parse_heads("{}")->empty());
}

TEST(HeadsTest, CutAnywhereTheyAreRefused) {
  const std::string text = print_heads(some_heads());
  for (size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_TRUE(parse_heads(text.substr(0, size)).is(Errc::kInvalid)) << size;
}

TEST(HeadsTest, OtherTextsAreRefused) {
  const std::string hash(64, 'a');
  const std::string writer(32, 'b');
  for (const std::string& text :
       {std::string("[]"), std::string("{\"writers\": []}"), "{\"writers\": {\"" + writer + "\": 7}}",
        "{\"writers\": {\"" + writer + "\": {\"number\": 0, \"hash\": \"" + hash + "\"}}}",
        "{\"writers\": {\"" + writer + "\": {\"number\": -1, \"hash\": \"" + hash + "\"}}}",
        "{\"writers\": {\"" + writer + "\": {\"number\": 1, \"hash\": \"" + hash + "a\"}}}",
        "{\"writers\": {\"x\": {\"number\": 1, \"hash\": \"" + hash + "\"}}}",
        std::string("{\"logs\": {\"a\": {\"one\": \"00\"}}}"), std::string("{\"logs\": {\"a\": {\"1\": 5}}}"),
        std::string("{\"logs\": {\"a\": {\"1\": \"0x5\"}}}")})
    EXPECT_TRUE(parse_heads(text).is(Errc::kInvalid)) << text;
}

}  // namespace
}  // namespace daruma
