// Goal: PostgreSQL goes on when there is no more WAL, and stops, never promotes, when we do not know.
#include "datastore/postgres/wal_get.h"

#include <gmock/gmock.h>

#include "datastore/postgres/control_file.h"
#include "datastore/postgres/test_data.h"
#include "os/files.h"
#include "os/sim_file_system.h"
#include "repository/log.h"
#include "storage/memory_store.h"

namespace daruma::postgres {
namespace {

constexpr uint64_t kSegment = 1 << 20;  // as the sample's pg_control says

class WalGet : public testing::Test {
 protected:
  WalGet() {
    const Bytes control = test_bytes("postgres/pg_control");
    stream_ = {"bookings", parse_control_file(control)->system_identifier};
    must(create_dirs(disk_, "/data/global"));
    must(create_dirs(disk_, "/data/pg_wal"));
    must(replace_file(disk_, "/data/global/pg_control", control));
    key_.repository = random_->id<RepositoryId>();
    random_->fill(key_.master.writable());
    must(Repository::create({"here", &store_}, key_, clock_, *random_));
  }

  static void must(const Status& status) { ASSERT_TRUE(status.ok()) << status.error().what; }
  Result<std::unique_ptr<Repository>> open() {
    ++opened_;
    if (unreachable_) return Error{Errc::kUnavailable, "the disk is not mounted"};
    return Repository::open({{"here", &store_}}, key_, clock_, *random_);
  }

  static Bytes wal(uint64_t from, uint64_t to) {
    return Bytes(to - from, static_cast<std::byte>(1 + from / kSegment));
  }
  void hold(Timeline timeline, uint64_t from, uint64_t to) {
    const auto repository = Repository::open({{"here", &store_}}, key_, clock_, *random_);
    ASSERT_TRUE(repository.ok());
    LogWriter::Options options{stream_, "serve", kSegment, false, {}};
    const auto log = LogWriter::open(**repository, options);
    ASSERT_TRUE(log.ok());
    for (uint64_t at = from; at < to; at = std::min(to, (at / kSegment + 1) * kSegment))
      must((*log)->append(timeline, at, wal(at, std::min(to, (at / kSegment + 1) * kSegment))));
    must((*log)->close_piece());
  }

  WalGetExit get(const std::string& file, std::optional<Lsn> until = {}) {
    WalGetRequest request;
    request.datastore = "bookings";
    request.file = file;
    request.destination = "pg_wal/RECOVERYXLOG";
    request.data_directory = "/data";
    request.until = until;
    said_.clear();
    return wal_get(
        disk_, clock_, request, [this] { return open(); },
        [this](const Error& error) { said_ = error.what; });
  }
  Bytes got() {
    const auto bytes = read_file(disk_, "/data/pg_wal/RECOVERYXLOG", 1 << 24);
    return bytes.ok() ? *bytes : Bytes{};
  }

  SimFileSystem disk_;
  ManualClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(2);
  MemoryStore store_;
  KeyFile key_;
  LogStream stream_;
  bool unreachable_ = false;
  int opened_ = 0;
  std::string said_;
};

TEST_F(WalGet, BringsASegmentThatIsHeld) {
  hold(1, kSegment, 3 * kSegment);
  EXPECT_EQ(get("000000010000000000000002"), WalGetExit::kDone);
  EXPECT_EQ(got(), wal(2 * kSegment, 3 * kSegment));
}

TEST_F(WalGet, PadsTheUnfinishedSegmentWithZeros) {
  hold(1, kSegment, 2 * kSegment + 1000);
  EXPECT_EQ(get("000000010000000000000002"), WalGetExit::kDone);
  Bytes expected = wal(2 * kSegment, 2 * kSegment + 1000);
  expected.resize(kSegment);
  EXPECT_EQ(got(), expected);
}

TEST_F(WalGet, SaysThatThereIsNoMore) {
  hold(1, kSegment, 2 * kSegment);
  EXPECT_EQ(get("000000010000000000000002"), WalGetExit::kAbsent);
  EXPECT_EQ(get("000000020000000000000001"), WalGetExit::kAbsent);
  EXPECT_EQ(get("00000002.history"), WalGetExit::kAbsent);
}

TEST_F(WalGet, GivesNothingPastTheEndThatWasResolved) {
  hold(1, kSegment, 4 * kSegment);
  EXPECT_EQ(get("000000010000000000000003", Lsn{3 * kSegment}), WalGetExit::kAbsent);
  EXPECT_EQ(get("000000010000000000000002", Lsn{2 * kSegment + 10}), WalGetExit::kDone);
  Bytes expected = wal(2 * kSegment, 2 * kSegment + 10);
  expected.resize(kSegment);
  EXPECT_EQ(got(), expected);
}

TEST_F(WalGet, StopsAtAHoleInsteadOfCallingItTheEnd) {
  hold(1, kSegment, 2 * kSegment);
  hold(1, 3 * kSegment, 4 * kSegment);
  EXPECT_EQ(get("000000010000000000000002"), WalGetExit::kStop);
  EXPECT_THAT(said_, testing::HasSubstr("WAL of timeline 1 is missing from 0/200000 on"));
}

TEST_F(WalGet, StopsWhenWhatWasHeldIsGone) {
  hold(1, kSegment, 2 * kSegment);
  EXPECT_EQ(get("000000010000000000000002", Lsn{3 * kSegment}), WalGetExit::kStop);
  EXPECT_EQ(get("000000010000000000000001", Lsn{2 * kSegment}), WalGetExit::kDone);
}

TEST_F(WalGet, StopsWhenTheRepositoryCannotBeReached) {
  hold(1, kSegment, 2 * kSegment);
  unreachable_ = true;
  EXPECT_EQ(get("000000010000000000000001"), WalGetExit::kStop);
  EXPECT_EQ(said_, "the disk is not mounted");
  EXPECT_EQ(opened_, 4);  // it may only have been a moment
}

TEST_F(WalGet, StopsWhenTheRepositoryHoldsNoLogAtAll) {
  EXPECT_EQ(get("000000010000000000000001"), WalGetExit::kStop);
}

TEST_F(WalGet, StopsWhenWhatIsMissingMayBeWhatIsDamaged) {
  hold(1, kSegment, 3 * kSegment);
  const auto pieces = store_.list("log/" + stream_.path() + "/00000001/");
  ASSERT_EQ(pieces->size(), 2u);
  store_.bytes(pieces->back().name)[20] ^= std::byte{1};
  EXPECT_EQ(get("000000010000000000000002"), WalGetExit::kStop);
  EXPECT_EQ(get("000000010000000000000001"), WalGetExit::kDone);
}

TEST_F(WalGet, LinksWhatRestoreBroughtWithoutOpeningTheRepository) {
  must(replace_file(disk_, "/data/pg_wal/000000010000000000000005", Bytes(kSegment, std::byte{9})));
  EXPECT_EQ(get("000000010000000000000005"), WalGetExit::kDone);
  EXPECT_EQ(got(), Bytes(kSegment, std::byte{9}));
  EXPECT_EQ(opened_, 0);
}

TEST_F(WalGet, StopsWithoutAControlFile) {
  must(disk_.remove_file("/data/global/pg_control"));
  EXPECT_EQ(get("000000010000000000000001"), WalGetExit::kStop);
}

}  // namespace
}  // namespace daruma::postgres
