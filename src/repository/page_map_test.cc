// Maps, tables and manifests come back as they were; what points outside, climbs or is cut is refused.
#include "repository/page_map.h"

#include <gmock/gmock.h>

#include "repository/repository_fixture.h"

namespace daruma {
namespace {

LeafMap leaf_of(size_t pages, uint64_t seed = 1) {
  const auto random = seeded_random(seed);
  LeafMap leaf;
  for (size_t i = 0; i < pages; ++i) {
    const size_t frame = i / kFramePages;
    if (frame == leaf.frames.size())
      leaf.frames.push_back({random->id<FrameId>(), {random->id<PackId>(), 118 + i, 77}});
    leaf.pages.push_back(
        {random->id<PageHash>(), static_cast<uint16_t>(frame), static_cast<uint16_t>(i % kFramePages)});
  }
  return leaf;
}

FileEntry file_entry(const std::string& path, size_t pages) {
  FileEntry entry;
  entry.path = path;
  entry.mode = 0640;
  entry.modified = {-5};
  entry.size = pages * kPageSize;
  if (pages <= kInlinePages) {
    entry.has_inline_leaf = true;
    entry.inline_leaf = leaf_of(pages);
  } else {
    entry.leaves.resize((pages + kLeafPages - 1) / kLeafPages, {MapId{}, {PackId{}, 9, 10}});
  }
  return entry;
}

Bytes table_of(const std::vector<FileEntry>& entries) {
  ByteWriter out;
  for (const FileEntry& entry : entries) put_entry(out, entry);
  return out.take();
}

TEST(LeafMapTest, ComesBackAsItWas) {
  for (const size_t pages : {0u, 1u, 33u, 4096u}) {
    const LeafMap leaf = leaf_of(pages);
    const auto decoded = decode_leaf(encode_leaf(leaf));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(encode_leaf(*decoded), encode_leaf(leaf));
    EXPECT_EQ(decoded->pages.size(), pages);
  }
}

TEST(LeafMapTest, ItsIdIsItsPagesAndNotWhereTheyLie) {
  const Keys keys(test_key());
  LeafMap leaf = leaf_of(40);
  const MapId id = leaf_id(keys, leaf);
  leaf.frames[0].location.offset = 5;
  EXPECT_EQ(leaf_id(keys, leaf), id);
  leaf.pages[3].slot = 4;
  EXPECT_NE(leaf_id(keys, leaf), id);
}

TEST(LeafMapTest, CutOrLongerItIsCorrupt) {
  Bytes body = encode_leaf(leaf_of(40));
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_TRUE(decode_leaf(BytesView(body).first(size)).is(Errc::kCorrupt)) << size;
  body.push_back(std::byte{0});
  EXPECT_TRUE(decode_leaf(body).is(Errc::kCorrupt));
}

TEST(LeafMapTest, PointingOutsideItsFramesIsCorrupt) {
  LeafMap leaf = leaf_of(40);
  leaf.pages[7].frame = 2;
  EXPECT_TRUE(decode_leaf(encode_leaf(leaf)).is(Errc::kCorrupt));
  leaf = leaf_of(40);
  leaf.pages[7].slot = kFramePages;
  EXPECT_TRUE(decode_leaf(encode_leaf(leaf)).is(Errc::kCorrupt));
}

TEST(LeafMapTest, CountsThatLieCostNoMemory) {
  Bytes body = encode_leaf(leaf_of(2));
  for (const uint32_t count : {3u, 4097u, 0xffffffffu}) {
    store_le(body.data(), count);
    EXPECT_TRUE(decode_leaf(body).is(Errc::kCorrupt)) << count;
  }
}

TEST(FileTableTest, EntriesComeBackInOrder) {
  FileEntry link;
  link.path = "pg_tblspc/16390";
  link.type = FileEntry::Type::kSymlink;
  link.target = "/mnt/fast";
  FileEntry directory;
  directory.path = "空 の\nディレクトリ";
  directory.type = FileEntry::Type::kDirectory;
  directory.mode = 0700;
  const Bytes body =
      table_of({file_entry("base/1/2", 3), link, directory, file_entry("big", 5000), file_entry("none", 0)});
  const auto entries = decode_table(body);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 5u);
  EXPECT_EQ(entries->at(0).modified, Instant{-5});
  EXPECT_EQ(entries->at(1).target, "/mnt/fast");
  EXPECT_EQ(entries->at(2).path, "空 の\nディレクトリ");
  EXPECT_EQ(entries->at(3).leaf_count(), 2u);
  EXPECT_EQ(table_of(*entries), body);
}

TEST(FileTableTest, CutAnywhereButBetweenEntriesIsCorrupt) {
  const Bytes first = table_of({file_entry("a", 2)});
  const Bytes body = table_of({file_entry("a", 2), file_entry("b", 65)});
  for (size_t size = 0; size < body.size(); ++size) {
    const bool between = size == 0 || size == first.size();
    EXPECT_EQ(decode_table(BytesView(body).first(size)).ok(), between) << size;
  }
}

TEST(FileTableTest, PathsThatClimbOrAreAbsoluteAreCorrupt) {
  const Bytes body = table_of({file_entry("aa/bb/c", 1)});
  for (const std::string path :
       {"/a/bb/c", "../bb/c", "aa/../c", "aa/bb/.", "aa//b/c", "aa/bb/", "./a/b/c"}) {
    Bytes changed = body;
    ASSERT_LE(path.size(), 7u);
    ByteWriter out;
    out.put_string(path);
    out.put_bytes(BytesView(changed).subspan(4 + 7));
    EXPECT_TRUE(decode_table(out.view()).is(Errc::kCorrupt)) << path;
  }
}

TEST(FileTableTest, AMapThatDoesNotCoverItsFileIsCorrupt) {
  FileEntry entry = file_entry("abc", 1);
  Bytes body = table_of({entry});
  const size_t size_at = 4 + 3 + 1 + 4 + 8;
  for (const uint64_t size : {uint64_t{0}, uint64_t{8193}, ~uint64_t{0}}) {
    store_le(body.data() + size_at, size);
    EXPECT_TRUE(decode_table(body).is(Errc::kCorrupt)) << size;
  }
  body = table_of({file_entry("abc", 4097)});
  for (const uint64_t size : {uint64_t{1}, 8193 * uint64_t{kPageSize}, ~uint64_t{0}}) {
    store_le(body.data() + size_at, size);
    EXPECT_TRUE(decode_table(body).is(Errc::kCorrupt)) << size;
  }
}

TEST(ManifestTest, ComesBackAsItWas) {
  const auto random = seeded_random(1);
  Manifest manifest{random->id<SnapshotId>(), "bookings", kPageSize, {1}, {2}, 3, 4, 5, "{}", {}};
  manifest.tables.push_back({random->id<MapId>(), {random->id<PackId>(), 6, 7}, 8});
  const Bytes body = encode_manifest(manifest);
  const auto decoded = decode_manifest(body);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(encode_manifest(*decoded), body);
  EXPECT_EQ(decoded->tables.at(0).entries, 8u);
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_TRUE(decode_manifest(BytesView(body).first(size)).is(Errc::kCorrupt)) << size;
}

}  // namespace
}  // namespace daruma
