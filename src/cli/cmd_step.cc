#include "cli/commands.h"
#include "os/environment.h"
#include "run/runner.h"

namespace daruma {

int run_step(App& app, const Invocation& invocation) {
  return run::run_step({app.fs, app.clock, app.processes, this_program()},
                       app.working_directory / invocation.arguments.at(0));
}

int run_act(App& app, const Invocation& invocation) {
  return run::act_step({app.fs, app.clock, app.processes, this_program()},
                       app.working_directory / invocation.arguments.at(0), app.stop);
}

}  // namespace daruma
