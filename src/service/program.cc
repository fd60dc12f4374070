#include "service/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "os/environment.h"
#include "service/supervisor.h"

namespace daruma::service {
namespace {

constexpr int kUsage = 2;

std::vector<Setting> all_settings(const Program& program) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Setting> all{
      {"host", SettingKind::kText, "127.0.0.1", "address to listen on"},
      {"port", SettingKind::kNumber, std::to_string(program.port), "port to listen on; 0: any that is free"},
      {"workers", SettingKind::kNumber, std::to_string(cores),
       "worker processes; by default one for each core"},
      {"state", SettingKind::kPath, "state", "directory of what the processes of the service share"},
      {"logs", SettingKind::kPath, "logs", "directory of http.log and error.log"},
      {"drain", SettingKind::kDuration, "10s", "how long requests that run may go on at the end"},
      {"handover", SettingKind::kDuration, "0s", "how long a stopping instance serves on for its successor"},
      {"connections", SettingKind::kNumber, "10000", "connections per worker; more wait for their turn"},
      {"header_time", SettingKind::kDuration, "10s", "how long the head of a request may take to arrive"},
      {"idle_time", SettingKind::kDuration, "60s", "how long a connection may wait between requests"},
      {"memory_limit", SettingKind::kNumber, "512", "MiB per worker from which on health warns; 0: never"},
  };
  all.insert(all.end(), program.settings.begin(), program.settings.end());
  return all;
}

std::string help(const Program& program, const std::vector<Setting>& table) {
  std::string text = fmt::format(
      "{0}: {1}\n\n  {0} [--config FILE] [--SETTING VALUE...]   serves until SIGTERM or SIGINT; SIGHUP "
      "reloads\n",
      program.name, program.summary);
  for (const Command& command : program.commands)
    text += fmt::format("  {} {} [...]   {}\n", program.name, command.name, command.help);
  return text + "\n" + help_of(table, program.prefix);
}

Status check_common(const Settings& settings) {
  const auto within = [&](std::string_view name, int64_t low, int64_t high) -> Status {
    const int64_t value = settings.number(name);
    if (value >= low && value <= high) return {};
    return Error{Errc::kInvalid, fmt::format("{}: {} is not between {} and {}", name, value, low, high)};
  };
  DR_OK(within("port", 0, 65535));
  DR_OK(within("workers", 1,
               static_cast<int64_t>(SharedRegion::kWorkersMax) / 2));  // both generations of a reload
  DR_OK(within("connections", 1, 1'000'000));
  return within("memory_limit", 0, 1 << 20);
}

int refuse(const Program& program, const Error& error) {
  fmt::print(stderr, "{}: {}\n", program.name, error.what);
  if (!error.hint.empty()) fmt::print(stderr, "  {}\n", error.hint);
  return kUsage;
}

int run_command(const Program& program, const Settings& settings) {
  const std::string& name = settings.rest().front();
  const auto command = std::ranges::find(program.commands, name, &Command::name);
  if (command == program.commands.end())
    return refuse(program, {Errc::kInvalid, fmt::format("'{}' is no command of this program", name),
                            fmt::format("{} --help lists them", program.name)});
  return command->run(settings, {settings.rest().begin() + 1, settings.rest().end()});
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  const std::vector<std::string> line(argv, argv + argc);
  const std::vector<std::string> arguments(line.begin() + 1, line.end());
  const auto table = all_settings(program);
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help")) {
    fmt::print("{}", help(program, table));
    return 0;
  }
  if (!arguments.empty() && arguments[0] == "--version") {
    fmt::print("{} {}\n", program.name, program.version);
    return 0;
  }
  forbid_core_dumps();
  std::signal(SIGPIPE, SIG_IGN);
  const auto fs = real_file_system();
  const auto settings = Settings::load(table, program.prefix, arguments, *fs);
  if (!settings.ok()) return refuse(program, settings.error());
  if (const Status common = check_common(*settings); !common.ok()) return refuse(program, common.error());
  if (!settings->rest().empty()) return run_command(program, *settings);
  if (is_trial_run()) return 0;
  return supervise({program, *settings, *fs, line});
}

}  // namespace daruma::service
