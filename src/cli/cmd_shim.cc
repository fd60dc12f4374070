#include "cli/commands.h"
#include "runtime/shim.h"

namespace daruma {

int run_shim(App& app, const Invocation& invocation) {
  const auto answer =
      runtime::run_shim({app.fs, app.clock, app.random}, app.working_directory / invocation.arguments.at(0));
  if (answer) app.out.write(*answer);
  return kDone;
}

}  // namespace daruma
