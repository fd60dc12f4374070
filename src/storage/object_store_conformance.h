// storage/object_store_conformance.h: what every object store must do, as tests that each implementation
// instantiates.
//
// A harness is a default-constructible type that brings a fresh, empty store into being:
//   ObjectStore& store();                    the store under test
//   ObjectStore& reopen();                   the same content, opened anew; earlier references are dead
//   static constexpr bool kHasTails;         create_tail works (else it must be refused)
// Instantiate with INSTANTIATE_TYPED_TEST_SUITE_P(Name, ObjectStoreConformance, Harness).
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "storage/object_store.h"

namespace daruma {

template <class Harness>
class ObjectStoreConformance : public testing::Test {
 protected:
  ObjectStore& store() { return harness_.store(); }
  void reopen() { harness_.reopen(); }

  Status put(const std::string& name, std::string_view text) { return store().put(name, as_bytes(text)); }
  // The object's text, or the error in words.
  std::string get(const std::string& name) {
    const auto bytes = store().get(name);
    return bytes.ok() ? std::string(as_text(*bytes)) : "error: " + bytes.error().what;
  }
  std::vector<std::string> list(const std::string& prefix) {
    const auto objects = store().list(prefix);
    EXPECT_TRUE(objects.ok()) << objects.error().what;
    std::vector<std::string> names;
    if (objects.ok())
      for (const ObjectInfo& object : *objects) names.push_back(object.name);
    return names;
  }
  static Bytes pattern(size_t size) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 131 + i / 251) & 255);
    return bytes;
  }

  Harness harness_;
};
TYPED_TEST_SUITE_P(ObjectStoreConformance);

TYPED_TEST_P(ObjectStoreConformance, AnObjectIsReadBackWholeWhateverItsSize) {
  for (const size_t size : {0, 1, 4095, 4096, 3'000'001}) {
    const std::string name = "sizes/" + std::to_string(size);
    ASSERT_TRUE(this->store().put(name, this->pattern(size)).ok());
    EXPECT_EQ(*this->store().get(name), this->pattern(size));
    EXPECT_EQ(this->store().head(name)->size, size);
    EXPECT_EQ(this->store().head(name)->name, name);
  }
}

TYPED_TEST_P(ObjectStoreConformance, ANameIsTakenOnceAndItsBytesStay) {
  ASSERT_TRUE(this->put("a/b", "first").ok());
  const Status second = this->put("a/b", "second");
  ASSERT_TRUE(second.is(Errc::kExists));
  EXPECT_THAT(second.error().what, testing::HasSubstr("'a/b'"));
  EXPECT_EQ(this->get("a/b"), "first");
}

TYPED_TEST_P(ObjectStoreConformance, WhatIsMissingIsNotFoundByName) {
  ASSERT_TRUE(this->put("folder/object", "x").ok());
  for (const std::string name : {"missing", "folder", "folder/missing", "folder/object/below"}) {
    EXPECT_TRUE(this->store().get(name).is(Errc::kNotFound)) << name;
    EXPECT_TRUE(this->store().get_range(name, 0, 1).is(Errc::kNotFound)) << name;
    EXPECT_TRUE(this->store().head(name).is(Errc::kNotFound)) << name;
    EXPECT_TRUE(this->store().extend(name, Instant{}).is(Errc::kNotFound)) << name;
    EXPECT_THAT(this->store().get(name).error().what, testing::HasSubstr("'" + name + "'"));
  }
}

TYPED_TEST_P(ObjectStoreConformance, ARangeIsExactlyTheBytesAskedFor) {
  ASSERT_TRUE(this->put("ten", "0123456789").ok());
  const auto range = [&](uint64_t offset, uint64_t length) {
    return std::string(as_text(*this->store().get_range("ten", offset, length)));
  };
  EXPECT_EQ(range(0, 10), "0123456789");
  EXPECT_EQ(range(3, 4), "3456");
  EXPECT_EQ(range(9, 1), "9");
  EXPECT_EQ(range(4, 0), "");
  EXPECT_EQ(range(10, 0), "");
}

TYPED_TEST_P(ObjectStoreConformance, ARangePastTheEndIsCorruptHoweverLargeItIs) {
  ASSERT_TRUE(this->put("ten", "0123456789").ok());
  const uint64_t huge = ~uint64_t{0};
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 11}, {10, 1}, {11, 0}, {5, huge}, {huge, 1}, {huge, huge}, {huge - 4, 10}})
    EXPECT_TRUE(this->store().get_range("ten", offset, length).is(Errc::kCorrupt)) << offset << " " << length;
}

