// The key file is whole and unchanged, or refused; a passphrase opens what it wrapped, and nothing else does.
#include "repository/key.h"

#include <gmock/gmock.h>

#include "repository/repository_fixture.h"

namespace daruma {
namespace {

using testing::HasSubstr;

bool same(const KeyFile& a, const KeyFile& b) {
  return a.repository == b.repository && a.epoch == b.epoch &&
         std::ranges::equal(a.master.view(), b.master.view());
}

TEST(KeyFileTest, IsReadBackAsItWasPrinted) {
  KeyFile key = test_key();
  key.epoch = 12;
  const auto parsed = parse_key_file(print_key_file(key));
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(same(*parsed, key));
}

TEST(KeyFileTest, MayHaveCommentsAnywhere) {
  std::string text = print_key_file(test_key());
  text.insert(text.find("epoch"), "# found in the safe\n");
  text += "# the end\n";
  const auto parsed = parse_key_file(text);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(same(*parsed, test_key()));
}

TEST(KeyFileTest, CutAnywhereIsRefused) {
  const std::string text = print_key_file(test_key());
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_TRUE(parse_key_file(text.substr(0, size)).is(Errc::kInvalid)) << "cut to " << size;
}

TEST(KeyFileTest, CutInTheMiddleIsCalledDamagedAndNotAWrongRepository) {
  const std::string text = print_key_file(test_key());
  const auto half = parse_key_file(text.substr(0, text.find("\nkey ") + 20));
  ASSERT_FALSE(half.ok());
  EXPECT_THAT(half.error().what, HasSubstr("the key file is damaged"));
  EXPECT_THAT(half.error().hint, HasSubstr("restore it"));
}

TEST(KeyFileTest, WithAnyCharacterChangedIsRefusedOrStillTheSameKey) {
  const std::string text = print_key_file(test_key());
  const size_t lines = text.find("daruma-key");
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] ^= 1;
    const auto parsed = parse_key_file(changed);
    const bool is_comment = at < lines;
    EXPECT_TRUE(!parsed.ok() || (is_comment && same(*parsed, test_key()))) << "character " << at;
  }
}

TEST(KeyFileTest, OfAnotherVersionIsRefusedByItsVersion) {
  const auto parsed = parse_key_file("daruma-key 2\nanything\n");
  ASSERT_TRUE(parsed.is(Errc::kInvalid));
  EXPECT_THAT(parsed.error().what, HasSubstr("version 2"));
}

TEST(KeyFileTest, CutOffAnywhereIsDamagedNotSomethingElse) {
  const std::string text = print_key_file(test_key());
  for (size_t size = text.find('.') + 1; size < text.size(); ++size) {
    const auto parsed = parse_key_file(text.substr(0, size));
    ASSERT_TRUE(parsed.is(Errc::kInvalid)) << size;
    EXPECT_THAT(parsed.error().what, HasSubstr("the key file is damaged: ")) << size;
  }
}

TEST(KeyFileTest, AnotherTextIsNoKeyFile) {
  const auto parsed = parse_key_file("-----BEGIN PRIVATE KEY-----\n");
  ASSERT_TRUE(parsed.is(Errc::kInvalid));
  EXPECT_EQ(parsed.error().what, "this is not a Daruma key file");
}

TEST(PassphraseTest, OpensWhatItWrapped) {
  const auto object = wrap_with_passphrase(test_key(), "correct horse", *seeded_random(2));
  ASSERT_TRUE(object.ok());
  const auto key = unwrap_with_passphrase(*object, 1, "correct horse");
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(same(*key, test_key()));
}

TEST(PassphraseTest, AnotherPassphraseIsRefused) {
  const auto object = wrap_with_passphrase(test_key(), "correct horse", *seeded_random(2));
  EXPECT_TRUE(unwrap_with_passphrase(*object, 1, "correct hors").is(Errc::kRefused));
}

TEST(PassphraseTest, ACutObjectIsCorruptAndNotStretched) {
  const auto object = wrap_with_passphrase(test_key(), "correct horse", *seeded_random(2));
  for (size_t size = 0; size < object->size(); ++size)
    EXPECT_TRUE(unwrap_with_passphrase(BytesView(*object).first(size), 1, "x").is(Errc::kCorrupt));
}

TEST(PassphraseTest, WithAnyByteChangedTheObjectIsDamagedAndNotAWrongPassphrase) {
  auto object = *wrap_with_passphrase(test_key(), "correct horse", *seeded_random(2));
  EXPECT_TRUE(check_passphrase_object(object, test_key().repository).ok());
  EXPECT_TRUE(check_passphrase_object(object, test_key(2).repository).is(Errc::kCorrupt));
  for (std::byte& byte : object) {
    byte ^= std::byte{4};
    EXPECT_TRUE(check_passphrase_object(object, test_key().repository).is(Errc::kCorrupt));
    EXPECT_TRUE(unwrap_with_passphrase(object, 1, "correct horse").is(Errc::kCorrupt));
    byte ^= std::byte{4};
  }
}

TEST(PassphraseTest, ACostThatIsAnAttackIsRefusedAsCorrupt) {
  auto object = *wrap_with_passphrase(test_key(), "correct horse", *seeded_random(2));
  store_le(object.data() + 8 + 2 + 16 + 8, uint64_t{1} << 40);  // argon2id memory
  const CommitHash digest = hash_object(BytesView(object).first(object.size() - 16));
  std::copy_n(digest.bytes.begin(), 16, object.end() - 16);
  EXPECT_TRUE(unwrap_with_passphrase(object, 1, "correct horse").is(Errc::kCorrupt));
}

TEST(KeysTest, HashesDifferByKeyByDomainAndByData) {
  const Keys one(test_key(1));
  const Keys two(test_key(2));
  const Bytes data = test_bytes(3, 100);
  EXPECT_EQ(one.hash(HashDomain::kPage, data), one.hash(HashDomain::kPage, data));
  EXPECT_NE(one.hash(HashDomain::kPage, data), two.hash(HashDomain::kPage, data));
  EXPECT_NE(one.hash(HashDomain::kPage, data), one.hash(HashDomain::kFrame, data));
  EXPECT_NE(one.hash(HashDomain::kPage, data), one.hash(HashDomain::kPage, BytesView(data).first(99)));
}

}  // namespace
}  // namespace daruma
