// What goes into a snapshot comes out byte by byte, whatever its shape, and a later snapshot stores only what
// changed.
#include <gmock/gmock.h>

#include "repository/repository_fixture.h"

namespace daruma {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kPage = kPageSize;

TEST(SnapshotRoundTripTest, FilesOfEverySizeComeBack) {
  TestTree tree;
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kPage - 1, kPage, kPage + 1, 31 * kPage + 5,
                              32 * kPage, 33 * kPage, 64 * kPage, 64 * kPage + 1, 255 * kPage})
    tree["size-" + std::to_string(size)] = test_file(test_bytes(size, size));
  TestRepository repository;
  const auto stored = repository.take(tree);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(*read_tree(*repository, *stored), tree);
}

TEST(SnapshotRoundTripTest, FilesAcrossTheBordersOfLeavesComeBack) {
  TestTree tree;
  for (const size_t pages : {4095, 4096, 4097, 8192})
    tree["pages-" + std::to_string(pages)] = test_file(test_pages(seeds_from(pages, pages)));
  tree["pages-4097"].bytes.resize(4096 * kPage + 1);
  TestRepository repository;
  const auto stored = repository.take(tree);
  ASSERT_TRUE(stored.ok());
  EXPECT_TRUE(*read_tree(*repository, *stored) == tree);
}

TEST(SnapshotRoundTripTest, DirectoriesLinksModesTimesAndOddNamesComeBack) {
  TestTree tree;
  tree["base"] = {.type = FileEntry::Type::kDirectory, .mode = 0700};
  tree["pg_tblspc/16390"] = {.type = FileEntry::Type::kSymlink, .target = "/mnt/a place/with spaces"};
  tree["base/1"] = {.mode = 0444, .modified = {-1}, .bytes = test_bytes(1, 10)};
  for (const std::string name :
       {" ", "a b", "...", "..x", "\xff\xfe", "日本語", "new\nline", "-rf", "a\\b", "*"})
    tree["odd/" + name] = test_file(test_bytes(2, 3));
  tree["long/" + std::string(255, 'n')] = test_file({});
  TestRepository repository;
  const auto stored = repository.take(tree);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(*read_tree(*repository, *stored), tree);
}

TEST(SnapshotRoundTripTest, AnEmptySnapshotIsOne) {
  TestRepository repository;
  const auto stored = repository.take({});
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(*read_tree(*repository, *stored), TestTree{});
}

TEST(SnapshotRoundTripTest, ManyFilesFillSeveralTablesAndStayInOrder) {
  TestTree tree;
  for (int i = 0; i < 8000; ++i)
    tree["dir/a rather long name so that tables fill up quickly, number " + std::to_string(i)] =
        test_file(test_bytes(1, static_cast<size_t>(i % 3)));
  TestRepository repository;
  const auto stored = *repository.take(tree);
  const auto snapshot = repository.read(stored);
  EXPECT_GT(snapshot->manifest().tables.size(), 1u);
  EXPECT_EQ(snapshot->manifest().files, tree.size());
  EXPECT_EQ(*read_tree(*snapshot), tree);
  for (const auto& [path, file] : tree) EXPECT_EQ(snapshot->find(path)->size, file.bytes.size());
}

TEST(SnapshotRoundTripTest, DataOfSeveralPacksComesBack) {
  TestTree tree{{"big", test_file(test_bytes(9, 40 << 20))}};
  TestRepository repository;
  const auto stored = *repository.take(tree);
  EXPECT_GE(stored.packs.size(), 4u);
  EXPECT_TRUE(*read_tree(*repository, stored) == tree);
  for (const PackSize& pack : stored.packs)
    EXPECT_EQ(repository.store.head(pack_name(pack.pack))->size, pack.size);
}

TEST(SnapshotRoundTripTest, PacksOfAnySizeHoldIt) {
  const TestTree tree{{"a", test_file(test_bytes(1, 5000 * kPage))}, {"b", test_file(test_bytes(2, 100))}};
  for (const uint64_t pack_bytes : {uint64_t{1}, 100 * kPage}) {
    TestRepository repository;
    const auto stored = take_snapshot(*repository, repository.writer, tree, {.pack_bytes = pack_bytes});
    ASSERT_TRUE(stored.ok());
    EXPECT_TRUE(*read_tree(*repository, *stored) == tree);
    EXPECT_GT(stored->packs.size(), 30u);
  }
}

