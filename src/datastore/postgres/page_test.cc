// Page checksums against pages a real server wrote, and which files have pages at all.
#include "datastore/postgres/page.h"

#include <gtest/gtest.h>

#include "datastore/postgres/page_hash.h"
#include "datastore/postgres/test_data.h"

namespace daruma::postgres {
namespace {

// Blocks 0 and 1 of pg_class.
struct RealPages : testing::Test {
  Bytes bytes = test_bytes("postgres/pg_class.pages");
  BytesView page(size_t block) { return BytesView(bytes).subspan(block * kPageSize, kPageSize); }
};

TEST_F(RealPages, AreGoodWhereTheyBelong) {
  EXPECT_TRUE(page_is_good(page(0), 0));
  EXPECT_TRUE(page_is_good(page(1), 1));
  EXPECT_EQ(page_checksum(page(1), 1), stored_checksum(page(1)));
  EXPECT_TRUE(page_is_good(test_bytes("postgres/pg_class_vm.pages"), 0));
}

TEST_F(RealPages, AreBadAtAnotherBlock) {
  EXPECT_FALSE(page_is_good(page(0), 1));
  EXPECT_FALSE(page_is_good(page(1), 0));
}

TEST_F(RealPages, CarryTheLsnOfTheirLastChange) {
  EXPECT_GT(page_lsn(page(0)).value, 0u);
  EXPECT_LT(page_lsn(page(0)).value, 0xF021A8u);  // where that server's log ended
}

TEST_F(RealPages, AreBadAfterAnyByteIsFlipped) {
  for (size_t at = 0; at < kPageSize; ++at) {
    bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(page_is_good(page(0), 0)) << at;
    bytes[at] ^= std::byte{0x10};
  }
}

TEST_F(RealPages, AreBadWhenTornInTheMiddle) {
  const Bytes old = to_bytes(page(1));
  std::copy(old.begin() + kPageSize / 2, old.end(), bytes.begin() + kPageSize / 2);
  EXPECT_FALSE(page_is_good(page(0), 0));
}

TEST_F(RealPages, HashTheSameOnEveryProcessor) {
  if (!has_wide_page_hash()) GTEST_SKIP() << "this processor has no AVX2";
  EXPECT_EQ(page_hash_plain(page(0)), page_hash_wide(page(0)));
  EXPECT_EQ(page_hash_plain(page(1)), page_hash_wide(page(1)));
}

TEST(Page, ANewPageIsGoodOnlyIfItIsAllZeros) {
  Bytes page(kPageSize);
  EXPECT_TRUE(page_is_new(page));
  EXPECT_TRUE(page_is_good(page, 7));
  for (const size_t at : {size_t{0}, size_t{1}, size_t{100}, kPageSize - 1}) {
    page[at] = std::byte{1};
    EXPECT_TRUE(page_is_new(page));
    EXPECT_FALSE(page_is_good(page, 7)) << at;
    page[at] = std::byte{0};
  }
}

TEST(Page, TheLsnIsStoredHighHalfFirst) {
  Bytes page(kPageSize);
  store_le<uint32_t>(page.data(), 0x16);
  store_le<uint32_t>(page.data() + 4, 0xB374D848);
  EXPECT_EQ(to_string(page_lsn(page)), "16/B374D848");
}

std::string describe(std::string_view path) {
  const auto file = parse_relation_path(path);
  if (!file) return "none";
  return std::to_string(file->tablespace) + " " + std::to_string(file->database) + " " +
         std::to_string(file->relation) + " fork " + std::to_string(file->fork) + " file " +
         std::to_string(file->segment_file);
}

TEST(RelationPath, NamesTablespaceDatabaseRelationForkAndFile) {
  EXPECT_EQ(describe("base/5/1259"), "1663 5 1259 fork 0 file 0");
  EXPECT_EQ(describe("base/5/1259_fsm.1"), "1663 5 1259 fork 1 file 1");
  EXPECT_EQ(describe("base/16384/16401_vm"), "1663 16384 16401 fork 2 file 0");
  EXPECT_EQ(describe("base/16384/16401_init"), "1663 16384 16401 fork 3 file 0");
  EXPECT_EQ(describe("base/5/4294967295.12"), "1663 5 4294967295 fork 0 file 12");
  EXPECT_EQ(describe("global/1262"), "1664 0 1262 fork 0 file 0");
  EXPECT_EQ(describe("pg_tblspc/16400/PG_15_202209061/5/16401"), "16400 5 16401 fork 0 file 0");
}

TEST(RelationPath, InATablespacesOwnArchiveDoesNotSayTheTablespace) {
  EXPECT_EQ(describe("PG_15_202209061/5/16401.2"), "0 5 16401 fork 0 file 2");
}

TEST(RelationPath, OfFilesWithoutChecksumsIsNone) {
  for (const char* path : {"",
                           "base",
                           "base/5",
                           "base/5/",
                           "base/5/PG_VERSION",
                           "base/5/pg_filenode.map",
                           "base/5/t3_16401",
                           "base/5/1259_tmp",
                           "base/5/1259.",
                           "base/5/1259.0",
                           "base/5/1259.01",
                           "base/5/1259.1.2",
                           "base/5/01259",
                           "base/5/4294967296",
                           "base/5/1259_fsm_vm",
                           "base/5/5/1259",
                           "base//1259",
                           "global/pg_control",
                           "global/pg_internal.init",
                           "global/5/1262",
                           "pg_wal/000000010000000000000001",
                           "pg_xact/0000",
                           "pg_tblspc/16400",
                           "pg_tblspc/16400/5/16401",
                           "pg_tblspc/x/PG_15_202209061/5/16401",
                           "backup_label",
                           "PG_15/5/16401",
                           "PG__202209061/5/16401",
                           "pg_multixact/offsets/0000",
                           "/base/5/1259",
                           "./base/5/1259",
                           "base/pgsql_tmp/pgsql_tmp12.0"})
    EXPECT_EQ(describe(path), "none") << path;
}

}  // namespace
}  // namespace daruma::postgres
