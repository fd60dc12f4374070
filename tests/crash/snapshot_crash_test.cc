// Snapshots on the simulated disk: while one is taken, every call that changes the disk meets every fault;
// then the power goes (or only the process), and a new process opens the repository again.
//
// Oracle: it opens; verify finds no damage, nothing lost; a reported snapshot comes back byte by byte,
// and so does one that is listed though it was not; the next snapshot succeeds. The bugs of
// support/snapshot_bugs.h are each found by it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "os/sim_file_system.h"
#include "repository/repository_fixture.h"
#include "repository/verify.h"
#include "storage/directory_store.h"
#include "support/snapshot_bugs.h"

namespace daruma {
namespace {

using Fault = SimFileSystem::Fault;

TestTree tree_a() {
  return {{"PG_VERSION", test_file(test_bytes(1, 3))},
          {"base", {.type = FileEntry::Type::kDirectory}},
          {"base/1", test_file(test_pages(seeds_from(1, 70)))},
          {"base/2", test_file(test_bytes(2, 2 * kPageSize))}};
}

TestTree changed(TestTree tree, uint64_t seed) {
  tree["base/1"].bytes[seed % 70 * kPageSize] ^= std::byte{1};
  tree["base/2"].bytes[kPageSize + 1] ^= std::byte{1};
  tree["base/" + std::to_string(seed)] = test_file(test_bytes(seed, 900));
  return tree;
}

// One machine: its disk, and the process that takes snapshots on it.
class Machine {
 public:
  Machine(uint64_t seed, SnapshotBug bug, uint64_t pack_bytes)
      : disk_(seed), forgetful_(disk_, bug), bug_(bug), pack_bytes_(pack_bytes) {
    writer_ = random_->id<WriterId>();
    auto store = open_directory_store(disk_, *random_, "/");
    DR_CHECK(store.ok() && Repository::create({"here", store->get()}, key_, clock_, *random_).ok());
  }

  SimFileSystem& disk() { return disk_; }

  // A new process on the same disk.
  Status start() {
    end();
    DR_TRY(directory_, open_directory_store(forgetful_, *names_, "/"));
    store_ = std::make_unique<MisorderingStore>(*directory_, key_, bug_);
    DR_TRY(repository_, Repository::open({{"here", store_.get()}}, key_, clock_, *random_));
    return {};
  }
  void end() {
    repository_.reset();
    store_.reset();
    directory_.reset();
  }

  // A snapshot on top of the newest one. What was reported is remembered.
  Status take(const TestTree& tree) {
    clock_.advance(1min);
    taken_.push_back(tree);
    DR_TRY(const auto commits, repository_->commits());
    SnapshotWriter::Options options;
    options.pack_bytes = pack_bytes_;
    std::unique_ptr<SnapshotReader> parent;
    if (!commits.empty()) {
      DR_TRY(parent, SnapshotReader::open(*repository_, commits.back()));
    }
    options.parent = parent.get();
    DR_TRY(const auto stored, take_snapshot(*repository_, writer_, tree, options));
    heads_.writers[writer_.hex()] = {stored.commit.number, stored.hash};
    reported_.emplace(stored.commit.snapshot, tree);
    return {};
  }

  // What is wrong with the repository as it is now; empty: nothing. Opens it without the bug.
  std::string complaint() {
    const auto store = open_directory_store(disk_, *names_, "/");
    if (!store.ok()) return store.error().what;
    const auto repository = Repository::open({{"here", store->get()}}, key_, clock_, *random_);
    if (!repository.ok()) return repository.error().what;
    const auto report = verify(**repository, {.read_data = true, .memory = &heads_});
    if (!report.ok()) return report.error().what;
    for (const Finding& finding : report->findings)
      if (finding.severity != Finding::Severity::kGarbage) return finding.object + ": " + finding.what;
    return unlike_what_was_taken(**repository);
  }

