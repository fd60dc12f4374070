// A sealed object opens as what was sealed, under its own name and key, whole; or it does not open.
#include "repository/envelope.h"

#include <gmock/gmock.h>

#include "repository/repository_fixture.h"

namespace daruma {
namespace {

using testing::HasSubstr;

using Records = std::vector<Bytes>;

class EnvelopeTest : public testing::Test {
 protected:
  Bytes seal(const Records& records, const Features& features = {}, const std::string& name = "packs/a") {
    ObjectSealer sealer(keys_, *random_, ObjectType::kPack, id_, name, as_bytes("in the clear"), features);
    for (const Bytes& record : records) sealer.append(record);
    return sealer.take();
  }
  Result<Records> open(BytesView object, const std::string& name = "packs/a",
                       ObjectType type = ObjectType::kPack) {
    return open_with(keys_, object, name, type);
  }
  static Result<Records> open_with(const Keys& keys, BytesView object, const std::string& name = "packs/a",
                                   ObjectType type = ObjectType::kPack) {
    DR_TRY(const ObjectOpener opener, ObjectOpener::open(keys, type, name, object));
    if (as_text(opener.clear_section()) != "in the clear") return Error{Errc::kFailed, "clear section"};
    Records records;
    RecordCursor cursor(opener, object);
    while (!cursor.at_end()) {
      DR_TRY(Bytes record, cursor.next());
      records.push_back(std::move(record));
    }
    return records;
  }

