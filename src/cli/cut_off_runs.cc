#include "cli/cut_off_runs.h"

#include <fmt/format.h>

#include "cli/run_session.h"
#include "os/environment.h"

namespace daruma {
namespace {

constexpr Duration kBetweenLooks = 500ms;
constexpr Duration kLook = 1ms;

std::string how_it_ended(int code, const std::string& run) {
  if (code == kDone) return "recovered";
  if (code == kWaits) return "it waits for a person: daruma runs " + run;
  return fmt::format("not recovered; see why: daruma runs {}", run);
}

}  // namespace

CutOffRuns::CutOffRuns(App& app, Say say) : app_(app), say_(std::move(say)) {
  if (const Status begun = begin(); !begun.ok())
    say_(true, "runs", "those that were cut off cannot be gone on with: " + begun.error().what);
  if (!resumed_.empty()) watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

Status CutOffRuns::begin() {
  DR_TRY(run::RunPlace place, open_runs(app_));
  DR_TRY(const auto all, place.standing(run::find_step_type));
  for (const run::Standing& standing : all) {
    if (!standing.left.empty())
      say_(false, standing.run,
           fmt::format("stands still: {}; go on with it: daruma resume {}", standing.left, standing.run));
    else
      DR_OK(resume(standing.run));
  }
  return {};
}

Status CutOffRuns::resume(const std::string& run) {
  const Path log = app_.config->state / "runs" / run / "resume.log";
  std::vector<std::string> argv{this_program().string(), "resume", run};
  if (const Path file = config_file(app_); !file.empty()) argv.insert(argv.end(), {"-c", file.string()});
  DR_TRY(auto process,
         app_.processes.start({.argv = argv, .working_directory = app_.working_directory, .output = log}));
  say_(false, run, "was cut off and goes on; watch it: tail -f " + log.string());
  resumed_.push_back({run, std::move(process)});
  return {};
}

void CutOffRuns::watch(const std::stop_token& stop) {
  do {
    std::erase_if(resumed_, [this](Resumed& each) {
      const auto ended = each.process->wait(app_.clock.after(kLook));
      if (ended.is(Errc::kCancelled)) return false;
      const int code = ended.ok() ? ended->code : static_cast<int>(kFailed);
      say_(code != kDone, each.run, how_it_ended(code, each.run));
      return true;
    });
  } while (!resumed_.empty() && app_.clock.pause(kBetweenLooks, stop));
}

}  // namespace daruma