TEST(SnapshotRoundTripTest, BytesMayArriveInPiecesOfAnySize) {
  TestTree tree{{"a", test_file(test_bytes(1, 300'000))}, {"b", test_file(test_bytes(2, 100))}};
  for (const size_t write_size : {1u, 7u, 8192u, 262144u, 1'000'000u}) {
    TestRepository repository;
    const auto stored = take_snapshot(*repository, repository.writer, tree, {}, write_size);
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(*read_tree(*repository, *stored), tree) << write_size;
  }
}

TEST(SnapshotRoundTripTest, ItSaysWhatItHoldsAndWhenItWasTaken) {
  TestRepository repository;
  const auto stored = *repository.take({{"a", test_file(test_bytes(1, 100))}});
  const auto snapshot = repository.read(stored);
  EXPECT_EQ(snapshot->manifest().datastore, "bookings");
  EXPECT_EQ(snapshot->manifest().bytes_read, 100u);
  EXPECT_EQ(snapshot->manifest().started, repository.clock.now());
  EXPECT_EQ(snapshot->manifest().id, stored.commit.snapshot);
  EXPECT_EQ(stored.commit.kind, "full");
}

TEST(SnapshotRoundTripTest, WhatWasStoredIsKnownBeforeMetaIsAskedFor) {
  TestRepository repository;
  const auto out = SnapshotWriter::start(*repository, {.datastore = "bookings"});
  const Bytes bytes = test_bytes(1, 100);
  FileEntry entry;
  entry.path = "file";
  entry.size = bytes.size();
  ASSERT_TRUE(out->begin_file(entry).ok() && out->write(bytes).ok() && out->end_file().ok());
  uint64_t stored = 0;
  const auto committed = out->commit(repository.writer, {}, [&]() -> Result<std::string> {
    stored = out->bytes_stored();
    return std::string("{}");
  });
  ASSERT_TRUE(committed.ok());
  EXPECT_GT(stored, bytes.size());
  EXPECT_EQ(stored, repository.read(*committed)->manifest().bytes_stored);
}

TEST(SnapshotRoundTripTest, EveryWholePageIsInspectedOnce) {
  TestRepository repository;
  Guarded<std::map<uint64_t, int>> seen;
  const auto out = SnapshotWriter::start(
      *repository,
      {.datastore = "bookings", .inspect = [&](const std::string& path, uint64_t page, BytesView bytes) {
         EXPECT_EQ(path, "file");
         EXPECT_EQ(to_bytes(bytes), test_pages({page}));
         ++(*seen.lock())[page];
       }});
  Bytes bytes = test_pages(seeds_from(0, 100));
  bytes.resize(bytes.size() + 5);
  FileEntry entry;
  entry.path = "file";
  entry.size = bytes.size();
  ASSERT_TRUE(out->begin_file(entry).ok() && out->write(bytes).ok() && out->end_file().ok());
  const auto meta = [&]() -> Result<std::string> {
    EXPECT_EQ(seen.lock()->size(), 100u);  // all of them, before meta is asked for
    return std::string("{}");
  };
  ASSERT_TRUE(out->commit(repository.writer, {}, meta).ok());
  for (const auto& [page, count] : *seen.lock()) EXPECT_EQ(count, 1);
}

class RandomAccessTest : public testing::Test {
 protected:
  RandomAccessTest() {
    bytes_ = test_pages(seeds_from(1, 4200));
    bytes_.resize(bytes_.size() - 1000);
    stored_ = *repository_.take({{"file", test_file(bytes_)}, {"none", test_file({})}});
    snapshot_ = repository_.read(stored_);
  }
  Result<Bytes> read(uint64_t offset, uint64_t size) {
    return snapshot_->read_range(*snapshot_->find("file"), offset, size);
  }
  Bytes expected(uint64_t offset, uint64_t size) { return to_bytes(BytesView(bytes_).subspan(offset, size)); }

  TestRepository repository_;
  Bytes bytes_;
  Repository::StoredCommit stored_;
  std::unique_ptr<SnapshotReader> snapshot_;
};

TEST_F(RandomAccessTest, AnyBytesAreReadAsTheyWere) {
  const auto random = seeded_random(11);
  const auto below = [&](uint64_t limit) {
    return load_le<uint64_t>(random->id<Id<struct AnyTag>>().bytes.data()) % limit;
  };
  for (int i = 0; i < 300; ++i) {
    const uint64_t offset = below(bytes_.size() + 1);
    const uint64_t size =
        below(std::min<uint64_t>(bytes_.size() - offset, i % 10 == 0 ? 3 << 20 : 20'000) + 1);
    ASSERT_EQ(*read(offset, size), expected(offset, size)) << offset << " " << size;
  }
}

TEST_F(RandomAccessTest, TheBorderOfTwoLeavesIsNoBorder) {
  const uint64_t border = kLeafPages * kPage;
  EXPECT_EQ(*read(border - 10, 20), expected(border - 10, 20));
  EXPECT_EQ(*read(border, 1), expected(border, 1));
  EXPECT_EQ(*read(border - 1, 1), expected(border - 1, 1));
}

TEST_F(RandomAccessTest, TheEndMayBeReadAndNotPassed) {
  EXPECT_EQ(*read(bytes_.size() - 3, 3), expected(bytes_.size() - 3, 3));
  EXPECT_EQ(read(bytes_.size(), 0)->size(), 0u);
  EXPECT_TRUE(read(bytes_.size() - 3, 4).is(Errc::kInvalid));
  EXPECT_TRUE(read(bytes_.size() + 1, 0).is(Errc::kInvalid));
  EXPECT_TRUE(read(5, ~uint64_t{0}).is(Errc::kInvalid));
  EXPECT_EQ(snapshot_->read_range(*snapshot_->find("none"), 0, 0)->size(), 0u);
}

TEST_F(RandomAccessTest, PagesOfALeafArriveEachOnce) {
  const FileEntry entry = *snapshot_->find("file");
  const LeafMap leaf = *snapshot_->leaf(entry, 1);
  std::vector<int> seen(leaf.pages.size());
  ASSERT_TRUE(snapshot_
                  ->read_pages(entry, leaf, 3, 50,
                               [&](uint64_t page, BytesView bytes) -> Status {
                                 ++seen[page];
                                 EXPECT_EQ(to_bytes(bytes),
                                           expected((kLeafPages + page) * kPage, bytes.size()));
                                 return {};
                               })
                  .ok());
  for (size_t page = 0; page < seen.size(); ++page) EXPECT_EQ(seen[page], page >= 3 && page < 53) << page;
}

TEST_F(RandomAccessTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_TRUE(snapshot_->find("fil").is(Errc::kNotFound));
}

TEST_F(RandomAccessTest, ADamagedPackIsNamedWithFileAndPageAndTheRestIsStillRead) {
  const LeafMap leaf = *snapshot_->leaf(*snapshot_->find("file"), 0);
  const Location hit = leaf.frames[leaf.pages[40].frame].location;
  const std::string pack = pack_name(hit.pack);
  repository_.store.bytes(pack)[hit.offset + 20] ^= std::byte{1};
  const auto damaged = read(40 * kPage, 10);
  ASSERT_TRUE(damaged.is(Errc::kCorrupt));
  EXPECT_THAT(damaged.error().what, HasSubstr(pack));
  EXPECT_THAT(damaged.error().what, HasSubstr("'file'"));
  EXPECT_THAT(damaged.error().what, HasSubstr("page 40"));
  EXPECT_EQ(*read(64 * kPage, 10), expected(64 * kPage, 10));
}

TEST_F(RandomAccessTest, AHintThatLeadsNowhereIsMadeUpForByTheIndex) {
  const FileEntry entry = *snapshot_->find("file");
  LeafMap leaf = *snapshot_->leaf(entry, 0);
  for (LeafMap::Frame& frame : leaf.frames) frame.location = {PackId{}, 1, 1};
  Bytes first;
  ASSERT_TRUE(snapshot_
                  ->read_pages(entry, leaf, 0, 1,
                               [&](uint64_t, BytesView bytes) -> Status {
                                 first = to_bytes(bytes);
                                 return {};
                               })
                  .ok());
  EXPECT_EQ(first, expected(0, kPage));
}

class LaterSnapshotTest : public testing::Test {
 protected:
  // Takes `tree` with the last snapshot as parent, checks that it comes back, and says how much was stored.
  uint64_t take(const TestTree& tree) {
    const uint64_t before = stored_bytes();
    const auto stored = repository_.take(tree, parent_.get());
    EXPECT_TRUE(stored.ok()) << stored.error().what;
    parent_ = repository_.read(*stored);
    EXPECT_TRUE(*read_tree(*parent_) == tree);
    last_ = *stored;
    return stored_bytes() - before;
  }
  uint64_t stored_bytes() {
    uint64_t total = 0;
    for (const auto& [name, bytes] : repository_.store.copy())
      total += name.starts_with("packs/") ? bytes.size() : 0;
    return total;
  }
  // From how many frames the aligned range of 32 pages comes.
  size_t spread(uint64_t range) {
    const FileEntry entry = *parent_->find("file");
    const LeafMap leaf = *parent_->leaf(entry, 0);
    std::set<uint16_t> frames;
    for (uint64_t i = range * 32; i < range * 32 + 32; ++i) frames.insert(leaf.pages[i].frame);
    return frames.size();
  }

  TestRepository repository_;
  std::unique_ptr<SnapshotReader> parent_;
  Repository::StoredCommit last_;
};

constexpr uint64_t kMapsOnly = 6'000;  // what a snapshot of a few files costs at least

TEST_F(LaterSnapshotTest, WhatDidNotChangeIsNotStoredAgain) {
  const TestTree tree{{"big", test_file(test_bytes(1, 300 * kPage))},
                      {"small", test_file(test_bytes(2, 5000))}};
  EXPECT_GT(take(tree), 300 * kPage);
  EXPECT_LT(take(tree), kMapsOnly);
  EXPECT_EQ(last_.commit.kind, "changes");
}

TEST_F(LaterSnapshotTest, OnlyChangedPagesAreStored) {
  TestTree tree{{"file", test_file(test_bytes(1, 300 * kPage))}};
  take(tree);
  tree["file"].bytes[5 * kPage + 77] ^= std::byte{1};
  tree["file"].bytes[200 * kPage] ^= std::byte{1};
  const uint64_t stored = take(tree);
  EXPECT_GT(stored, 2 * kPage);
  EXPECT_LT(stored, 2 * kPage + 20'000);  // the leaf map of 300 pages is most of the rest
}

TEST_F(LaterSnapshotTest, LeavesThatDidNotChangeAreShared) {
  TestTree tree{{"file", test_file(test_pages(seeds_from(1, 3 * kLeafPages)))}};
  take(tree);
  const auto before = parent_->find("file")->leaves;
  tree["file"].bytes[kLeafPages * kPage] ^= std::byte{1};
  take(tree);
  const auto after = parent_->find("file")->leaves;
  EXPECT_EQ(after[0].location, before[0].location);
  EXPECT_NE(after[1].id, before[1].id);
  EXPECT_EQ(after[2].location, before[2].location);
}

TEST_F(LaterSnapshotTest, FilesMayGrowShrinkComeGoAndChangeTheirType) {
  const Bytes bytes = test_bytes(1, 5000 * kPage);
  const auto first = [&](uint64_t size) { return test_file(to_bytes(BytesView(bytes).first(size))); };
  for (const auto& [before, after] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, 1},
                                                  {1, 0},
                                                  {100, kPage},
                                                  {kPage + 1, kPage},
                                                  {64 * kPage, 65 * kPage},
                                                  {65 * kPage, 64 * kPage},
                                                  {4096 * kPage, 4096 * kPage + 1},
                                                  {4097 * kPage, 4096 * kPage},
                                                  {5000 * kPage, 10}}) {
    SCOPED_TRACE(std::to_string(before) + " to " + std::to_string(after));
    take({{"file", first(before)}, {"goes", first(9)}, {"turns", first(10)}});
    take({{"file", first(after)}, {"comes", first(8)}, {"turns", {.type = FileEntry::Type::kDirectory}}});
  }
}

TEST_F(LaterSnapshotTest, AFileThatGrewStoresOnlyItsNewPages) {
  const Bytes bytes = test_bytes(1, 200 * kPage);
  take({{"file", test_file(to_bytes(BytesView(bytes).first(150 * kPage)))}});
  EXPECT_LT(take({{"file", test_file(bytes)}}), 50 * kPage + 20'000);
}

TEST_F(LaterSnapshotTest, ARangeIsNeverSpreadOverMoreThanFourFrames) {
  TestTree tree{{"file", test_file(test_bytes(1, 96 * kPage))}};
  take(tree);
  std::vector<size_t> spreads;
  for (uint64_t round = 0; round < 5; ++round) {
    tree["file"].bytes[(32 + round) * kPage] ^= std::byte{1};
    take(tree);
    spreads.push_back(spread(1));
    EXPECT_EQ(spread(0), 1u);
  }
  EXPECT_THAT(spreads, ElementsAre(2, 3, 4, 1, 2));
}

TEST_F(LaterSnapshotTest, ItNamesExactlyThePacksItNeeds) {
  TestTree tree{{"a", test_file(test_bytes(1, 100 * kPage))}, {"b", test_file(test_bytes(2, 100 * kPage))}};
  take(tree);
  tree.erase("b");
  tree["a"].bytes[0] ^= std::byte{1};
  take(tree);
  const auto packs = *repository_.store.list("packs/");
  for (const ObjectInfo& object : packs) {
    const bool named = std::ranges::any_of(
        last_.packs, [&](const PackSize& pack) { return pack_name(pack.pack) == object.name; });
    ASSERT_TRUE(named || repository_.store.remove(object.name).ok());
  }
  EXPECT_TRUE(*read_tree(*repository_, last_) == tree);
}

TEST_F(LaterSnapshotTest, ManyGenerationsOfChangesComeBackEachAsItWas) {
  TestTree tree{{"file", test_file(test_bytes(1, 150 * kPage))}};
  std::vector<std::pair<Repository::StoredCommit, TestTree>> history;
  for (uint64_t round = 0; round < 12; ++round) {
    for (uint64_t i = 0; i < 9; ++i)
      tree["file"].bytes[(i * 37 + round * 11) % 150 * kPage + i] ^= std::byte{1};
    take(tree);
    history.emplace_back(last_, tree);
  }
  for (const auto& [stored, expected] : history) EXPECT_TRUE(*read_tree(*repository_, stored) == expected);
}

class BadInputTest : public testing::Test {
 protected:
  static FileEntry entry(uint64_t size) {
    FileEntry entry;
    entry.path = "file";
    entry.size = size;
    return entry;
  }
  Result<Repository::StoredCommit> commit() {
    return out_->commit(repository_.writer, {}, []() -> Result<std::string> { return std::string("{}"); });
  }

  TestRepository repository_;
  std::unique_ptr<SnapshotWriter> out_ = SnapshotWriter::start(*repository_, {.datastore = "bookings"});
};

TEST_F(BadInputTest, MoreBytesThanAnnouncedAreRefusedAndTheSnapshotIsNot) {
  ASSERT_TRUE(out_->begin_file(entry(10)).ok());
  EXPECT_TRUE(out_->write(test_bytes(1, 11)).is(Errc::kInvalid));
  EXPECT_TRUE(commit().is(Errc::kInvalid));
  EXPECT_TRUE(repository_->commits()->empty());
}

TEST_F(BadInputTest, FewerBytesThanAnnouncedAreRefusedAndTheSnapshotIsNot) {
  ASSERT_TRUE(out_->begin_file(entry(10)).ok());
  ASSERT_TRUE(out_->write(test_bytes(1, 9)).ok());
  EXPECT_TRUE(out_->end_file().is(Errc::kInvalid));
  EXPECT_TRUE(commit().is(Errc::kInvalid));
}

TEST_F(BadInputTest, APathThatClimbsIsRefusedAndTheSnapshotIsNot) {
  FileEntry bad = entry(0);
  bad.path = "../etc/passwd";
  EXPECT_TRUE(out_->begin_file(bad).is(Errc::kInvalid));
  EXPECT_TRUE(commit().is(Errc::kInvalid));
}

TEST_F(BadInputTest, WithoutCommitThereIsNoSnapshot) {
  ASSERT_TRUE(out_->begin_file(entry(10)).ok());
  out_.reset();
  EXPECT_TRUE(repository_->commits()->empty());
}

TEST_F(BadInputTest, WhatMetaAnswersIsTheEnd) {
  const auto committed = out_->commit(repository_.writer, {}, []() -> Result<std::string> {
    return Error{Errc::kFailed, "the WAL that makes it consistent never came"};
  });
  ASSERT_TRUE(committed.is(Errc::kFailed));
  EXPECT_TRUE(repository_->commits()->empty());
}

}  // namespace
}  // namespace daruma
