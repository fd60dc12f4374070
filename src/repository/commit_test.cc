// Chains of commits: without a hole, each naming its parent; writers that race follow each other.
#include "repository/commit.h"

#include <gmock/gmock.h>

#include <thread>

#include "repository/log_testing.h"
#include "repository/repository_fixture.h"

namespace daruma {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CommitChainTest : public testing::Test {
 protected:
  Repository::StoredCommit append(const std::string& datastore = "bookings") {
    repository.clock.advance(1s);
    Commit commit;
    commit.datastore = datastore;
    commit.kind = "full";
    commit.meta = "{}";
    auto stored = repository->append_commit(repository.writer, commit, {{PackId{}, 5}});
    EXPECT_TRUE(stored.ok());
    return *std::move(stored);
  }
  std::string name(uint64_t number) { return commit_name(repository.writer, number); }
  std::vector<uint64_t> numbers() {
    std::vector<uint64_t> found;
    const auto commits = repository->commits([&](const std::string& object, const Error& error) {
      damage.push_back(object + " | " + error.what);
    });
    for (const auto& stored : *commits) found.push_back(stored.commit.number);
    return found;
  }

  TestRepository repository;
  std::vector<std::string> damage;
};

TEST_F(CommitChainTest, IsNumberedFromOneAndEachNamesItsParent) {
  const auto first = append();
  const auto second = append();
  EXPECT_EQ(first.commit.number, 1u);
  EXPECT_EQ(first.commit.parent, CommitHash{});
  EXPECT_EQ(second.commit.parent, first.hash);
  EXPECT_THAT(numbers(), ElementsAre(1, 2));
  EXPECT_THAT(damage, ElementsAre());
}

TEST_F(CommitChainTest, IsReadBackAsItWasWritten) {
  const auto written = append("a datastore");
  const auto read = *repository->commits();
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(encode_commit(read[0].commit), encode_commit(written.commit));
  EXPECT_EQ(read[0].hash, written.hash);
  EXPECT_EQ(encode_packs(read[0].packs), encode_packs(written.packs));
}

TEST_F(CommitChainTest, ItsNewestIsFoundWhateverItsLength) {
  EXPECT_EQ(*repository->newest_commit(repository.writer), 0u);
  for (uint64_t n = 1; n <= 20; ++n) {
    append();
    EXPECT_EQ(*repository->newest_commit(repository.writer), n);
  }
}

// Each number that a writer is about to take is taken by another process just before.
TEST_F(CommitChainTest, AWriterThatLosesTheRaceFollowsTheOneThatWonIt) {
  HookedStore racing(repository.store);
  const auto slow =
      *Repository::open({{"memory", &racing}}, repository.key, repository.clock, *repository.random);
  int races = 3;
  racing.before_put = [&](const std::string&) -> Status {
    if (races-- > 0) append("the fast one's");
    return {};
  };
  Commit commit;
  commit.datastore = "the slow one's";
  const auto stored = slow->append_commit(repository.writer, commit, {});
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->commit.number, 4u);
  EXPECT_THAT(numbers(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(damage, ElementsAre());
}

TEST_F(CommitChainTest, TwoWritersOfOneChainBothGetIn) {
  constexpr int kEach = 50;
  const auto write = [&] {
    for (int i = 0; i < kEach; ++i) append();
  };
  std::jthread other(write);
  write();
  other.join();
  EXPECT_EQ(numbers().size(), 2u * kEach);
  EXPECT_THAT(damage, ElementsAre());
}

TEST_F(CommitChainTest, ChainsOfSeveralWritersAreOneHistoryByTime) {
  append("a");
  repository.writer = repository.random->id<WriterId>();
  append("b");
  const auto commits = *repository->commits();
  ASSERT_EQ(commits.size(), 2u);
  EXPECT_EQ(commits[0].commit.datastore, "a");
  EXPECT_EQ(commits[1].commit.datastore, "b");
}

TEST_F(CommitChainTest, AMissingCommitIsNamedAndTheOthersAreRead) {
  for (int i = 0; i < 4; ++i) append();
  ASSERT_TRUE(repository.store.remove(name(2)).ok());
  EXPECT_THAT(numbers(), ElementsAre(1, 3, 4));
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_THAT(damage[0], HasSubstr(name(2) + " | "));
}

TEST_F(CommitChainTest, ADamagedCommitIsNamedAndTheOthersAreRead) {
  for (int i = 0; i < 3; ++i) append();
  repository.store.bytes(name(2)).back() ^= std::byte{1};
  EXPECT_THAT(numbers(), ElementsAre(1, 3));
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_THAT(damage[0], HasSubstr(name(2) + " | "));
  EXPECT_TRUE(repository->commits().is(Errc::kCorrupt));
}

TEST_F(CommitChainTest, ACommitInAnothersPlaceIsDamage) {
  for (int i = 0; i < 3; ++i) append();
  std::swap(repository.store.bytes(name(1)), repository.store.bytes(name(3)));
  EXPECT_THAT(numbers(), ElementsAre(2));
  EXPECT_EQ(damage.size(), 2u);
}

// Somebody with the key removed the newest commits and went on: the removed one is put back by another copy.
TEST_F(CommitChainTest, ACommitThatFollowsAnotherParentIsDamage) {
  append();
  const auto lost = append();
  const Bytes kept = repository.store.bytes(name(2));
  ASSERT_TRUE(repository.store.remove(name(2)).ok());
  append();
  append();
  repository.store.bytes(name(2)) = kept;
  numbers();
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_THAT(damage[0], HasSubstr(name(3) + ": it follows another commit"));
}

TEST_F(CommitChainTest, AStrangeNameAmongCommitsIsNamed) {
  append();
  const std::string strange = "commits/" + repository.writer.hex() + "/zzzzzzzzzzzzzzzz";
  ASSERT_TRUE(repository.store.put(strange, as_bytes("x"), {}).ok());
  ASSERT_TRUE(repository.store.put("commits/x", as_bytes("x"), {}).ok());
  EXPECT_THAT(numbers(), ElementsAre(1));
  EXPECT_EQ(damage.size(), 2u);
}

TEST_F(CommitChainTest, AStrayObjectWithAHugeNumberDoesNotKeepReadersBusy) {
  append();
  ASSERT_TRUE(repository.store.put(name(~uint64_t{0} - 1), as_bytes("x"), {}).ok());
  EXPECT_THAT(numbers(), ElementsAre(1));
  EXPECT_FALSE(damage.empty());
}

TEST(CreateTest, ACreationThatWasCutOffMayBeRepeated) {
  MemoryStore store;
  ManualClock clock;
  const auto random = seeded_random(1);
  ASSERT_TRUE(store.put("keys/00000001", as_bytes("the key of the one that was cut off"), {}).ok());
  const auto key = as_bytes("the key of this one");
  ASSERT_TRUE(Repository::create({"memory", &store}, test_key(), clock, *random, key).ok());
  EXPECT_EQ(store.bytes("keys/00000001"), to_bytes(key));
  EXPECT_TRUE(Repository::create({"memory", &store}, test_key(), clock, *random, key).is(Errc::kExists));
}

TEST(CreateTest, AKeyThatObjectsMayBeSealedWithIsNeverReplaced) {
  MemoryStore store;
  ManualClock clock;
  const auto random = seeded_random(1);
  ASSERT_TRUE(store.put("keys/00000001", as_bytes("a key"), {}).ok());
  ASSERT_TRUE(store.put("packs/ab/abcd", as_bytes("a pack"), {}).ok());
  const Status made = Repository::create({"memory", &store}, test_key(), clock, *random, as_bytes("another"));
  ASSERT_TRUE(made.is(Errc::kExists));
  EXPECT_THAT(made.error().what, HasSubstr("identity"));
  EXPECT_EQ(store.bytes("keys/00000001"), to_bytes(as_bytes("a key")));
}

TEST(CreateTest, AnIdentityCutToItsHeaderDoesNotOpen) {
  TestRepository repository;
  Bytes& identity = repository.store.bytes("repository");
  const auto opener = ObjectOpener::open(repository->keys(), ObjectType::kRepository, "repository", identity);
  identity.resize(opener->header_bytes());
  const auto open =
      Repository::open({{"memory", &repository.store}}, repository.key, repository.clock, *repository.random);
  EXPECT_TRUE(open.is(Errc::kInvalid));
}

TEST(CommitRecordTest, CutAnywhereIsCorrupt) {
  Commit commit;
  commit.datastore = "bookings";
  commit.kind = "full";
  commit.meta = "{\"lsn\": 1}";
  const Bytes record = encode_commit(commit);
  EXPECT_EQ(encode_commit(*decode_commit(record)), record);
  for (size_t size = 0; size < record.size(); ++size)
    EXPECT_TRUE(decode_commit(BytesView(record).first(size)).is(Errc::kCorrupt)) << size;
}

TEST(CommitRecordTest, PacksCutAnywhereAreCorrupt) {
  const Bytes packs = encode_packs({{PackId{}, 1}, {PackId{}, 2}});
  EXPECT_EQ(decode_packs(packs)->size(), 2u);
  for (size_t size = 0; size < packs.size(); ++size)
    EXPECT_TRUE(decode_packs(BytesView(packs).first(size)).is(Errc::kCorrupt)) << size;
}

}  // namespace
}  // namespace daruma
