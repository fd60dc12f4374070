#include "ai-micro-api-auth/passwords.h"

#include <gmock/gmock.h>

#include "ai-micro-api-auth/accounts.h"

namespace aimicro {
namespace {

std::string fault_of(std::string_view password) {
  return fault_of_password(password, "somebody@example.com");
}

TEST(NewPassword, OfTenCharactersInAnyLanguageIsTaken) {
  EXPECT_EQ(fault_of("ten chars!"), "");
  EXPECT_EQ(fault_of("七転び八起きを信じる"), "");
  EXPECT_EQ(fault_of("correct horse battery staple"), "");
}

TEST(NewPassword, ThatIsEasilyGuessedIsNot) {
  EXPECT_EQ(fault_of("nine char"), "the password is shorter than 10 characters");
  EXPECT_EQ(fault_of("七転び八起き"), "the password is shorter than 10 characters");
  EXPECT_EQ(fault_of("somebody@example.com"), "the password is the e-mail address");
  EXPECT_EQ(fault_of("aaaaaaaaaaaaaa"), "the password is one character repeated");
}

TEST(NewPassword, HasALimitThatKeepsHashingCheap) {
  EXPECT_EQ(fault_of(std::string(255, 'x') + "y"), "");
  EXPECT_EQ(fault_of(std::string(256, 'x') + "y"), "the password is longer than 256 bytes");
  EXPECT_EQ(fault_of("not utf-8 \xff\xfe at all"), "the password is not UTF-8");
}

TEST(NormalEmail, IsInLowerCaseWithoutBlanksAround) {
  EXPECT_EQ(normal_email("  Tech-Lead@Example.COM "), "tech-lead@example.com");
  EXPECT_EQ(normal_email("名前@例え.jp"), "名前@例え.jp");
}

TEST(NormalEmail, IsNoneForWhatIsNoAddress) {
  for (const char* text : {"", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a\t@b", "\xff@b"})
    EXPECT_FALSE(normal_email(text)) << text;
  EXPECT_FALSE(normal_email(std::string(250, 'a') + "@b.cd"));
}

TEST(PasswordHash, CarriesItsCostAndDiffersEachTime) {
  const PasswordCost cheap{1, 8 << 20};
  const std::string hash = hash_password("a long phrase", cheap);
  EXPECT_THAT(hash, testing::HasSubstr("$argon2id$v=19$m=8192,t=1,p=1$"));
  EXPECT_NE(hash, hash_password("a long phrase", cheap));
}

}  // namespace
}  // namespace aimicro
