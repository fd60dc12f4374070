#include "ai-micro-api-admin/names.h"

#include <gmock/gmock.h>

namespace aimicro {
namespace {

TEST(DocumentName, KeepsWhatPeopleCallTheirFiles) {
  EXPECT_EQ(document_name("  議事録 2025-09.md "), "議事録 2025-09.md");
  EXPECT_EQ(document_name("Chloé's \"draft\".txt"), "Chloé's \"draft\".txt");
}

TEST(DocumentName, RefusesWhatCouldBeAPathOrEndAHeader) {
  for (const char* name :
       {"", "   ", ".", "..", "../etc/passwd", "a/b", "a\\b", "a\nb", "a\x7f", "\xc2\x85", "\xff"})
    EXPECT_FALSE(document_name(name)) << name;
  EXPECT_FALSE(document_name(std::string("a\0b", 3)));
}

TEST(DocumentName, CountsCharactersNotBytes) {
  std::string name;
  for (int i = 0; i < 200; ++i) name += "障";
  EXPECT_TRUE(document_name(name));
  EXPECT_FALSE(document_name(name + "害"));
}

TEST(MediaType, LosesItsParametersAndItsCapitals) {
  EXPECT_EQ(media_type("Text/HTML; charset=utf-8"), "text/html");
  EXPECT_EQ(media_type("application/vnd.ms-excel"), "application/vnd.ms-excel");
}

TEST(MediaType, ThatIsMalformedIsUnknown) {
  for (const char* type :
       {"", "text", "text/", "/plain", "text/pl ain", "text/plain\r\nSet-Cookie: x", "a/b/c"})
    EXPECT_EQ(media_type(type), "application/octet-stream") << type;
}

TEST(Attachment, HasAPlainNameForOldClientsAndTheTrueOne) {
  EXPECT_EQ(attachment("price list.csv"),
            "attachment; filename=\"price list.csv\"; filename*=UTF-8''price%20list.csv");
  EXPECT_EQ(attachment("障害.md"), "attachment; filename=\"__.md\"; filename*=UTF-8''%E9%9A%9C%E5%AE%B3.md");
}

TEST(Attachment, CannotBeBrokenOutOf) {
  EXPECT_EQ(attachment("a\"; b=\"c\\"),
            "attachment; filename=\"a__ b__c_\"; filename*=UTF-8''a%22%3B%20b%3D%22c%5C");
  EXPECT_EQ(attachment("a\r\nb"), "attachment; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab");
}

}  // namespace
}  // namespace aimicro