 private:
  std::string unlike_what_was_taken(const Repository& repository) {
    auto missing = reported_;
    const auto commits = repository.commits();
    if (!commits.ok()) return commits.error().what;
    for (const Repository::StoredCommit& stored : *commits) {
      const auto tree = read_tree(repository, stored);
      if (!tree.ok()) return tree.error().what;
      const auto reported = missing.extract(stored.commit.snapshot);
      if (!reported.empty() ? *tree != reported.mapped() : std::ranges::count(taken_, *tree) == 0)
        return "a snapshot holds other bytes than were taken";
    }
    return missing.empty() ? "" : "a snapshot that was reported is gone";
  }

  SimFileSystem disk_;
  ForgetfulDisk forgetful_;
  const SnapshotBug bug_;
  const uint64_t pack_bytes_;
  ManualClock clock_;
  const KeyFile key_ = test_key();
  std::unique_ptr<Random> random_ = seeded_random(3);
  std::unique_ptr<Random> names_ = seeded_random(4);
  WriterId writer_;
  std::unique_ptr<ObjectStore> directory_;
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<Repository> repository_;
  std::vector<TestTree> taken_;              // with or without success
  std::map<SnapshotId, TestTree> reported_;  // as recovery points
  Heads heads_;
};

struct Schedules {
  uint64_t pack_bytes;
  std::vector<uint64_t> seeds;  // 0 keeps nothing that was not synced
};
const Schedules kOnePack{16 * kMiB, {0, 1, 2}};
const Schedules kManyPacks{1, {0, 1}};

// What is wrong after snapshot B met `fault` at its n-th call; empty: nothing. `met` says whether it did.
std::string after_fault(const Schedules& of, SnapshotBug bug, Fault fault, uint64_t seed, uint64_t call,
                        bool& met) {
  Machine machine(seed, bug, of.pack_bytes);
  if (Status status = machine.start(); !status.ok()) return "at first: " + status.error().what;
  if (Status status = machine.take(tree_a()); !status.ok()) return "snapshot A: " + status.error().what;
  machine.disk().fail_call(call, fault);
  const Status b = machine.take(changed(tree_a(), 7));
  met = machine.disk().fault_met();
  machine.end();
  if (!b.ok() && !met) return "without a fault: " + b.error().what;
  const bool process_only = met && (fault == Fault::kError || fault == Fault::kFull) && seed % 2 == 1;
  if (!process_only) machine.disk().power_cut();

  if (std::string wrong = machine.complaint(); !wrong.empty()) return "after the fault: " + wrong;
  if (Status status = machine.start(); !status.ok()) return "start: " + status.error().what;
  if (Status status = machine.take(changed(changed(tree_a(), 7), 8)); !status.ok())
    return "snapshot C: " + status.error().what;
  machine.end();
  machine.disk().power_cut();
  if (std::string wrong = machine.complaint(); !wrong.empty()) return "after snapshot C: " + wrong;
  return {};
}

// The first schedule of faults after which something is wrong, in words; empty: there is none.
std::string first_complaint(const Schedules& of, SnapshotBug bug) {
  for (const Fault fault : {Fault::kPower, Fault::kTorn, Fault::kError, Fault::kFull})
    for (const uint64_t seed : of.seeds) {
      bool met = true;
      for (uint64_t call = 1; met; ++call)
        if (std::string wrong = after_fault(of, bug, fault, seed, call, met); !wrong.empty())
          return fmt::format("fault {}, seed {}, call {}: {}", static_cast<int>(fault), seed, call, wrong);
    }
  return {};
}

TEST(ASnapshotOnAFailingDisk, IsARecoveryPointOrNothing) {
  EXPECT_EQ(first_complaint(kOnePack, SnapshotBug::kNone), "");
}

TEST(ASnapshotOnAFailingDisk, IsARecoveryPointOrNothingInManyPacksToo) {
  EXPECT_EQ(first_complaint(kManyPacks, SnapshotBug::kNone), "");
}

class APlantedBug : public testing::TestWithParam<SnapshotBug> {};
INSTANTIATE_TEST_SUITE_P(Each, APlantedBug, testing::ValuesIn(kSnapshotBugs));

TEST_P(APlantedBug, IsFound) {
  const std::string complaint = first_complaint(kOnePack, GetParam());
  EXPECT_NE(complaint, "");
  RecordProperty("found", complaint);
}

}  // namespace
}  // namespace daruma
