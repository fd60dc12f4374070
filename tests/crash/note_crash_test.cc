// Notes on the simulated disk: every call that changes the disk meets every fault, then the power goes (or
// only the process).
//
// Oracle: the newest note that can be read is the last one acknowledged, or the one that was being put;
// nothing is damaged, and the next put takes its place after it.
#include <gmock/gmock.h>

#include "os/sim_file_system.h"
#include "repository/note.h"
#include "repository/repository_fixture.h"
#include "repository/verify.h"
#include "storage/directory_store.h"

namespace daruma {
namespace {

using Fault = SimFileSystem::Fault;

class Machine {
 public:
  explicit Machine(uint64_t seed) : disk_(seed) {
    const auto store = open_directory_store(disk_, *random_, "/");
    DR_CHECK(store.ok() && Repository::create({"here", store->get()}, key_, clock_, *random_).ok());
  }
  SimFileSystem& disk() { return disk_; }

  Status start() {
    repository_.reset();
    DR_TRY(store_, open_directory_store(disk_, *random_, "/"));
    DR_TRY(repository_, Repository::open({{"here", store_.get()}}, key_, clock_, *random_));
    return {};
  }
  // Puts notes until one fails.
  Status put_some() {
    for (int count = 0; count < 3; ++count) {
      ++tried_;
      DR_OK(put_note(*repository_, "journal", writer_, std::to_string(tried_)));
      acknowledged_ = tried_;
    }
    return {};
  }
  std::string complaint() {
    const auto newest = newest_note(*repository_, "journal", writer_);
    if (!newest.ok()) return newest.error().what;
    const int found = *newest ? std::stoi((*newest)->text) : 0;
    if (found != acknowledged_ && found != tried_)
      return "the newest is " + std::to_string(found) + " after " + std::to_string(acknowledged_);
    const auto report = verify(*repository_, {});
    if (!report.ok()) return report.error().what;
    return report->ok() ? "" : report->findings.front().what;
  }

 private:
  SimFileSystem disk_;
  ManualClock clock_;
  std::unique_ptr<Random> random_ = seeded_random(3);
  const KeyFile key_ = test_key(3);
  const WriterId writer_ = random_->id<WriterId>();
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<Repository> repository_;
  int tried_ = 0, acknowledged_ = 0;
};

// What is wrong after a new process; empty: nothing.
std::string go_on(Machine& machine) {
  if (const Status status = machine.start(); !status.ok()) return "start: " + status.error().what;
  if (std::string wrong = machine.complaint(); !wrong.empty()) return "before: " + wrong;
  if (const Status status = machine.put_some(); !status.ok()) return "going on: " + status.error().what;
  return machine.complaint();
}

TEST(NotesOnAFailingDisk, TheNewestReadableIsTheLastAcknowledgedOrTheNextOne) {
  for (const Fault fault : {Fault::kError, Fault::kFull, Fault::kTorn, Fault::kPower})
    for (uint64_t seed = 0; seed < 4; ++seed)
      for (uint64_t call = 1, met = true; met; ++call) {
        Machine machine(seed);
        machine.disk().fail_call(call, fault);
        Status told = machine.start();
        if (told.ok()) told = machine.put_some();
        met = machine.disk().fault_met();
        const bool process_only = met && (fault == Fault::kError || fault == Fault::kFull) && seed % 2 == 1;
        if (!process_only) machine.disk().power_cut();
        ASSERT_TRUE(told.ok() || met) << told.error().what;
        ASSERT_EQ(go_on(machine), "")
            << "fault " << static_cast<int>(fault) << ", seed " << seed << ", call " << call;
      }
}

}  // namespace
}  // namespace daruma
