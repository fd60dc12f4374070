// daruma: the program. Builds the real world, hands it down, and ends with the command's exit code.

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <system_error>

#include "cli/run_line.h"
#include "os/environment.h"

namespace {

bool is_set(const char* name) { return !daruma::environment_variable(name).value_or("").empty(); }

// NO_COLOR and CLICOLOR_FORCE as other programs understand them: the second is for whoever passes our output
// on.
daruma::Output::Kind kind_of(int descriptor) {
  if (isatty(descriptor) == 1) return {daruma::terminal_columns().value_or(80), !is_set("NO_COLOR")};
  return {std::nullopt, is_set("CLICOLOR_FORCE") && !is_set("NO_COLOR")};
}

// A working directory that was deleted under us is no reason to refuse to recover.
daruma::Path working_directory() {
  std::error_code gone;
  const daruma::Path path = std::filesystem::current_path(gone);
  return gone ? daruma::Path("/") : path;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace daruma;
  forbid_core_dumps();
  std::signal(SIGPIPE, SIG_IGN);
  std::stop_source stop;
  install_stop_signals(stop);

  const auto fs = real_file_system();
  const auto clock = real_clock();
  const auto random = real_random();
  const auto processes = real_processes(*clock);
  const auto out = file_output(stdout, kind_of(STDOUT_FILENO));
  const auto err = file_output(stderr, kind_of(STDERR_FILENO));
  App app{.fs = *fs,
          .clock = *clock,
          .random = *random,
          .processes = *processes,
          .out = *out,
          .err = *err,
          .working_directory = working_directory(),
          .stop = stop.get_token()};

  const int code = run_line(app, {argv + 1, argv + argc});
  if (!out->flush() && code == kDone)
    return report_error(app, {Errc::kFailed, "standard output: not all could be written"});
  return code;
}
