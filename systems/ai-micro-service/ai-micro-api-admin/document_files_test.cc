#include "ai-micro-api-admin/document_files.h"

#include <gmock/gmock.h>

#include "base/digest.h"
#include "library/common.h"
#include "os/files.h"
#include "os/scratch_dir.h"
#include "os/sim_file_system.h"

namespace aimicro {
namespace {

using daruma::as_bytes;
using daruma::Errc;
using daruma::sha256_hex;
using testing::ElementsAre;

class DocumentFilesTest : public testing::Test {
 protected:
  daruma::ScratchDir scratch_;
  DocumentFiles files_{scratch_.fs(), scratch_.path() / "files"};
  const std::string id_ = uuid_of("a document");
  const std::string body_ = "復旧手順書\n";

  void put() { ASSERT_TRUE(files_.put(id_, as_bytes(body_)).ok()); }
  daruma::Status check() { return files_.check(id_, body_.size(), sha256_hex(body_)); }
  void overwrite(const std::string& bytes) {
    ASSERT_TRUE(daruma::replace_file(scratch_.fs(), files_.path_of(id_), as_bytes(bytes)).ok());
  }
};

TEST_F(DocumentFilesTest, AreSoundAfterTheyWerePut) {
  put();
  EXPECT_TRUE(check().ok());
}

TEST_F(DocumentFilesTest, LieUnderTheirIdAlone) {
  put();
  EXPECT_EQ(files_.path_of(id_), scratch_.path() / "files" / id_.substr(0, 2) / id_);
  EXPECT_THAT(files_.all()->ids, ElementsAre(id_));
  EXPECT_TRUE(files_.all()->strangers.empty());
}

TEST_F(DocumentFilesTest, AreNeverOverwritten) {
  put();
  EXPECT_TRUE(files_.put(id_, as_bytes("another")).is(Errc::kExists));
  EXPECT_TRUE(check().ok());
  EXPECT_TRUE(files_.all()->strangers.empty());
}

TEST_F(DocumentFilesTest, OneChangedByteIsFound) {
  put();
  std::string damaged = body_;
  damaged[4] ^= 1;
  overwrite(damaged);
  EXPECT_TRUE(check().is(Errc::kCorrupt));
}

TEST_F(DocumentFilesTest, ACutFileIsFound) {
  put();
  overwrite(body_.substr(0, 5));
  EXPECT_TRUE(check().is(Errc::kCorrupt));
}

TEST_F(DocumentFilesTest, AMissingFileIsFound) {
  put();
  ASSERT_TRUE(files_.remove(id_).ok());
  EXPECT_TRUE(check().is(Errc::kNotFound));
  EXPECT_TRUE(files_.remove(id_).ok());
}

TEST_F(DocumentFilesTest, LitterIsListedApart) {
  put();
  const auto part = files_.path_of(id_).string() + ".part";
  ASSERT_TRUE(daruma::replace_file(scratch_.fs(), part, as_bytes("cut off")).ok());
  EXPECT_THAT(files_.all()->ids, ElementsAre(id_));
  EXPECT_THAT(files_.all()->strangers, ElementsAre(daruma::Path(part)));
}

TEST_F(DocumentFilesTest, BeforeTheFirstThereAreNone) { EXPECT_TRUE(files_.all()->ids.empty()); }

// Every call that changes something fails once, in every way, and then the power goes.
TEST(DocumentFilesCrash, WhatWasAcknowledgedIsThereAndNothingIsEverHalfThere) {
  using Fault = daruma::SimFileSystem::Fault;
  const std::string id = uuid_of("a document"), body(2000, 'x');
  size_t failures = 0;
  for (const Fault fault : {Fault::kError, Fault::kFull, Fault::kTorn, Fault::kPower})
    for (uint64_t seed = 0; seed < 8; ++seed)
      for (uint64_t n = 1;; ++n) {
        daruma::SimFileSystem fs(seed);
        DocumentFiles files(fs, "/files");
        fs.fail_call(n, fault);
        const daruma::Status put = files.put(id, as_bytes(body));
        const bool met = fs.fault_met();
        fs.power_cut();
        const daruma::Status found = files.check(id, body.size(), sha256_hex(body));
        EXPECT_TRUE(put.ok() ? found.ok() : found.ok() || found.is(Errc::kNotFound))
            << "fault " << static_cast<int>(fault) << " of call " << n << ", seed " << seed << ": "
            << found.error().what;
        failures += put.ok() ? 0 : 1;
        // Whatever was left behind, the next document finds its place.
        EXPECT_TRUE(files.put(uuid_of("the next"), as_bytes(body)).ok());
        if (!met) break;
      }
  EXPECT_GT(failures, 100U);
}

TEST(DocumentFilesCrash, AFullDiskLeavesNothingBehind) {
  daruma::SimFileSystem fs;
  DocumentFiles files(fs, "/files");
  ASSERT_TRUE(files.put(uuid_of("the first"), as_bytes("x")).ok());
  fs.set_full(true);
  EXPECT_TRUE(files.put(uuid_of("the second"), as_bytes("y")).is(Errc::kNoSpace));
  EXPECT_THAT(files.all()->ids, ElementsAre(uuid_of("the first")));
  EXPECT_TRUE(files.all()->strangers.empty());
}

}  // namespace
}  // namespace aimicro
