// cli/cut_off_runs.h: goes on with the runs whose engine died, each in a process of its own, as `daruma
// resume RUN` does.
//
// A run that some process carries out, that a person left or aborts, or that is halted, is left alone, and
// that is said. The processes end with this object; what they had begun goes on by itself, and whoever comes
// next goes on with the run.
// Threads: one of its own, which calls `say`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/app.h"

namespace daruma {

class CutOffRuns {
 public:
  // A line for a person about a run, and whether it is bad.
  using Say = std::function<void(bool alarm, const std::string& run, const std::string& text)>;
  CutOffRuns(App& app, Say say);

 private:
  struct Resumed {
    std::string run;
    std::unique_ptr<Process> process;
  };

  Status begin();
  Status resume(const std::string& run);
  void watch(const std::stop_token& stop);

  App& app_;
  Say say_;
  std::vector<Resumed> resumed_;
  std::jthread watcher_;  // after what it uses
};

}  // namespace daruma
