// The directory store on the simulated disk: the same conformance, and what any failing call and any power
// cut leave. Planted bugs these tests were seen to catch: no sync of the staged file, of the object's
// directory, of a new directory in its parent, of the directory on kExists, of a tail's name; a tail that
// goes on after a failed append.
#include <gmock/gmock.h>

#include "os/files.h"
#include "os/sim_file_system.h"
#include "storage/directory_store.h"
#include "storage/directory_tail.h"
#include "storage/object_store_conformance.h"

namespace daruma {
namespace {

using Fault = SimFileSystem::Fault;

struct OnSimulatedDisk {
  static constexpr bool kHasTails = true;
  explicit OnSimulatedDisk(uint64_t seed = 0) : disk_(seed) { reopen(); }
  ObjectStore& store() { return *open_; }
  ObjectStore& reopen() { return *(open_ = *open_directory_store(disk_, *random_, "/")); }

  SimFileSystem disk_;
  std::unique_ptr<Random> random_ = seeded_random(1);
  std::unique_ptr<ObjectStore> open_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, ObjectStoreConformance, OnSimulatedDisk);

bool holds(ObjectStore& store, const std::string& name, const Bytes& bytes) {
  const auto found = store.get(name);
  return found.ok() && *found == bytes;
}

// Calls `story(disk with store, fault armed)` for every fault, seed and n-th call until no call meets the
// fault.
template <class Prepare, class Story, class Check>
void for_every_fault(Prepare prepare, Story story, Check check) {
  for (const Fault fault : {Fault::kError, Fault::kFull, Fault::kTorn, Fault::kPower})
    for (uint64_t seed = 0; seed < 12; ++seed)
      for (uint64_t call = 1, met = true; met; ++call) {
        SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " call " + std::to_string(call) +
                     " seed " + std::to_string(seed));
        OnSimulatedDisk on(seed);
        prepare(on.store());
        on.disk_.fail_call(call, fault);
        const auto told = story(on.store());
        met = on.disk_.fault_met();
        on.disk_.power_cut();
        check(on.reopen(), told, met);
      }
}

TEST(DirectoryStoreFaults, AnObjectIsWholeOrAbsentAndThereWhenSuccessWasReported) {
  const Bytes bytes(3000, std::byte{'x'});
  for_every_fault([&](ObjectStore& store) { ASSERT_TRUE(store.put("a/before", bytes).ok()); },
                  [&](ObjectStore& store) { return store.put("a/new/object", bytes); },
                  [&](ObjectStore& store, const Status& put, bool met) {
                    EXPECT_TRUE(put.ok() || met);
                    EXPECT_TRUE(holds(store, "a/before", bytes));
                    const auto found = store.get("a/new/object");
                    EXPECT_TRUE(found.ok() ? *found == bytes : found.is(Errc::kNotFound) && !put.ok());
                    EXPECT_EQ(store.put("a/new/object", bytes).ok(), !found.ok());
                    EXPECT_TRUE(holds(store, "a/new/object", bytes));
                  });
}

TEST(DirectoryStoreFaults, AnObjectSaidToExistSurvives) {
  const auto put_twice = [](ObjectStore& store) {
    const Status first = store.put("a/object", as_bytes("x"));
    return first.ok() ? first : store.put("a/object", as_bytes("x"));
  };
  for_every_fault([](ObjectStore&) {}, put_twice,
                  [](ObjectStore& store, const Status& told, bool) {
                    const bool there = told.ok() || told.is(Errc::kExists);
                    EXPECT_TRUE(!there || store.get("a/object").ok());
                  });
}

TEST(DirectoryStoreFaults, ARemovedObjectStaysRemovedWhenSuccessWasReported) {
  for_every_fault([](ObjectStore& store) { ASSERT_TRUE(store.put("a/object", as_bytes("x")).ok()); },
                  [](ObjectStore& store) { return store.remove("a/object"); },
                  [](ObjectStore& store, const Status& removed, bool met) {
                    EXPECT_EQ(removed.ok(), !met);
                    EXPECT_TRUE(!removed.ok() || store.head("a/object").is(Errc::kNotFound));
                    EXPECT_TRUE(store.remove("a/object").ok());
                  });
}

// What a receiver was told about its tail.
struct Told {
  bool created = false;
  size_t durable = 0;
};

TEST(DirectoryStoreFaults, EverythingSyncedIsAtTheFrontOfTheTail) {
  const Bytes record(400'000, std::byte{'r'});
  const auto story = [&](ObjectStore& store) {
    Told told;
    const auto tail = store.create_tail("tails/t");
    told.created = tail.ok();
    for (size_t i = 1; tail.ok() && i <= 4; ++i)
      if ((*tail)->append(record).ok() && (*tail)->sync().ok()) told.durable = i * record.size();
    return told;
  };
  for_every_fault(
      [](ObjectStore&) {}, story,
      [&](ObjectStore& store, const Told& told, bool) {
        const auto bytes = store.get("tails/t");
        EXPECT_TRUE(bytes.ok() || (!told.created && bytes.is(Errc::kNotFound)));
        if (!bytes.ok()) return;
        ASSERT_GE(bytes->size(), told.durable);
        EXPECT_EQ(
            std::count(bytes->begin(), bytes->begin() + static_cast<ptrdiff_t>(told.durable), std::byte{'r'}),
            static_cast<ptrdiff_t>(told.durable));
      });
}

class TailTest : public testing::Test {
 protected:
  void SetUp() override { tail_ = *on_.store().create_tail("t"); }
  Status append(size_t size) { return tail_->append(Bytes(size, std::byte{'r'})); }

  OnSimulatedDisk on_;
  std::unique_ptr<Tail> tail_;
};

TEST_F(TailTest, AfterAFailedAppendItTakesNoMore) {
  on_.disk_.fail_call(1, Fault::kError);
  EXPECT_TRUE(append(10).is(Errc::kFailed));
  const Status again = append(10);
  ASSERT_TRUE(again.is(Errc::kFailed));
  EXPECT_EQ(again.error().what, "'/t' takes no more records: an earlier append or sync failed");
  EXPECT_TRUE(tail_->sync().is(Errc::kFailed));
}

TEST_F(TailTest, AfterAFailedSyncItTakesNoMore) {
  ASSERT_TRUE(append(10).ok());
  on_.disk_.fail_call(1, Fault::kError);
  EXPECT_FALSE(tail_->sync().ok());
  EXPECT_TRUE(append(10).is(Errc::kFailed));
}

TEST_F(TailTest, AnAppendWithinTheChunkNeedsNoSpace) {
  on_.disk_.set_full(true);
  EXPECT_TRUE(append(kTailChunk / 2).ok());
  EXPECT_TRUE(tail_->sync().ok());
}

TEST_F(TailTest, TheLastRecordThatFitsIsTakenAlthoughNoChunkCanBeFilledBehindIt) {
  on_.disk_.set_full(true);
  EXPECT_TRUE(append(kTailChunk).ok());
  EXPECT_TRUE(tail_->sync().ok());
  EXPECT_TRUE(append(kTailChunk).is(Errc::kNoSpace));
}

TEST_F(TailTest, AChunkThatCannotBeFilledIsMadeUpForLater) {
  on_.disk_.fail_call(1, Fault::kFull);
  ASSERT_TRUE(append(kTailChunk + 1).is(Errc::kNoSpace));
  tail_ = *on_.store().create_tail("u");
  on_.disk_.fail_call(2, Fault::kFull);  // the zeros, not the record
  ASSERT_TRUE(append(kTailChunk + 1).ok());
  ASSERT_TRUE(append(1).ok());
  EXPECT_EQ(on_.store().head("u")->size, 2 * kTailChunk);
}

TEST_F(TailTest, AFullDiskGetsNoTailAndKeepsNoTrace) {
  on_.disk_.fail_call(2, Fault::kFull);  // the zeros, after the name
  EXPECT_FALSE(on_.store().create_tail("u").ok());
  on_.disk_.set_full(true);
  EXPECT_TRUE(on_.store().create_tail("v").is(Errc::kNoSpace));
  EXPECT_EQ(on_.store().list("")->size(), 1u);
}

}  // namespace
}  // namespace daruma
