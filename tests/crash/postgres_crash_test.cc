// Backup and capture of a scripted server, recorded from a real one, on the simulated disk: every call that
// changes the disk meets every fault, then the power goes, and a new process opens the repository again.
//
// Oracle: it opens and verifies, with every byte read; what was reported flushed to the server is in the
//         log and is what the server wrote; a snapshot that was reported is there, byte for byte; and
//         backup and capture go on to the end. Planted bugs (support/log_bugs.h) are each found.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>

#include "base/size.h"
#include "datastore/postgres/backup.h"
#include "datastore/postgres/capture.h"
#include "datastore/postgres/points.h"
#include "os/sim_file_system.h"
#include "repository/verify.h"
#include "storage/directory_store.h"
#include "support/log_bugs.h"
#include "support/recording.h"

namespace daruma::postgres {
namespace {

using Fault = SimFileSystem::Fault;

const ServerRecording& hotel() {
  static const ServerRecording recording = load_recording("hotel");
  return recording;
}

const std::map<std::string, Bytes>& sent_files() {
  static const std::map<std::string, Bytes> files = files_in(hotel().archives.at(0));
  return files;
}

// Time that a test moves, and that asks a question whenever somebody looks at it: how a loop that runs for
// ever is ended.
class AskingClock final : public Clock {
 public:
  std::function<void()> ask = [] {};
  Instant now() const override {
    ask();
    return time_.now();
  }
  MonoInstant mono() const override { return time_.mono(); }
  bool pause(Duration duration, std::stop_token stop) override {
    ask();
    return time_.pause(duration, stop);
  }

 private:
  mutable ManualClock time_;
};

class Machine {
 public:
  Machine(uint64_t seed, LogBug bug) : disk_(seed), bug_(bug) {
    key_.repository = random_->id<RepositoryId>();
    random_->fill(key_.master.writable());
    writer_ = random_->id<WriterId>();
    auto store = open_directory_store(disk_, *random_, "/");
    DR_CHECK(store.ok() && Repository::create({"here", store->get()}, key_, clock_, *random_).ok());
    server_.set_piece_bytes(512 * kKiB);  // each is a flush; fewer keep the schedules few
  }

  SimFileSystem& disk() { return disk_; }

  Status open() {
    DR_TRY(directory_, open_directory_store(disk_, *random_, "/"));
    store_ = std::make_unique<BuggyStore>(*directory_, bug_);
    DR_TRY(repository_, Repository::open({{"here", store_.get()}}, key_, clock_, *random_));
    return {};
  }

  Status backup() {
    BackupOptions options;
    options.datastore = "bookings";
    options.writer = writer_;
    options.workers = 1;
    DR_TRY(const BackupResult result, take_backup(server_, *repository_, clock_, options, {}));
    reported_[result.stored.commit.snapshot] = result.stored.hash;
    heads_.writers[writer_.hex()] = {result.stored.commit.number, result.stored.hash};
    return {};
  }

  // Captures until the server has been told that all is safe, or until it has tried in vain.
  Status capture() {
    server_.write_until(end());  // only now, or the backup would have brought it
    std::stop_source stop;
    int tries = 0;
    Capture::Options options;
    options.datastore = "bookings";
    options.slot = "daruma";
    options.receiver = "serve";
    options.seal_in_background = false;
    options.on_event = [&](const CaptureEvent& event) {
      if (event.kind == CaptureEvent::Kind::kDisconnected || event.kind == CaptureEvent::Kind::kStalled)
        last_problem_ = event.what;
    };
    Capture capture(server_, *repository_, clock_, options);
    clock_.ask = [&] {
      const CaptureStatus status = capture.status();
      remember(status);
      if (status.state == CaptureStatus::State::kStreaming && status.timeline == last_timeline() &&
          status.flushed == end() && server_.reported_flushed("daruma") >= end())
        stop.request_stop();
      if (status.state != CaptureStatus::State::kStreaming && ++tries > 8) stop.request_stop();
    };
    const Status ended = capture.run(stop.get_token());
    remember(capture.status());
    clock_.ask = [] {};
    DR_OK(ended);
    if (capture.status().flushed != end() || capture.status().timeline != last_timeline())
      return Error{Errc::kFailed, "the capture did not come to the end: " + last_problem_};
    return {};
  }

