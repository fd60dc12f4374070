// run/run_place.h: where runs are kept, and who may carry one out: one holder for each target.
//
//   STATE/journal.db             the truth
//   STATE/runs/ID/engine.lock    held by the process that carries the run out, for as long as it lives
//   STATE/runs/ID/STEP.N/        one attempt: run/attempt.h
//   STATE/control/ID             where people reach the run: run/control.h
//
// A target is held by the run named last in the journal's stream "target/NAME", until that run has ended.
// Each taking is one event there; its position is the target epoch.
// Threads: any.
// Owns:    the journal.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "os/file_system.h"
#include "run/engine.h"

namespace daruma::run {

struct Holder {
  std::string run;
  Instant since;
  std::string by;
};

// A run that has not ended and that nobody carries out.
struct Standing {
  std::string run;
  std::string left;  // why nobody but a person goes on with it; "": whoever carried it out died
};

// In a run's folder: the daruma.yaml it began with.
inline constexpr const char* kRunConfig = "config.yaml";
inline constexpr uint64_t kLargestRunConfig = 1 << 20;

// The right to carry a run out.
struct Seat {
  std::unique_ptr<FileLock> lock;
  uint64_t epoch = 0;
};

class RunPlace {
 public:
  static Result<RunPlace> open(FileSystem& fs, Clock& clock, const Path& state);
  RunPlace(FileSystem& fs, Clock& clock, Path state, std::unique_ptr<Journal> journal)
      : fs_(&fs), clock_(&clock), state_(std::move(state)), journal_(std::move(journal)) {}

  Journal& journal() { return *journal_; }
  const Path& state() const { return state_; }
  Path directory(const std::string& run) const { return state_ / "runs" / run; }
  Path attempt(const std::string& run, const std::string& step, uint32_t number) const;

  // Takes the target and records the run. Returns its id, DATE-PLAN-N. kRefused: the target is held; says
  // by whom, since when, and what to type. `config`: the text of daruma.yaml; a copy of it, durable before
  // the run is there, is what the run acts by.
  Result<std::string> create(const RunCreated& created, const FindType& find_type,
                             const std::string& config = {});
  // kRefused: another process carries it out (which, and since when), or the target is another run's by now.
  Result<Seat> take(const RunState& run);
  // Who holds a target; nullopt: nobody.
  Result<std::optional<Holder>> holder(Target target, const FindType& find_type);
  // Whether some process carries this run out now.
  Result<bool> is_carried(const std::string& run);
  // Whoever carried it out leaves it to a person on purpose, until it is taken again.
  Status leave(const std::string& run);
  // One for each target at most.
  Result<std::vector<Standing>> standing(const FindType& find_type);
  // The global stop lever: while it is pulled, nothing changes. nullopt: it is not; else who pulled it, and
  // why.
  Result<std::optional<std::string>> halted();
  // kInvalid: pulling it needs a reason. kRefused: it is so already.
  Status halt(bool pull, const Person& by, const std::string& reason);
  // The newest first.
  Result<std::vector<std::string>> runs(size_t limit);
  // The newest, then older ones that have not ended: those hold a target, however old they are.
  Result<std::vector<std::string>> newest_and_open(size_t newest, const FindType& find_type);

 private:
  struct Taking {
    uint64_t position = 0;
    std::string run;
  };
  Result<Taking> last_taking(Target target);
  Result<RunCreated> keep_config(const std::string& run, RunCreated created, const std::string& config);
  Path carrier(const std::string& run) const { return directory(run) / "engine.json"; }
  Error carried_by_another(const std::string& run);
  Path left_mark(const std::string& run) const { return directory(run) / "left"; }

  FileSystem* fs_;
  Clock* clock_;
  Path state_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace daruma::run
