#include "runtime/docker_runtime.h"

#include <signal.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/shell_word.h"
#include "os/process_table.h"
#include "runtime/output_log.h"

namespace daruma::runtime {
namespace {

constexpr Duration kMargin = 2s;  // of a deadline, kept for the SIGKILL and the engine's answer
constexpr std::string_view kLabel = "com.docker.compose.project";

const Value& at_path(const Value& value, std::initializer_list<std::string_view> keys) {
  static const Value kNothing;
  const Value* found = &value;
  for (const std::string_view key : keys) {
    found = found->find(key);
    if (!found) return kNothing;
  }
  return *found;
}

// nullopt: never, which Docker writes as the year 1.
std::optional<Instant> moment(const Value& state, std::string_view key) {
  const auto instant = parse_rfc3339(state.text_at(key));
  if (!instant.ok() || instant->micros <= 0) return std::nullopt;
  return *instant;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Docker does not say whether somebody stopped it. What a policy would have started again was stopped on
// purpose; so was what ended with success or by SIGTERM.
bool ended_by_itself(const Value& container, const Value& state) {
  const std::string policy = at_path(container, {"HostConfig", "RestartPolicy"}).text_at("Name");
  const int64_t code = state.integer_at("ExitCode");
  if (state.boolean_at("OOMKilled")) return true;
  return code != 0 && code != 128 + SIGTERM && policy != "always" && policy != "unless-stopped";
}

State state_of(const Value& container, const Value& state) {
  const std::string word = state.text_at("Status");
  if (word == "running") return State::kRunning;
  if (word == "restarting") return State::kStarting;
  if (word == "removing") return State::kStopping;
  if (word == "created" || word == "configured" || word == "initialized") return State::kStopped;
  if (word == "exited" || word == "stopped")
    return ended_by_itself(container, state) ? State::kFailed : State::kStopped;
  return word == "dead" ? State::kFailed : State::kUnknown;
}

// tini and its like hand signals on to their only child.
bool is_small_init(const std::string& name) {
  return name == "docker-init" || name == "tini" || name == "dumb-init" || name == "catatonit";
}

bool would_survive_hangup(int pid) {
  const auto main = process_info(pid);
  if (!main) return false;
  if (!is_small_init(main->name)) return handles_signal(pid, SIGHUP);
  const auto all = all_processes();
  return std::ranges::all_of(all, [&](const ProcessInfo& process) {
    return process.parent != pid || handles_signal(process.id.pid, SIGHUP);
  });
}

}  // namespace

ServiceStatus docker_status(const Value& container) {
  const Value& state = at_path(container, {"State"});
  ServiceStatus status;
  status.state = state_of(container, state);
  const bool runs = status.state == State::kRunning || state.text_at("Status") == "paused";
  status.since = moment(state, runs ? "StartedAt" : "FinishedAt");
  if (const auto pid = static_cast<int>(state.integer_at("Pid")); runs && pid > 0) status.pids.push_back(pid);
  status.restarts = static_cast<uint64_t>(container.integer_at("RestartCount"));
  status.detail = state.text_at("Status");
  if (!runs && status.since) status.detail += fmt::format(" ({})", state.integer_at("ExitCode"));
  if (state.boolean_at("OOMKilled")) status.detail += ", out of memory";
  if (const std::string error = state.text_at("Error"); !error.empty()) status.detail += ": " + error;
  const Value* health = state.find("Health");
  if (!health) health = state.find("Healthcheck");  // podman
  if (health && health->text_at("Status") != "none") status.health = health->text_at("Status");
  return status;
}

Value without_values(Value container) {
  Value* config = nullptr;
  if (auto* map = container.map())
    if (const auto found = map->find("Config"); found != map->end()) config = &found->second;
  if (!config || !config->map()) return container;
  const auto variables = config->map()->find("Env");
  if (variables == config->map()->end() || !variables->second.list()) return container;
  for (Value& variable : *variables->second.list())
    if (const std::string* text = variable.text()) variable = text->substr(0, text->find('='));
  return container;
}

Resources docker_resources(const Value& stats) {
  const Value& memory = at_path(stats, {"memory_stats"});
  const Value& details = at_path(memory, {"stats"});
  const int64_t cache = details.integer_at("total_inactive_file", details.integer_at("inactive_file"));
  Resources used;
  used.memory_bytes = static_cast<uint64_t>(std::max<int64_t>(memory.integer_at("usage") - cache, 0));
  used.cpu = Duration(at_path(stats, {"cpu_stats", "cpu_usage"}).integer_at("total_usage"));
  used.processes = static_cast<uint32_t>(at_path(stats, {"pids_stats"}).integer_at("current"));
  return used;
}

DockerRuntime::DockerRuntime(const RuntimeWorld& world, ServiceConfig service)
    : world_(world),
      service_(std::move(service)),
      name_(service_.called.empty() ? service_.name : service_.called),
      docker_(world.clock) {}

Result<ServiceStatus> DockerRuntime::status(Deadline deadline) {
  DR_TRY(const Value found, container(deadline));
  return docker_status(found);
}

Status DockerRuntime::start(Deadline deadline) {
  auto found = container(deadline);
  if (found.is(Errc::kNotFound))
    if (const auto project = project_of(nullptr)) return compose(*project, {"up", "-d"}, deadline);
  if (!found.ok()) return std::move(found).error();
  const bool paused = at_path(*found, {"State"}).text_at("Status") == "paused";
  return act(at(paused ? "unpause" : "start"), deadline);
}

Status DockerRuntime::stop(Deadline deadline) {
  const Duration left = deadline.left(world_.clock.mono());
  const auto grace = std::chrono::floor<std::chrono::seconds>(left - std::min(left, kMargin));
  return act(fmt::format("{}?t={}", at("stop"), std::min<int64_t>(grace.count(), 600)), deadline);
}

Status DockerRuntime::restart(Deadline deadline) {
  const Duration left = deadline.left(world_.clock.mono());
  const auto grace = std::chrono::floor<std::chrono::seconds>(left - std::min(left, kMargin));
  return act(fmt::format("{}?t={}", at("restart"), std::min<int64_t>(grace.count() / 2, 600)), deadline);
}

Status DockerRuntime::reload(Deadline deadline) {
  DR_TRY(const Value found, container(deadline));
  const ServiceStatus now = docker_status(found);
  if (now.pids.empty())
    return Error{Errc::kFailed, fmt::format("container '{}' cannot reload: it is not running", name_),
                 "start it"};
  if (!would_survive_hangup(now.pids[0]))
    return Error{
        Errc::kRefused,
        fmt::format("container '{}' (process {}) is not known to handle SIGHUP: a reload might end it", name_,
                    now.pids[0]),
        "restart it instead"};
  return act(at("kill") + "?signal=SIGHUP", deadline);
}

Status DockerRuntime::recreate(Deadline deadline) {
  const auto found = container(deadline);
  if (!found.ok() && !found.is(Errc::kNotFound)) return found.error();
  const auto project = project_of(found.ok() ? &*found : nullptr);
  if (!project)
    return Error{found.ok() ? Errc::kRefused : Errc::kNotFound,
                 found.ok()
                     ? fmt::format("container '{}' was not made by compose, so nobody knows how to make "
                                   "it again",
                                   name_)
                     : found.error().what,
                 "set `directory` of the service to the folder of its compose file"};
  if (found.ok()) DR_OK(compose(*project, {"down"}, deadline));
  return compose(*project, {"up", "-d"}, deadline);
}

Status DockerRuntime::scale(uint32_t, Deadline) {
  return Error{Errc::kRefused, fmt::format("'{}' is one container, and cannot be scaled", name_),
               "scale the service of its compose file, where that names no container"};
}

Result<std::string> DockerRuntime::logs(uint32_t lines, Deadline deadline) {
  DR_TRY(const Value found, container(deadline));
  const bool terminal = at_path(found, {"Config"}).boolean_at("Tty");
  DockerFrames frames;
  std::string raw;
  const auto piece = [&](std::string_view bytes) {
    if (!terminal) return frames.add(bytes);
    raw.append(bytes);
    if (raw.size() > 2 << 20) raw.erase(0, raw.size() - (1 << 20));
  };
  DR_OK(docker_.stream(fmt::format("{}?stdout=1&stderr=1&tail={}", at("logs"), lines), piece, deadline));
  const std::string text = terminal ? std::move(raw) : std::move(frames).text();
  return std::string(
      last_lines(std::string_view(text).substr(text.size() - std::min(text.size(), 1ul << 20)), lines));
}

Result<Resources> DockerRuntime::resources(Deadline deadline) {
  DR_TRY(const Value found, container(deadline));
  if (docker_status(found).pids.empty()) return Resources{};
  DR_TRY(const Value stats, docker_.get(at("stats") + "?stream=false&one-shot=true", deadline));
  return docker_resources(stats);
}

Result<std::string> DockerRuntime::inspect(Deadline deadline) {
  DR_TRY(Value found, container(deadline));
  return to_json(without_values(std::move(found)));
}

std::vector<std::string> DockerRuntime::by_hand(std::string_view act) const {
  const std::string name = shell_word(name_);
  const bool folder = !service_.directory.empty();
  const std::string enter = fmt::format("cd {}", shell_word(service_.directory.native()));
  if (act == "recreate")
    return folder ? std::vector<std::string>{enter, "docker compose down", "docker compose up -d"}
                  : std::vector<std::string>{
                        fmt::format(
                            "cd \"$(docker inspect {} --format "
                            "'{{{{index .Config.Labels \"com.docker.compose.project.working_dir\"}}}}')\"",
                            name),
                        "docker compose down", "docker compose up -d",
                        fmt::format("docker ps --filter name={}", name)};
  if (act == "restart" && folder) return {enter, "docker compose restart"};
  if (act == "scale")
    return {
        fmt::format("# container {} is one instance: `docker compose up -d --scale SERVICE=N` where its "
                    "compose file names no container",
                    name)};
  if (act == "status") return {fmt::format("docker ps --all --filter name={}", name)};
  if (act == "logs") return {fmt::format("docker logs {} --tail 100", name)};
  if (act == "reload") return {fmt::format("docker kill --signal=HUP {}", name)};
  if (act == "resources") return {fmt::format("docker stats --no-stream {}", name)};
  return {fmt::format("docker {} {}", act, name)};
}

std::string DockerRuntime::at(std::string_view act) const {
  return fmt::format("/containers/{}/{}", url_escaped(name_), act);
}

Result<Value> DockerRuntime::container(Deadline deadline) {
  auto found = docker_.get(at("json"), deadline);
  return found.is(Errc::kNotFound) ? Result<Value>(missing()) : std::move(found);
}

Error DockerRuntime::missing() const {
  return {Errc::kNotFound, fmt::format("Docker has no container '{}'", name_),
          "`docker ps --all` lists those there are; `called` of the service names its container"};
}

Status DockerRuntime::act(const std::string& path, Deadline deadline) {
  const auto done = docker_.post(path, deadline);
  if (done.ok()) return {};
  if (done.is(Errc::kNotFound)) return missing();
  Error error = done.error();
  if (error.code != Errc::kFailed) return error;
  error.what = fmt::format("container '{}': {}", name_, error.what);
  const auto said = logs(10, deadline);
  if (said.ok() && !said->empty()) error.what += "; its last lines:\n" + *said;
  return error;
}

std::optional<DockerRuntime::Project> DockerRuntime::project_of(const Value* container) const {
  const Value& labels = container ? at_path(*container, {"Config", "Labels"}) : Value();
  const std::string folder = labels.text_at(fmt::format("{}.working_dir", kLabel));
  if (!folder.empty())
    return Project{folder, labels.text_at(kLabel),
                   split(labels.text_at(fmt::format("{}.config_files", kLabel)), ',')};
  if (!service_.directory.empty()) return Project{service_.directory, "", {}};
  return std::nullopt;
}

// `docker compose` where the engine's own program has it, else docker-compose.
Result<std::vector<std::string>> DockerRuntime::compose_program(Deadline deadline) {
  const auto plugin = world_.processes.run({.argv = {"docker", "compose", "version"}}, deadline);
  if (plugin.ok() && plugin->code == 0) return std::vector<std::string>{"docker", "compose"};
  if (plugin.is(Errc::kCancelled)) return plugin.error();
  return std::vector<std::string>{"docker-compose"};
}

Status DockerRuntime::compose(const Project& project, const std::vector<std::string>& words,
                              Deadline deadline) {
  DR_TRY(std::vector<std::string> argv, compose_program(deadline));
  for (const std::string& file : project.files) argv.insert(argv.end(), {"-f", file});
  if (!project.name.empty()) argv.insert(argv.end(), {"-p", project.name});
  argv.insert(argv.end(), words.begin(), words.end());
  const auto ended = world_.processes.run({.argv = argv, .working_directory = project.folder}, deadline);
  if (ended.is(Errc::kNotFound))
    return Error{Errc::kNotFound, "neither `docker compose` nor `docker-compose` is installed",
                 "install docker-compose, or type the container's own `docker run`"};
  if (!ended.ok()) return ended.error();
  if (ended->code == 0) return {};
  return Error{Errc::kFailed,
               fmt::format("compose {} in '{}' ended with code {}:\n{}", words[0], project.folder.native(),
                           ended->code, last_lines(ended->output, 20))};
}

}  // namespace daruma::runtime
