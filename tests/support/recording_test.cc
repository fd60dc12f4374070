// Goal: the recording in tests/data/replication is what its tests believe it to be.
#include "support/recording.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/size.h"
#include "datastore/postgres/page.h"
#include "datastore/postgres/tar_reader.h"
#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;

class Collector final : public TarSink {
 public:
  Status begin(const TarMember& member) override {
    names.push_back(member.name);
    files[member.name];
    return {};
  }
  Status data(BytesView bytes) override {
    Bytes& file = files[names.back()];
    file.insert(file.end(), bytes.begin(), bytes.end());
    return {};
  }
  Status end() override { return {}; }

  std::vector<std::string> names;
  std::map<std::string, Bytes> files;
};

class HotelRecording : public testing::Test {
 protected:
  Collector read_archive(uint32_t oid) {
    Collector collector;
    TarReader reader(collector);
    EXPECT_TRUE(reader.feed(hotel_.archives.at(oid)).ok());
    EXPECT_TRUE(reader.finish().ok());
    return collector;
  }
  std::vector<WalEvent> read_wal(const TimelineRecording& timeline) {
    std::vector<WalEvent> events;
    WalParser::Options options;
    options.segment_size = {kMiB};
    options.system_identifier = hotel_.system_identifier;
    WalParser parser(options, timeline.start, [&](const WalEvent& event) { events.push_back(event); });
    const Status status = parser.feed(timeline.wal);
    EXPECT_TRUE(status.ok()) << status.error().what;
    return events;
  }
  static std::vector<std::string> restore_points(const std::vector<WalEvent>& events) {
    std::vector<std::string> names;
    for (const WalEvent& event : events) {
      if (event.kind == WalEvent::Kind::kRestorePoint) names.push_back(event.name);
    }
    return names;
  }
  static size_t count(const std::vector<WalEvent>& events, WalEvent::Kind kind) {
    return static_cast<size_t>(std::count_if(events.begin(), events.end(),
                                             [&](const WalEvent& event) { return event.kind == kind; }));
  }

  const ServerRecording hotel_ = load_recording("hotel");
};

TEST_F(HotelRecording, HoldsTheFilesABackupNeedsAndLittleElse) {
  const Collector main = read_archive(0);
  EXPECT_THAT(main.names, IsSupersetOf({"PG_VERSION", "backup_label", "tablespace_map", "pg_xact/0000",
                                        "pg_wal", "global/1262", "postgresql.conf"}));
  EXPECT_EQ(main.names.back(), "global/pg_control");
  EXPECT_LT(hotel_.archives.at(0).size(), 300 * kKiB);
}

TEST_F(HotelRecording, HoldsOneTablespaceWithOneRelation) {
  ASSERT_EQ(hotel_.tablespaces.size(), 2u);
  const auto oid = hotel_.tablespaces[0].oid;
  EXPECT_EQ(std::string(as_text(read_archive(0).files["tablespace_map"])),
            fmt::format("{} {}\n", oid, hotel_.tablespaces[0].location));
  const Collector fast = read_archive(oid);
  const auto has_relation = [](const auto& named) {
    return parse_relation_path("pg_tblspc/1/" + named.first);
  };
  EXPECT_EQ(std::count_if(fast.files.begin(), fast.files.end(), has_relation), 1);
}

TEST_F(HotelRecording, HoldsGoodPages) {
  size_t pages = 0;
  for (const auto& [name, bytes] : read_archive(0).files) {
    if (!parse_relation_path(name)) continue;
    for (size_t at = 0; at + kPageSize <= bytes.size(); at += kPageSize, ++pages) {
      EXPECT_TRUE(
          page_is_good(BytesView(bytes).subspan(at, kPageSize), static_cast<uint32_t>(at / kPageSize)))
          << name;
    }
  }
  EXPECT_GT(pages, 10u);
}

TEST_F(HotelRecording, TellsItsStoryInTheWalOfTwoTimelines) {
  ASSERT_EQ(hotel_.timelines.size(), 2u);
  const auto first = read_wal(hotel_.timelines[0]);
  EXPECT_THAT(restore_points(first), ElementsAre("before_the_eventful_day", "before_the_mistake"));
  EXPECT_GT(count(first, WalEvent::Kind::kCommit), 1000u);
  EXPECT_EQ(count(first, WalEvent::Kind::kSwitch), 2u);  // the backup's own, and the early one
  EXPECT_GE(count(first, WalEvent::Kind::kAbort), 1u);

  const auto second = read_wal(hotel_.timelines[1]);
  EXPECT_EQ(count(second, WalEvent::Kind::kEndOfRecovery), 1u);
  EXPECT_THAT(restore_points(second), Contains("after_the_promotion"));
  EXPECT_EQ(hotel_.timelines[1].start, SegmentSize{kMiB}.floor(hotel_.timelines[0].switched_at));
}

}  // namespace
}  // namespace daruma::postgres