  void promote() {
    if (promoted_) return;
    server_.write_all();
    server_.promote();
    promoted_ = true;
    server_.write_until(hotel().timelines[1].switched_at.is_none()
                            ? hotel().timelines[1].start + hotel().timelines[1].wal.size()
                            : hotel().timelines[1].switched_at);
  }

  // What is wrong, in words; empty: nothing.
  std::string complaint() {
    if (const Status opened = open(); !opened.ok()) return "open: " + opened.error().what;
    VerifyOptions options;
    options.read_data = true;
    options.memory = &heads_;
    const auto report = verify(*repository_, options);
    if (!report.ok()) return "verify: " + report.error().what;
    for (const Finding& finding : report->findings)
      if (finding.severity != Finding::Severity::kGarbage)
        return "verify: " + finding.object + ": " + finding.what;
    if (std::string wrong = wrong_log(); !wrong.empty()) return wrong;
    return wrong_snapshots();
  }

 private:
  Timeline last_timeline() const { return promoted_ ? 2 : 1; }
  Lsn end() const {
    if (!promoted_) return hotel().backup_end + 600'000;
    const TimelineRecording& last = hotel().timelines[1];
    return last.start + last.wal.size();
  }

  // What the server was told, by timeline: it is owed from now on.
  void remember(const CaptureStatus& status) {
    if (status.flushed.is_none() || status.system_identifier == 0) return;
    const LogStream stream{"bookings", status.system_identifier};
    uint64_t& known = heads_.logs[stream.path()][status.timeline];
    known = std::max(known, std::min(status.flushed, server_.reported_flushed("daruma")).value);
  }

  std::string wrong_log() {
    const auto log = LogReader::open(*repository_, {"bookings", hotel().system_identifier});
    if (!log.ok()) return "log: " + log.error().what;
    for (const LogRange& range : (*log)->ranges()) {
      const auto bytes = (*log)->read(range.branch, range.from, range.to - range.from);
      if (!bytes.ok()) return "log: " + bytes.error().what;
      const TimelineRecording& timeline = hotel().timelines[range.branch - 1];
      const BytesView written =
          BytesView(timeline.wal).subspan(range.from - timeline.start.value, bytes->size());
      if (!std::ranges::equal(*bytes, written)) return "the log holds other bytes than the server wrote";
    }
    return {};
  }

  std::string wrong_snapshots() {
    const auto commits = repository_->commits();
    if (!commits.ok()) return "commits: " + commits.error().what;
    size_t found = 0;
    for (const auto& stored : *commits) {
      found += reported_.contains(stored.commit.snapshot);
      const auto snapshot = SnapshotReader::open(*repository_, stored);
      if (!snapshot.ok()) return "snapshot: " + snapshot.error().what;
      for (const auto& [path, bytes] : sent_files()) {
        const auto entry = (*snapshot)->find(path);
        if (!entry.ok() || entry->type != FileEntry::Type::kFile) continue;  // packaging, directories
        const auto read = (*snapshot)->read_range(*entry, 0, entry->size);
        if (!read.ok() || *read != bytes) return "snapshot: " + path + " is not what was sent";
      }
    }
    return found == reported_.size() ? "" : "a snapshot that was reported is gone";
  }

