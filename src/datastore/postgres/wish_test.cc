// What may stand after --at.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datastore/postgres/points.h"

namespace daruma::postgres {
namespace {

using testing::HasSubstr;
using Kind = Wish::Kind;

Wish wish(const std::string& text) {
  const auto wish = parse_wish(text);
  EXPECT_TRUE(wish.ok()) << text << ": " << wish.error().what;
  return wish.ok() ? *wish : Wish{};
}

TEST(WishTest, WordsStandForThemselves) {
  EXPECT_EQ(wish("latest").kind, Kind::kLatest);
  EXPECT_EQ(wish("immediate").kind, Kind::kImmediate);
}

TEST(WishTest, ATimeHasAZone) {
  EXPECT_EQ(wish("2026-11-22T10:42:00Z").kind, Kind::kTime);
  EXPECT_EQ(wish("2026-11-22 19:42:00+09:00").time, wish("2026-11-22T10:42:00Z").time);
  const auto without = parse_wish("2026-11-22T10:42:00");
  ASSERT_TRUE(without.is(Errc::kInvalid));
  EXPECT_THAT(without.error().hint, HasSubstr("a time with its zone"));
}

TEST(WishTest, PositionsTransactionsAndNamesHavePrefixes) {
  EXPECT_EQ(wish("lsn:16/B374D848").lsn.value, 0x16B374D848u);
  EXPECT_EQ(wish("xid:731").xid, 731u);
  EXPECT_EQ(wish("name:before:the:migration").name, "before:the:migration");
}

TEST(WishTest, ATransactionMayCarryItsEpoch) { EXPECT_EQ(wish("xid:4294968027").xid, 731u); }

TEST(WishTest, BeforeGoesBeforeEverythingThatHasABefore) {
  for (const char* text :
       {"before:2026-11-22T10:42:00Z", "before:xid:731", "before:lsn:0/3000148", "before:name:x"})
    EXPECT_TRUE(wish(text).before) << text;
  EXPECT_FALSE(wish("xid:731").before);
  EXPECT_EQ(parse_wish("before:latest").error().what,
            "'before:latest' names no point: nothing is just before 'latest'");
}

TEST(WishTest, ItRemembersWhatWasTyped) { EXPECT_EQ(wish("before:xid:731").text, "before:xid:731"); }

TEST(WishTest, AnythingElseIsRefusedWithWhatWouldDo) {
  for (const std::string text : {"", "yesterday", "Latest", "before:", "lsn:", "lsn:3000148", "xid:", "xid:0",
                                 "xid:7x", "xid:-1", "name:", "before:before:xid:7"}) {
    const auto wish = parse_wish(text);
    ASSERT_TRUE(wish.is(Errc::kInvalid)) << text;
    EXPECT_THAT(wish.error().what, HasSubstr("'" + text + "' names no point"));
    EXPECT_THAT(wish.error().hint, HasSubstr("write latest, immediate,"));
  }
  EXPECT_TRUE(parse_wish("name:" + std::string(64, 'x')).is(Errc::kInvalid));
}

}  // namespace
}  // namespace daruma::postgres
