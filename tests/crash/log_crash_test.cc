// A log on the simulated disk: every call that changes the disk meets every fault, then the power goes (or
// only the process), and a new process opens the log again.
//
// Oracle: what a sync, a closing of a piece or a put of a history reported is there and right; nothing that
// is there is wrong; the reader finds no damage; the writer goes on, and what it adds is there too. The bugs
// of support/log_bugs.h are each found by it.
#include <gmock/gmock.h>

#include "os/sim_file_system.h"
#include "repository/log.h"
#include "storage/directory_store.h"
#include "support/log_bugs.h"

namespace daruma {
namespace {

using Fault = SimFileSystem::Fault;

constexpr uint64_t kPiece = 4096;
const LogStream kStream{"bookings", 0x68f3};

Bytes content(Branch branch, uint64_t from, uint64_t to) {
  Bytes out(to - from);
  for (uint64_t at = from; at < to; ++at)
    out[at - from] = static_cast<std::byte>((at * 2654435761u + branch * 97u + (at >> 9)) >> 8);
  return out;
}

// One machine: its disk, and the process that captures a log on it.
class Machine {
 public:
  Machine(uint64_t seed, LogBug bug, uint64_t piece_bytes)
      : disk_(seed), bug_(bug), piece_bytes_(piece_bytes) {
    key_.repository = random_->id<RepositoryId>();
    random_->fill(key_.master.writable());
    auto store = open_directory_store(disk_, *random_, "/");
    DR_CHECK(store.ok() && Repository::create({"here", store->get()}, key_, clock_, *random_).ok());
  }

  SimFileSystem& disk() { return disk_; }

  // A new process on the same disk.
  Status start() {
    end();
    DR_TRY(directory_, open_directory_store(disk_, *random_, "/"));
    store_ = std::make_unique<BuggyStore>(*directory_, bug_);
    DR_TRY(repository_, Repository::open({{"here", store_.get()}}, key_, clock_, *random_));
    LogWriter::Options options{kStream, "here", piece_bytes_, false, {}};
    DR_TRY(writer_, LogWriter::open(*repository_, options));
    return {};
  }
  void end() {
    writer_.reset();
    repository_.reset();
    store_.reset();
    directory_.reset();
  }

  Status append(Branch branch, uint64_t from, uint64_t to) {
    return writer_->append(branch, from, content(branch, from, to));
  }
  Status sync(Branch branch, uint64_t reached) {
    DR_OK(writer_->sync());
    report(branch, reached);
    return {};
  }
  Status close(Branch branch, uint64_t reached) {
    DR_OK(writer_->close_piece());
    report(branch, reached);
    return {};
  }
  Status put_history(Branch branch, const std::string& text) {
    DR_OK(writer_->put_history(branch, as_bytes(text)));
    histories_[branch] = text;
    return {};
  }
  std::optional<LogWriter::End> reached() const { return writer_->end(); }

  // What is wrong with the log as a reader finds it now; empty: nothing.
  std::string complaint() {
    auto store = open_directory_store(disk_, *random_, "/");
    if (!store.ok()) return store.error().what;
    auto repository = Repository::open({{"here", store->get()}}, key_, clock_, *random_);
    if (!repository.ok()) return repository.error().what;
    auto log = LogReader::open(**repository, kStream);
    if (!log.ok()) return log.error().what;
    for (const LogRange& range : (*log)->ranges()) {
      const auto bytes = (*log)->read(range.branch, range.from, range.to - range.from);
      if (!bytes.ok()) return bytes.error().what;
      if (*bytes != content(range.branch, range.from, range.to))
        return "it holds other bytes than were captured";
    }
    for (const auto& [branch, reported] : reported_)
      if (reported.from < reported.to && (*log)->end_of(branch, reported.from).value_or(0) < reported.to)
        return "branch " + std::to_string(branch) + " does not reach " + std::to_string(reported.to);
    for (const auto& [branch, text] : histories_) {
      const auto& found = (*log)->histories();
      if (!found.contains(branch) || found.at(branch) != text) return "a history is missing";
    }
    return {};
  }

  void begin_branch(Branch branch, uint64_t from) {
    reported_.try_emplace(branch, LogRange{branch, from, from});
  }

 private:
  void report(Branch branch, uint64_t reached) {
    LogRange& range = reported_.at(branch);
    range.to = std::max(range.to, reached);
  }

