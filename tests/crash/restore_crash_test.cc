// A restore onto a disk that fails: the power goes at one call after another, and after the last one.
//
// Oracle: a directory that has global/pg_control has everything else as well, as the server sent it, and
// its WAL; so a half-restored one never starts. One that was reported as restored has it.
// Bugs planted by hand, each found: files not synced, WAL not synced, pg_control written first.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/size.h"
#include "datastore/postgres/backup.h"
#include "datastore/postgres/restore.h"
#include "os/files.h"
#include "os/sim_file_system.h"
#include "storage/memory_store.h"
#include "support/recording.h"

namespace daruma::postgres {
namespace {

using Fault = SimFileSystem::Fault;

const ServerRecording& hotel() {
  static const ServerRecording recording = load_recording("hotel");
  return recording;
}

// The files that a restore writes as they were sent, not those that it edits or leaves out.
std::map<std::string, Bytes> sent_files() {
  auto files = files_in(hotel().archives.at(0));
  std::erase_if(files, [](const auto& file) {
    return file.first.starts_with("postgresql.") || file.first == "tablespace_map" ||
           file.first == "backup_manifest";
  });
  return files;
}

class RestoreCrash : public testing::Test {
 protected:
  RestoreCrash() {
    KeyFile key;
    key.repository = random_->id<RepositoryId>();
    DR_CHECK(Repository::create({"here", &store_}, key, clock_, *random_).ok());
    repository_ = *Repository::open({{"here", &store_}}, key, clock_, *random_);
    BackupOptions options;
    options.datastore = "bookings";
    options.writer = random_->id<WriterId>();
    ReplicationTwin server(hotel());
    server.write_until(hotel().backup_end + 600'000);
    DR_CHECK(take_backup(server, *repository_, clock_, options, {}).ok());
    catalog_.emplace(*load_catalog(*repository_, "bookings"));
    point_.emplace(*resolve(*catalog_, *parse_wish("latest"), 0, clock_.now()));
  }

  Status restore_onto(SimFileSystem& disk) {
    RestoreOptions options;
    options.target = "/restored";
    options.restore_command = "false";
    options.workers = 1;
    DR_OK(restore(disk, clock_, *repository_, *catalog_, *point_, options, {}));
    return {};
  }

  // What a server that finds pg_control would miss, in words; empty: nothing.
  std::string lacks(SimFileSystem& disk) {
    const Path target = "/restored";
    for (const auto& [name, bytes] : sent_) {
      const auto read = read_file(disk, target / name, 64 * kMiB);
      if (!read.ok() || *read != bytes) return name;
    }
    for (const char* name : {"recovery.signal", "postgresql.conf", "postgresql.auto.conf", "pg_hba.conf"})
      if (!disk.info(target / name).ok()) return name;
    const SegmentSize size = catalog_->segment_size;
    for (const WalStretch& stretch : point_->way) {
      const auto wal = read_file(
          disk, target / "pg_wal" / segment_name(stretch.timeline, size.number_of(stretch.from), size),
          64 * kMiB);
      const auto held = catalog_->log->read(stretch.timeline, stretch.from.value, 8 * kKiB);
      const size_t at = stretch.from.value % size.bytes;
      if (!wal.ok() || !std::ranges::equal(BytesView(*wal).subspan(at, held->size()), *held))
        return "its WAL";
    }
    return {};
  }

  std::unique_ptr<Random> random_ = seeded_random(7);
  ManualClock clock_;
  MemoryStore store_;
  const std::map<std::string, Bytes> sent_ = sent_files();
  std::unique_ptr<Repository> repository_;
  std::optional<Catalog> catalog_;
  std::optional<RecoveryPoint> point_;
};

TEST_F(RestoreCrash, WhatWasReportedAsRestoredSurvivesAPowerCut) {
  for (const uint64_t seed : {0, 1, 2, 3}) {
    SimFileSystem disk(seed);
    ASSERT_EQ(restore_onto(disk).ok(), true);
    disk.power_cut();
    EXPECT_EQ(lacks(disk), "") << "seed " << seed;
  }
}

TEST_F(RestoreCrash, ADirectoryWithAControlFileIsWhole) {
  size_t half_restored = 0;
  for (const Fault fault : {Fault::kPower, Fault::kTorn, Fault::kError, Fault::kFull})
    for (const uint64_t seed : {0, 5})
      for (uint64_t call = 1, met = true; met; ++call) {
        SimFileSystem disk(seed);
        disk.fail_call(call, fault);
        const Status restored = restore_onto(disk);
        met = disk.fault_met();
        EXPECT_EQ(restored.ok(), !met);
        disk.power_cut();
        const bool could_start = disk.info("/restored/global/pg_control").ok();
        half_restored += !could_start;
        if (could_start) {
          ASSERT_EQ(lacks(disk), "") << fmt::format("fault {}, seed {}, call {}", static_cast<int>(fault),
                                                    seed, call);
        }
      }
  EXPECT_GT(half_restored, 0u);
}

}  // namespace
}  // namespace daruma::postgres
