// What a snapshot says of itself survives being written and read, and nothing else is taken for it.
#include "datastore/postgres/snapshot_meta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace daruma::postgres {
namespace {

using testing::HasSubstr;

SnapshotMeta full_meta() {
  SnapshotMeta meta;
  meta.system_identifier = 18'446'744'073'709'551'615u;
  meta.server_version = 150004;
  meta.timeline = 3;
  meta.start = {0x2000028};
  meta.end = {0x16B374D848};
  meta.started = {1'795'341'600'000'001};
  meta.ended = {1'795'341'660'000'000};
  meta.segment_size = {1 << 20};
  meta.page_checksums = true;
  meta.bytes_read = 1ull << 60;
  meta.bytes_stored = 12;
  meta.tablespaces = {{16400, "/srv/表 space", 8192}};
  meta.settings = {{"max_connections", "100"}, {"wal_level", "replica"}};
  meta.page_errors = {{"base/5/1259", 7, true}, {"base/5/1260", 0, false}};
  return meta;
}

std::string with(std::string text, const std::string& old_part, const std::string& new_part) {
  const size_t where = text.find(old_part);
  EXPECT_NE(where, std::string::npos) << old_part;
  return text.replace(where, old_part.size(), new_part);
}

TEST(SnapshotMetaTest, IsReadAsItWasWritten) {
  const auto meta = parse_meta(print_meta(full_meta()));
  ASSERT_TRUE(meta.ok()) << meta.error().what;
  EXPECT_EQ(meta->system_identifier, 18'446'744'073'709'551'615u);
  EXPECT_EQ(meta->server_version, 150004);
  EXPECT_EQ(meta->timeline, 3u);
  EXPECT_EQ(to_string(meta->start), "0/2000028");
  EXPECT_EQ(to_string(meta->end), "16/B374D848");
  EXPECT_EQ(meta->started.micros, 1'795'341'600'000'001);
  EXPECT_EQ(meta->ended.micros, 1'795'341'660'000'000);
  EXPECT_EQ(meta->segment_size.bytes, 1u << 20);
  EXPECT_TRUE(meta->page_checksums);
  EXPECT_EQ(meta->bytes_read, 1ull << 60);
  EXPECT_EQ(meta->bytes_stored, 12u);
  ASSERT_EQ(meta->tablespaces.size(), 1u);
  EXPECT_EQ(meta->tablespaces[0].oid, 16400u);
  EXPECT_EQ(meta->tablespaces[0].location, "/srv/表 space");
  EXPECT_EQ(meta->settings.at("max_connections"), "100");
  ASSERT_EQ(meta->page_errors.size(), 2u);
  EXPECT_EQ(meta->page_errors[0].path, "base/5/1259");
  EXPECT_EQ(meta->page_errors[0].block, 7u);
  EXPECT_TRUE(meta->page_errors[0].excused);
  EXPECT_FALSE(meta->page_errors[1].excused);
}

TEST(SnapshotMetaTest, UnknownKeysAreIgnored) {
  EXPECT_TRUE(parse_meta(with(print_meta(full_meta()), "{", R"({"from_the_future":[1,2],)")).ok());
}

TEST(SnapshotMetaTest, AMissingOrWrongFieldIsNamed) {
  const std::string good = print_meta(full_meta());
  const auto what = [](const std::string& text) { return parse_meta(text).error().what; };
  EXPECT_EQ(what(with(good, "start_lsn", "stort_lsn")),
            "the snapshot's description: 'start_lsn' is not a text");
  EXPECT_EQ(what(with(good, "\"timeline\":3", "\"timeline\":0")),
            "the snapshot's description: 'timeline' is not a timeline");
  EXPECT_THAT(what(with(good, "\"segment_bytes\":1048576", "\"segment_bytes\":1000")),
              HasSubstr("segment_bytes"));
  EXPECT_THAT(what(with(good, "\"end_lsn\":\"16/B374D848\"", "\"end_lsn\":\"0/1\"")),
              HasSubstr("after start_lsn"));
  EXPECT_THAT(what(with(good, "\"oid\":16400", "\"oid\":-1")), HasSubstr("tablespaces"));
  EXPECT_THAT(what(with(good, "\"block\":7", "\"block\":4294967296")), HasSubstr("page_errors"));
}

TEST(SnapshotMetaTest, CutAnywhereItIsCorrupt) {
  const std::string good = print_meta(full_meta());
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_TRUE(parse_meta(good.substr(0, size)).is(Errc::kCorrupt)) << size;
}

}  // namespace
}  // namespace daruma::postgres