TYPED_TEST_P(ObjectStoreConformance, AListIsSortedByWholeNameAndTakesAnyPrefix) {
  const std::vector<std::string> sorted = {"a-b", "a.b", "a/b", "a/c/d", "aB", "b"};
  for (const std::string name : {"b", "a/c/d", "aB", "a/b", "a.b", "a-b"})
    ASSERT_TRUE(this->put(name, name).ok());
  EXPECT_EQ(this->list(""), sorted);
  EXPECT_EQ(this->list("a/"), (std::vector<std::string>{"a/b", "a/c/d"}));
  EXPECT_EQ(this->list("a/c"), (std::vector<std::string>{"a/c/d"}));
  EXPECT_EQ(this->list("a/c/d"), (std::vector<std::string>{"a/c/d"}));
  EXPECT_EQ(this->list("a"), (std::vector<std::string>{"a-b", "a.b", "a/b", "a/c/d", "aB"}));
  EXPECT_EQ((*this->store().list("a/c/"))[0].size, 5u);
}

TYPED_TEST_P(ObjectStoreConformance, AListOfNothingIsEmpty) {
  EXPECT_EQ(this->list(""), std::vector<std::string>{});
  ASSERT_TRUE(this->put("a/b", "x").ok());
  for (const std::string prefix : {"c", "a/c", "a/b/", "a/b/c", "c/d/"})
    EXPECT_EQ(this->list(prefix), std::vector<std::string>{}) << prefix;
}

TYPED_TEST_P(ObjectStoreConformance, RemovalIsIdempotentAndTakesNothingElse) {
  ASSERT_TRUE(this->put("a/b", "x").ok());
  ASSERT_TRUE(this->put("a/bc", "y").ok());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(this->store().remove("a/b").ok());
  EXPECT_TRUE(this->store().remove("never/was").ok());
  EXPECT_EQ(this->list(""), std::vector<std::string>{"a/bc"});
  EXPECT_TRUE(this->put("a/b", "again").ok());
  EXPECT_EQ(this->get("a/b"), "again");
}

TYPED_TEST_P(ObjectStoreConformance, ABadNameIsInvalidForEveryCall) {
  const std::string long_name(201, 'n');
  for (const std::string& bad :
       std::vector<std::string>{"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", ".a", "a/.b", "a b",
                                "a\\b", "a:b", "ä", std::string("a\0b", 3), long_name}) {
    SCOPED_TRACE("name '" + bad + "'");
    EXPECT_TRUE(check_object_name(bad).is(Errc::kInvalid));
    EXPECT_TRUE(this->put(bad, "x").is(Errc::kInvalid));
    EXPECT_TRUE(this->store().get(bad).is(Errc::kInvalid));
    EXPECT_TRUE(this->store().get_range(bad, 0, 0).is(Errc::kInvalid));
    EXPECT_TRUE(this->store().head(bad).is(Errc::kInvalid));
    EXPECT_TRUE(this->store().remove(bad).is(Errc::kInvalid));
    EXPECT_TRUE(this->store().extend(bad, Instant{}).is(Errc::kInvalid));
  }
  for (const std::string bad : {"/", "/a", "a//b", "..", "a/../b", ".a", "a/.", "a b"})
    EXPECT_TRUE(this->store().list(bad).is(Errc::kInvalid)) << bad;
}

TYPED_TEST_P(ObjectStoreConformance, ANameMayHaveTwoHundredBytesAndEveryAllowedCharacter) {
  const std::string part = "AZaz09._-";
  for (const std::string& name :
       {std::string(200, 'n'), part + "/" + part, std::string("a..b/c."), std::string("-")}) {
    EXPECT_TRUE(this->put(name, name).ok()) << name;
    EXPECT_EQ(this->get(name), name);
  }
}

TYPED_TEST_P(ObjectStoreConformance, OfManyPutsOfOneNameExactlyOneSucceeds) {
  for (int round = 0; round < 8; ++round) {
    const std::string name = "round" + std::to_string(round) + "/object";
    std::atomic<int> won = -1, lost = 0;
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 4; ++writer)
      writers.emplace_back([&, writer] {
        const Status status = this->put(name, std::to_string(writer));
        if (status.ok()) won = writer;
        lost += status.is(Errc::kExists);
      });
    writers.clear();
    EXPECT_EQ(lost, 3);
    EXPECT_EQ(this->get(name), std::to_string(won));
  }
}

TYPED_TEST_P(ObjectStoreConformance, WritersOfDifferentNamesDoNotDisturbEachOther) {
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 8; ++i) {
        const std::string name = "new" + std::to_string(i) + "/" + std::to_string(writer);
        EXPECT_TRUE(this->put(name, name).ok());
        EXPECT_EQ(this->get(name), name);
      }
    });
  writers.clear();
  EXPECT_EQ(this->list("new").size(), 32u);
}