  SimFileSystem disk_;
  const LogBug bug_;
  AskingClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(7);
  KeyFile key_;
  WriterId writer_;
  ReplicationTwin server_{hotel()};
  bool promoted_ = false;
  std::unique_ptr<ObjectStore> directory_;
  std::unique_ptr<BuggyStore> store_;
  std::unique_ptr<Repository> repository_;
  std::map<SnapshotId, CommitHash> reported_;
  Heads heads_;
  std::string last_problem_;
};

Status back_up(Machine& machine) {
  DR_OK(machine.open());
  return machine.backup();
}

Status capture_through_a_promotion(Machine& machine) {
  DR_OK(machine.open());
  DR_OK(machine.capture());
  machine.promote();
  return machine.capture();
}

using Script = Status (*)(Machine&);

std::string first_complaint(Script script, LogBug bug, const std::vector<uint64_t>& seeds,
                            const std::vector<Fault>& faults) {
  for (const Fault fault : faults)
    for (const uint64_t seed : seeds)
      for (uint64_t call = 1, met = true; met; ++call) {
        Machine machine(seed, bug);
        if (const Status first = back_up(machine); !first.ok())
          return "the first backup: " + first.error().what;
        machine.disk().fail_call(call, fault);
        const Status done = script(machine);
        met = machine.disk().fault_met();
        machine.disk().power_cut();
        std::string wrong = machine.complaint();
        if (wrong.empty() && !met && !done.ok()) wrong = "without a fault: " + done.error().what;
        if (wrong.empty() && met) {
          const Status again = script(machine);
          wrong = again.ok() ? machine.complaint() : "going on: " + again.error().what;
        }
        if (!wrong.empty())
          return fmt::format("fault {}, seed {}, call {}: {}", static_cast<int>(fault), seed, call, wrong);
      }
  return {};
}

constexpr std::array kAllFaults{Fault::kError, Fault::kFull, Fault::kTorn, Fault::kPower};

struct Schedule {
  Fault fault;
  uint64_t seed;
};

std::string name_of(const testing::TestParamInfo<Schedule>& info) {
  constexpr const char* kNames[] = {"Error", "Full", "Torn", "Power"};
  const auto at = std::ranges::find(kAllFaults, info.param.fault) - kAllFaults.begin();
  return fmt::format("{}Seed{}", kNames[at], info.param.seed);
}

// Each walks through every call, so each is a test of its own: they run beside one another.
class AFailingDisk : public testing::TestWithParam<Schedule> {};

TEST_P(AFailingDisk, LeavesWhatWasReportedToTheServerAndLetsCaptureGoOn) {
  EXPECT_EQ(
      first_complaint(&capture_through_a_promotion, LogBug::kNone, {GetParam().seed}, {GetParam().fault}),
      "");
}
INSTANTIATE_TEST_SUITE_P(OfACapture, AFailingDisk,
                         testing::Values(Schedule{Fault::kError, 0}, Schedule{Fault::kFull, 0},
                                         Schedule{Fault::kTorn, 0}, Schedule{Fault::kPower, 0},
                                         Schedule{Fault::kTorn, 3}),
                         name_of);

TEST(ABackupOnAFailingDisk, LeavesAGoodRepositoryAndKeepsEveryPointThatWasReported) {
  EXPECT_EQ(first_complaint(&back_up, LogBug::kNone, {0, 5}, {kAllFaults.begin(), kAllFaults.end()}), "");
}

TEST(APlantedBug, AFlushReportedBeforeItIsDurableIsFound) {
  EXPECT_NE(first_complaint(&capture_through_a_promotion, LogBug::kTailNeverSynced, {0}, {Fault::kPower}),
            "");
}

TEST(APlantedBug, AFlushThatIsMadeDurableTooLateIsFound) {
  EXPECT_NE(first_complaint(&capture_through_a_promotion, LogBug::kTailSyncedLate, {0}, {Fault::kPower}), "");
}

TEST(APlantedBug, APieceThatIsNeverPutIsFound) {
  EXPECT_NE(first_complaint(&capture_through_a_promotion, LogBug::kPieceNeverPut, {0}, {Fault::kPower}), "");
}

}  // namespace
}  // namespace daruma::postgres
