// Goal: a page that fails its checksum is excused exactly when replay makes it good again.
#include "datastore/postgres/page_watch.h"

#include <gmock/gmock.h>

#include "datastore/postgres/test_data.h"
#include "datastore/postgres/wal_story.h"

namespace daruma::postgres {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr const char* kPath = "base/5/16384";
constexpr uint64_t kSegment = 1 << 20;

class APageWatch : public testing::Test {
 protected:
  // A real page, with one byte of its rows changed: its checksum no longer matches.
  Bytes torn_page() {
    Bytes page = test_bytes("postgres/pg_class.pages");
    page.resize(kPageSize);
    page[kPageSize - 100] ^= std::byte{1};
    return page;
  }
  Bytes good_page() {
    Bytes page = test_bytes("postgres/pg_class.pages");
    page.resize(kPageSize);
    return page;
  }

  // WAL of the backup: with the full image of a block of relation 16384 in database 5.
  void log_image_of(uint32_t block) {
    ByteWriter body;
    body.put<uint8_t>(0);     // block reference 0
    body.put<uint8_t>(0x10);  // main fork, has an image
    body.put<uint16_t>(0);    // no data
    body.put<uint16_t>(kPageSize);
    body.put<uint16_t>(0);    // no hole
    body.put<uint8_t>(0x02);  // to be applied
    for (const uint32_t number : {uint32_t{1663}, uint32_t{5}, uint32_t{16384}, block}) body.put(number);
    body.put_bytes(Bytes(kPageSize));
    wal_.record(0, 0xB0, 0, body.view());
  }

  std::vector<PageError> judged(PageWatch& watch) {
    wal_.other(100);
    FakeLog log;
    log.hold(1, {kSegment}, wal_.bytes(), {}, false);
    auto errors = watch.judge(log, 1, {kSegment}, wal_.position(), {kSegment});
    EXPECT_TRUE(errors.ok()) << errors.error().what;
    return *errors;
  }

  WalTestBuilder wal_;
};

// Later than the LSN of any page in the sample.
constexpr Lsn kLater{uint64_t{1} << 60};

TEST_F(APageWatch, SaysNothingOfGoodPages) {
  PageWatch watch(kLater);
  watch.see(kPath, 0, good_page());
  EXPECT_THAT(judged(watch), IsEmpty());
}

TEST_F(APageWatch, NamesFileAndBlockOfADamagedPage) {
  PageWatch watch(kLater);
  watch.see("base/5/16384.1", 3, torn_page());
  EXPECT_THAT(judged(watch), ElementsAre(testing::AllOf(Field(&PageError::path, "base/5/16384.1"),
                                                        Field(&PageError::block, 131072 + 3),
                                                        Field(&PageError::excused, false))));
}

TEST_F(APageWatch, ExcusesAPageThatTheBackupTore) {
  PageWatch watch(page_lsn(torn_page()));
  watch.see(kPath, 0, torn_page());
  EXPECT_THAT(judged(watch), IsEmpty());
}

TEST_F(APageWatch, ExcusesAPageWhoseFullImageIsInTheWalOfTheBackup) {
  PageWatch watch(kLater);
  watch.see(kPath, 7, torn_page());
  log_image_of(7);
  EXPECT_THAT(judged(watch), ElementsAre(Field(&PageError::excused, true)));
}

TEST_F(APageWatch, DoesNotTakeAnotherBlocksImageForAnExcuse) {
  PageWatch watch(kLater);
  watch.see(kPath, 7, torn_page());
  log_image_of(8);
  EXPECT_THAT(judged(watch), ElementsAre(Field(&PageError::excused, false)));
}

TEST_F(APageWatch, LooksOnlyAtRelations) {
  PageWatch watch(kLater);
  watch.see("pg_xact/0000", 0, torn_page());
  EXPECT_THAT(judged(watch), IsEmpty());
}

}  // namespace
}  // namespace daruma::postgres