  SimFileSystem disk_;
  const LogBug bug_;
  const uint64_t piece_bytes_;
  ManualClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(3);
  KeyFile key_;
  std::unique_ptr<ObjectStore> directory_;
  std::unique_ptr<BuggyStore> store_;
  std::unique_ptr<Repository> repository_;
  std::unique_ptr<LogWriter> writer_;
  std::map<Branch, LogRange> reported_;  // durable, as the writer said
  std::map<Branch, std::string> histories_;
};

constexpr uint64_t kMuch = (1u << 20) + 10;  // a full record and one that may survive while that one is torn

using Script = Status (*)(Machine&);

// Small flushes, a piece that ends, a new process in the middle of one, a branch that is left, a closed
// piece.
Status capture(Machine& machine) {
  DR_OK(machine.start());
  machine.begin_branch(1, 0);
  DR_OK(machine.append(1, 0, 700));
  DR_OK(machine.append(1, 700, 1500));
  DR_OK(machine.sync(1, 1500));
  DR_OK(machine.append(1, 1500, kPiece + 600));
  DR_OK(machine.sync(1, kPiece + 600));
  DR_OK(machine.start());
  DR_OK(machine.append(1, kPiece + 600, kPiece + 1300));
  DR_OK(machine.sync(1, kPiece + 1300));
  DR_OK(machine.close(1, kPiece + 1300));
  DR_OK(machine.put_history(2, "left 1"));
  machine.begin_branch(2, kPiece);
  DR_OK(machine.append(2, kPiece, kPiece + 100));
  DR_OK(machine.sync(2, kPiece + 100));
  machine.end();
  return {};
}

// One flush of more than one record.
Status capture_much_at_once(Machine& machine) {
  DR_OK(machine.start());
  machine.begin_branch(1, 0);
  DR_OK(machine.append(1, 0, kMuch));
  DR_OK(machine.sync(1, kMuch));
  machine.end();
  return {};
}

// What is wrong after a new process took the log up and went on to the end of the open piece; empty: nothing.
std::string go_on(Machine& machine, uint64_t piece_bytes) {
  if (std::string wrong = machine.complaint(); !wrong.empty()) return "before: " + wrong;
  if (const Status status = machine.start(); !status.ok()) return "start: " + status.error().what;
  if (std::string wrong = machine.complaint(); !wrong.empty()) return "after start: " + wrong;
  const LogWriter::End at = machine.reached().value_or(LogWriter::End{3, 0});
  const uint64_t to = (at.position / piece_bytes + 1) * piece_bytes + 10;
  machine.begin_branch(at.branch, at.position / piece_bytes * piece_bytes);
  Status status = machine.append(at.branch, at.position, to);
  if (status.ok()) status = machine.sync(at.branch, to);
  if (!status.ok()) return "going on: " + status.error().what;
  machine.end();
  if (std::string wrong = machine.complaint(); !wrong.empty()) return "at last: " + wrong;
  return {};
}

struct Schedules {
  Script script;
  uint64_t piece_bytes;
  std::vector<uint64_t> seeds;  // 0 keeps nothing that was not synced
};

// The first schedule of faults after which something is wrong, in words; empty: there is none.
std::string first_complaint(const Schedules& of, LogBug bug) {
  for (const Fault fault : {Fault::kError, Fault::kFull, Fault::kTorn, Fault::kPower})
    for (const uint64_t seed : of.seeds)
      for (uint64_t call = 1, met = true; met; ++call) {
        Machine machine(seed, bug, of.piece_bytes);
        machine.disk().fail_call(call, fault);
        const Status told = of.script(machine);
        met = machine.disk().fault_met();
        machine.end();
        const bool process_only = met && (fault == Fault::kError || fault == Fault::kFull) && seed % 2 == 1;
        if (!process_only) machine.disk().power_cut();
        std::string wrong = go_on(machine, of.piece_bytes);
        if (!told.ok() && !met) wrong = "without a fault: " + told.error().what;
        if (!wrong.empty())
          return "fault " + std::to_string(static_cast<int>(fault)) + ", seed " + std::to_string(seed) +
                 ", call " + std::to_string(call) + ": " + wrong;
      }
  return {};
}

const Schedules kSmall{&capture, kPiece, {0, 1, 2, 3}};
const Schedules kLarge{&capture_much_at_once, kMuch + 10, {1, 2, 3, 4}};

TEST(ALogOnAFailingDisk, LosesNothingThatItReported) {
  EXPECT_EQ(first_complaint(kSmall, LogBug::kNone), "");
}

TEST(ALogOnAFailingDisk, IsNotDamagedByAPowerCutInALargeFlush) {
  EXPECT_EQ(first_complaint(kLarge, LogBug::kNone), "");
}

class APlantedBug : public testing::TestWithParam<LogBug> {};
INSTANTIATE_TEST_SUITE_P(Each, APlantedBug, testing::ValuesIn(kLogBugs));

TEST_P(APlantedBug, IsFound) {
  const std::string complaint = first_complaint(kSmall, GetParam());
  EXPECT_NE(complaint, "");
  RecordProperty("found", complaint);
}

TEST(APlantedBugInALargeFlush, IsTakenForDamageNotForTheEnd) {
  EXPECT_THAT(first_complaint(kLarge, LogBug::kTailNeverSynced), testing::HasSubstr("before: "));
}

}  // namespace
}  // namespace daruma
