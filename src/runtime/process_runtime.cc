#include "runtime/process_runtime.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/shell_word.h"
#include "os/environment.h"
#include "os/files.h"
#include "os/unix_socket.h"
#include "runtime/leftovers.h"
#include "runtime/output_log.h"
#include "runtime/usage.h"

namespace daruma::runtime {
namespace {

constexpr Duration kBetweenTries = 10ms;
constexpr Duration kGraceOfLeftovers = 3s;
// What a service gets of our variables besides its own `environment`.
constexpr const char* kKeptVariables[] = {"PATH", "HOME",   "USER",     "LOGNAME", "SHELL",
                                          "LANG", "LC_ALL", "LC_CTYPE", "TZ",      "TMPDIR"};

bool shim_may_live(const ServiceRecord& record) {
  return record.boot == boot_id() && is_running(record.shim);
}

// A service is the same whoever starts it, and gets nothing that was exported for Daruma, its secrets least
// of all. Where we run inside a service ourselves, the new shim is none of its processes either.
std::vector<std::string> with_few_variables(std::vector<std::string> command) {
  std::vector<std::string> words{"env", "-i"};
  for (const char* name : kKeptVariables)
    if (const auto value = environment_variable(name)) words.push_back(fmt::format("{}={}", name, *value));
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

}  // namespace

ProcessRuntime::ProcessRuntime(const RuntimeWorld& world, ServiceConfig service)
    : world_(world), service_(std::move(service)), folder_{world.state / "services" / service_.name} {}

Result<ServiceStatus> ProcessRuntime::status(Deadline deadline) {
  DR_TRY(const auto last, record(deadline));
  if (!last) return ServiceStatus{.state = State::kStopped, .detail = "never started"};
  return status_after(*last);
}

Status ProcessRuntime::start(Deadline deadline) {
  for (bool described = false;; world_.clock.pause(kBetweenTries)) {
    DR_TRY(const auto answer, ask_patiently({.order = Order::kStart}, deadline));
    if (answer) return {};
    if (!described) DR_OK(describe());
    described = true;
    Status started = start_shim(deadline);
    if (!started.is(Errc::kUnavailable)) return started;
    // Somebody else is starting or ending it at this moment.
    if (deadline.passed(world_.clock.mono()))
      return Error{Errc::kCancelled, fmt::format("start '{}': {}", service_.name, started.error().what)};
  }
}

Status ProcessRuntime::stop(Deadline deadline) {
  for (;; world_.clock.pause(kBetweenTries)) {
    const ShimRequest request{.order = Order::kStop, .patience = deadline.left(world_.clock.mono())};
    DR_TRY(const auto answer, ask(request, deadline));
    if (answer) return {};
    const Status cleared = clear_up(deadline);
    if (!cleared.is(Errc::kUnavailable)) return cleared;
    if (deadline.passed(world_.clock.mono()))
      return Error{Errc::kCancelled, fmt::format("stop '{}': {}", service_.name, cleared.error().what)};
  }
}

Status ProcessRuntime::restart(Deadline deadline) {
  DR_OK(describe());
  const ShimRequest request{.order = Order::kRestart, .patience = deadline.left(world_.clock.mono())};
  DR_TRY(const auto answer, ask_patiently(request, deadline));
  return answer ? Status() : start(deadline);
}

Status ProcessRuntime::reload(Deadline deadline) {
  DR_TRY(const auto answer, ask_patiently({.order = Order::kReload}, deadline));
  if (answer) return {};
  return Error{Errc::kFailed, fmt::format("'{}' cannot reload: it is not running", service_.name),
               "start it"};
}

Status ProcessRuntime::scale(uint32_t instances, Deadline deadline) {
  const auto request = [&] {
    return ShimRequest{Order::kScale, deadline.left(world_.clock.mono()), instances};
  };
  DR_TRY(auto answer, ask_patiently(request(), deadline));
  if (answer) return {};
  DR_OK(start(deadline));
  DR_TRY(answer, ask_patiently(request(), deadline));
  if (answer) return {};
  return Error{Errc::kFailed, fmt::format("'{}' ended while it was scaled", service_.name)};
}

Result<std::string> ProcessRuntime::logs(uint32_t lines, Deadline) {
  return last_output(world_.fs, folder_.output(), lines);
}

Result<Resources> ProcessRuntime::resources(Deadline deadline) {
  DR_TRY(const auto last, record(deadline));
  return last ? usage_of(processes_of(*last)) : Resources();
}

Result<std::string> ProcessRuntime::inspect(Deadline deadline) {
  DR_TRY(const auto last, record(deadline));
  Value::List variables;
  for (const auto& [name, value] : service_.environment) variables.emplace_back(name);
  Value service = to_value(service_);
  service.set("environment", std::move(variables));
  Value all = Value::Map{{"runtime", "process"}, {"service", std::move(service)}};
  if (!last) return to_json(all);
  Value::List processes;
  for (const ProcessInfo& process : processes_of(*last))
    processes.emplace_back(Value::Map{{"pid", process.id.pid},
                                      {"parent", process.parent},
                                      {"name", process.name},
                                      {"memory_bytes", process.resident_bytes}});
  return to_json(all.set("record", to_value(*last)).set("processes", std::move(processes)));
}

std::vector<std::string> ProcessRuntime::by_hand(std::string_view act) const {
  const std::string_view more = act == "scale" ? " --instances N" : "";
  return {fmt::format("daruma service {} {}{}", act, shell_word(service_.name), more)};
}

std::string ProcessRuntime::see() const {
  return fmt::format("see how it is: daruma service status {0}, daruma service logs {0}",
                     shell_word(service_.name));
}

Result<std::optional<Value>> ProcessRuntime::ask(const ShimRequest& request, Deadline deadline) {
  const auto socket = connect_to(folder_.socket());
  if (!socket.ok()) {
    if (socket.is(Errc::kUnavailable) || socket.is(Errc::kNotFound)) return std::optional<Value>();
    return socket.error();
  }
  if (!send_message(socket->get(), encode(request))) return std::optional<Value>();
  for (;;) {
    const auto message = receive_message(socket->get(), deadline.left(world_.clock.mono()));
    if (message && message->text.empty()) return std::optional<Value>();  // it ended without a word
    if (message) {
      DR_TRY(Value answer, parse_answer(message->text));
      return std::optional(std::move(answer));
    }
    if (deadline.passed(world_.clock.mono()))
      return Error{Errc::kCancelled,
                   fmt::format("the shim of '{}' had not done it at the deadline", service_.name), see()};
  }
}

Result<std::optional<Value>> ProcessRuntime::ask_patiently(const ShimRequest& request, Deadline deadline) {
  for (;; world_.clock.pause(kBetweenTries)) {
    auto answer = ask(request, deadline);
    if (!answer.is(Errc::kUnavailable) || deadline.passed(world_.clock.mono())) return answer;
  }
}

Result<std::optional<ServiceRecord>> ProcessRuntime::record(Deadline deadline) {
  auto answer = ask({}, deadline);
  if (answer.is(Errc::kCancelled))
    return Error{
        Errc::kUnavailable,
        fmt::format("the shim of '{}' does not answer at '{}'", service_.name, folder_.socket().native()),
        fmt::format("`kill -9` the process that {} names, and start it again: what is left is ended then",
                    folder_.pid().native())};
  if (!answer.ok()) return std::move(answer).error();
  if (!*answer) return read_record(world_.fs, folder_);
  DR_TRY(ServiceRecord living, record_from(**answer));
  return std::optional(std::move(living));
}

ServiceStatus ProcessRuntime::status_after(const ServiceRecord& last) const {
  ServiceStatus status{
      .state = last.state, .since = last.since, .restarts = last.restarts, .detail = last.detail};
  for (const ProcessId& main : last.mains) status.pids.push_back(main.pid);
  const bool over = last.state == State::kStopped || last.state == State::kFailed;
  if (over || shim_may_live(last)) return status;
  status.state = State::kFailed;
  status.since.reset();
  status.pids.clear();
  if (last.boot != boot_id()) {
    status.detail = "not started since the machine was booted";
    return status;
  }
  const Leftovers left = find_leftovers(last);
  status.detail = fmt::format("its shim (process {}) was killed", last.shim.pid);
  for (const ProcessInfo& process : left.proven) status.pids.push_back(process.id.pid);
  if (!left.proven.empty()) status.detail += ", and nobody keeps " + names_of(left.proven);
  return status;
}

// The file is written only where it would change: so a service starts on a full disk, too.
Status ProcessRuntime::describe() {
  const std::string text = to_json(to_value(service_));
  const auto there = read_file(world_.fs, folder_.service(), 1 << 20);
  if (there.ok() && as_text(*there) == text) return {};
  DR_OK(create_dirs(world_.fs, folder_.path));
  return put_text(world_.fs, folder_.service(), text);
}

Status ProcessRuntime::start_shim(Deadline deadline) {
  const Command command{
      .argv = with_few_variables({world_.daruma_program.string(), "__shim", folder_.path.string()})};
  auto ended = world_.processes.run(command, deadline);
  if (ended.is(Errc::kCancelled))
    return Error{Errc::kCancelled, fmt::format("'{}' had not started at the deadline", service_.name), see()};
  if (!ended.ok()) return std::move(ended).error();
  const auto answer = parse_answer(ended->output);
  if (answer.ok()) return {};
  if (!answer.is(Errc::kCorrupt)) return answer.error();
  return Error{Errc::kFailed, fmt::format("'{}' did not start: its shim ended with code {}: {}",
                                          service_.name, ended->code, last_lines(ended->output, 10))};
}

// Of a service without a living shim: ends what is left. kUnavailable: there is a shim after all.
Status ProcessRuntime::clear_up(Deadline deadline) {
  DR_TRY(const bool known, exists(world_.fs, folder_.path));
  if (!known) return {};
  const auto lock = world_.fs.lock(folder_.lock());
  if (lock.is(Errc::kRefused)) return Error{Errc::kUnavailable, "its shim is starting or ending"};
  if (!lock.ok()) return lock.error();
  const auto last = read_record(world_.fs, folder_);
  if (!last || last->state == State::kStopped) return {};
  DR_OK(end_leftovers(world_.clock, *last, kGraceOfLeftovers, deadline));
  ServiceRecord stopped = *last;
  stopped.state = State::kStopped;
  stopped.since = world_.clock.now();
  stopped.mains.clear();
  return put_text(world_.fs, folder_.status(), to_json(to_value(stopped)));
}

std::vector<ProcessInfo> ProcessRuntime::processes_of(const ServiceRecord& record) const {
  if (shim_may_live(record)) return descendants_of(record.shim.pid, all_processes());
  return find_leftovers(record).proven;
}

}  // namespace daruma::runtime