TYPED_TEST_P(ObjectStoreConformance, AReopenedStoreHoldsTheSame) {
  ASSERT_TRUE(this->put("a/b", "x").ok());
  this->reopen();
  EXPECT_EQ(this->get("a/b"), "x");
  EXPECT_EQ(this->list(""), std::vector<std::string>{"a/b"});
  EXPECT_TRUE(this->put("a/b", "y").is(Errc::kExists));
}

TYPED_TEST_P(ObjectStoreConformance, RetentionIsKeptOrRefusedNeverIgnored) {
  const Instant far{4'000'000'000'000'000};
  const Status retained = this->store().put("kept", as_bytes("x"), far);
  if (retained.ok()) {
    EXPECT_TRUE(this->store().extend("kept", far + 1s).ok());
    EXPECT_TRUE(this->store().remove("kept").is(Errc::kRefused));
    EXPECT_EQ(this->get("kept"), "x");
  } else {
    EXPECT_TRUE(retained.is(Errc::kRefused));
    EXPECT_TRUE(this->store().head("kept").is(Errc::kNotFound));
    ASSERT_TRUE(this->put("plain", "x").ok());
    EXPECT_TRUE(this->store().extend("plain", far).is(Errc::kRefused));
  }
}

TYPED_TEST_P(ObjectStoreConformance, ATailIsReadableAsItGrowsAndZeroBehindItsEnd) {
  if (!TypeParam::kHasTails) {
    EXPECT_TRUE(this->store().create_tail("tails/t").is(Errc::kRefused));
    return;
  }
  auto tail = this->store().create_tail("tails/t");
  ASSERT_TRUE(tail.ok());
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE((*tail)->append(this->pattern(700'000)).ok());
    const Bytes all = *this->store().get("tails/t");
    ASSERT_GE(all.size(), i * 700'000u);
    EXPECT_TRUE(std::equal(all.begin() + (i - 1) * 700'000, all.begin() + i * 700'000,
                           this->pattern(700'000).begin()));
    EXPECT_TRUE(
        std::all_of(all.begin() + i * 700'000, all.end(), [](std::byte b) { return b == std::byte{0}; }));
  }
  EXPECT_TRUE((*tail)->sync().ok());
  this->reopen();
  EXPECT_EQ(*this->store().get_range("tails/t", 1'400'000, 700'000), this->pattern(700'000));
}

TYPED_TEST_P(ObjectStoreConformance, ATailIsAnObjectToEverybodyElse) {
  if (!TypeParam::kHasTails) return;
  ASSERT_TRUE(this->put("tails/object", "x").ok());
  ASSERT_TRUE(this->store().create_tail("tails/t").ok());
  EXPECT_TRUE(this->store().create_tail("tails/t").is(Errc::kExists));
  EXPECT_TRUE(this->store().create_tail("tails/object").is(Errc::kExists));
  EXPECT_TRUE(this->store().create_tail("../t").is(Errc::kInvalid));
  EXPECT_TRUE(this->put("tails/t", "y").is(Errc::kExists));
  EXPECT_EQ(this->list("tails/"), (std::vector<std::string>{"tails/object", "tails/t"}));
  EXPECT_TRUE(this->store().remove("tails/t").ok());
  EXPECT_TRUE(this->store().head("tails/t").is(Errc::kNotFound));
}

REGISTER_TYPED_TEST_SUITE_P(ObjectStoreConformance, AnObjectIsReadBackWholeWhateverItsSize,
                            ANameIsTakenOnceAndItsBytesStay, WhatIsMissingIsNotFoundByName,
                            ARangeIsExactlyTheBytesAskedFor, ARangePastTheEndIsCorruptHoweverLargeItIs,
                            AListIsSortedByWholeNameAndTakesAnyPrefix, AListOfNothingIsEmpty,
                            RemovalIsIdempotentAndTakesNothingElse, ABadNameIsInvalidForEveryCall,
                            ANameMayHaveTwoHundredBytesAndEveryAllowedCharacter,
                            OfManyPutsOfOneNameExactlyOneSucceeds,
                            WritersOfDifferentNamesDoNotDisturbEachOther, AReopenedStoreHoldsTheSame,
                            RetentionIsKeptOrRefusedNeverIgnored, ATailIsReadableAsItGrowsAndZeroBehindItsEnd,
                            ATailIsAnObjectToEverybodyElse);

}  // namespace daruma