  const Records records_ = {to_bytes(as_bytes("\1first")), to_bytes(as_bytes("\1second")),
                            to_bytes(as_bytes("\2third!"))};
  const Keys keys_{test_key()};
  std::unique_ptr<Random> random_ = seeded_random(7);
  const ObjectId id_ = random_->id<ObjectId>();
};

TEST_F(EnvelopeTest, OpensAsWhatWasSealed) {
  const auto records = open(seal(records_));
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(*records, records_);
}

TEST_F(EnvelopeTest, MayHoldNoRecord) { EXPECT_EQ(*open(seal({})), Records{}); }

TEST_F(EnvelopeTest, ATailIsTheSameBytesTakenBitByBit) {
  ObjectSealer sealer(keys_, *random_, ObjectType::kPack, id_, "packs/a", as_bytes("in the clear"));
  Bytes object;
  for (const Bytes& record : records_) {
    sealer.append(record);
    const Bytes part = sealer.take_new();
    object.insert(object.end(), part.begin(), part.end());
    EXPECT_EQ(sealer.size(), object.size());
  }
  EXPECT_EQ(*open(object), records_);
}

TEST_F(EnvelopeTest, WithAnyBitFlippedItDoesNotOpen) {
  const Bytes object = seal(records_, {{}, {"an-option"}});
  for (size_t at = 0; at < object.size(); ++at)
    for (const int bit : {0, 3, 7}) {
      Bytes damaged = object;
      damaged[at] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(open(damaged).ok()) << "byte " << at << " bit " << bit;
    }
}

// Where records end it looks like a shorter object: commits name their packs' sizes for that.
TEST_F(EnvelopeTest, CutAnywhereItDoesNotOpenOrLacksWholeRecords) {
  const Bytes object = seal(records_);
  size_t shorter = 0;
  for (size_t size = 0; size < object.size(); ++size) {
    const auto records = open(BytesView(object).first(size));
    if (!records.ok()) continue;
    ++shorter;
    EXPECT_LT(records->size(), records_.size());
  }
  EXPECT_EQ(shorter, records_.size());
}

TEST_F(EnvelopeTest, BytesAfterItsLastRecordAreDamage) {
  Bytes object = seal(records_);
  object.resize(object.size() + 100);
  EXPECT_TRUE(open(object).is(Errc::kCorrupt));
}

TEST_F(EnvelopeTest, UnderAnotherNameItDoesNotOpen) {
  EXPECT_TRUE(open(seal(records_), "packs/b").is(Errc::kCorrupt));
}

TEST_F(EnvelopeTest, AsAnotherTypeItDoesNotOpen) {
  EXPECT_TRUE(open(seal(records_), "packs/a", ObjectType::kIndex).is(Errc::kCorrupt));
}

TEST_F(EnvelopeTest, RecordsCannotBeReordered) {
  const Bytes object = seal(records_);
  const ObjectOpener opener = *ObjectOpener::open(keys_, ObjectType::kPack, "packs/a", object);
  const size_t first = opener.header_bytes();
  const size_t second = first + kRecordPrefix + load_le<uint32_t>(object.data() + first);
  const size_t third = second + kRecordPrefix + load_le<uint32_t>(object.data() + second);
  ASSERT_EQ(third - second, object.size() - third);  // the swap would fit
  Bytes swapped = object;
  std::swap_ranges(swapped.begin() + static_cast<ptrdiff_t>(second),
                   swapped.begin() + static_cast<ptrdiff_t>(third),
                   swapped.begin() + static_cast<ptrdiff_t>(third));
  EXPECT_TRUE(open(swapped).is(Errc::kCorrupt));
}

TEST_F(EnvelopeTest, RecordsOfAnotherObjectDoNotOpenInThisOne) {
  const Bytes one = seal(records_);
  Bytes other = seal(records_);
  const size_t header = ObjectOpener::open(keys_, ObjectType::kPack, "packs/a", one)->header_bytes();
  std::copy(one.begin() + static_cast<ptrdiff_t>(header), one.end(),
            other.begin() + static_cast<ptrdiff_t>(header));
  EXPECT_TRUE(open(other).is(Errc::kCorrupt));
}

TEST_F(EnvelopeTest, AnUnknownOptionalFeatureIsIgnored) {
  EXPECT_EQ(*open(seal(records_, {{}, {"sparkles"}})), records_);
}

TEST_F(EnvelopeTest, AnUnknownRequiredFeatureIsRefusedByName) {
  const auto records = open(seal(records_, {{"time-travel"}, {}}));
  ASSERT_TRUE(records.is(Errc::kInvalid));
  EXPECT_EQ(records.error().what, "it requires the feature 'time-travel', which this program does not know");
  EXPECT_EQ(records.error().hint, "use a newer daruma");
}

TEST_F(EnvelopeTest, ANewerFormatVersionIsRefusedByNumber) {
  Bytes object = seal(records_);
  object[8] = std::byte{2};
  const auto records = open(object);
  ASSERT_TRUE(records.is(Errc::kInvalid));
  EXPECT_THAT(records.error().what, HasSubstr("format version 2"));
}

TEST_F(EnvelopeTest, TheKeyOfAnotherRepositoryIsToldFromDamage) {
  const auto records = open_with(Keys(test_key(2)), seal(records_));
  ASSERT_TRUE(records.is(Errc::kInvalid));
  EXPECT_THAT(records.error().what, HasSubstr("belongs to repository " + test_key().repository.hex()));
}

TEST_F(EnvelopeTest, AnotherMasterKeyOfTheSameRepositoryDoesNotOpenIt) {
  KeyFile other = test_key();
  other.master.writable()[5] ^= std::byte{1};
  EXPECT_TRUE(open_with(Keys(other), seal(records_)).is(Errc::kCorrupt));
}

TEST_F(EnvelopeTest, AnotherKeyEpochIsRefusedByNumber) {
  KeyFile other = test_key();
  other.epoch = 9;
  const auto records = open_with(Keys(other), seal(records_));
  ASSERT_TRUE(records.is(Errc::kInvalid));
  EXPECT_THAT(records.error().what, HasSubstr("key epoch 1"));
}

TEST_F(EnvelopeTest, AHeaderSizeThatIsALieCostsNoMemory) {
  Bytes object = seal(records_);
  for (const uint32_t size : {0u, 16u, 100u, 0x0fffffffu, 0xffffffffu}) {
    store_le(object.data() + 12, size);
    EXPECT_TRUE(open(object).is(Errc::kCorrupt)) << size;
  }
}

}  // namespace
}  // namespace daruma
