#include "runtime/service_folder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>

#include <fmt/format.h>

#include "base/value.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma::runtime {
namespace {

constexpr uint64_t kFileMax = 1 << 20;

constexpr std::array<std::pair<State, std::string_view>, 6> kStates{{
    {State::kRunning, "running"},
    {State::kStarting, "starting"},
    {State::kStopping, "stopping"},
    {State::kStopped, "stopped"},
    {State::kFailed, "failed"},
    {State::kUnknown, "unknown"},
}};

constexpr std::array<std::pair<RestartPolicy, std::string_view>, 3> kPolicies{{
    {RestartPolicy::kAlways, "always"},
    {RestartPolicy::kOnFailure, "on-failure"},
    {RestartPolicy::kNever, "never"},
}};

template <class Table, class Kind>
std::string_view word_of(const Table& table, Kind kind) {
  return std::ranges::find(table, kind, [](const auto& row) { return row.first; })->second;
}

template <class Table>
auto meaning_of(const Table& table, std::string_view word) {
  const auto row = std::ranges::find(table, word, [](const auto& entry) { return entry.second; });
  return row == table.end() ? std::nullopt : std::optional(row->first);
}

// "PID@TICKS": sixty-four of them still fit into one message.
std::string to_word(const ProcessId& id) { return fmt::format("{}@{}", id.pid, id.start_ticks); }

std::optional<ProcessId> process_from(const Value* value) {
  if (!value || !value->text()) return std::nullopt;
  const std::string& text = *value->text();
  const char* end = text.data() + text.size();
  ProcessId id;
  const auto pid = std::from_chars(text.data(), end, id.pid);
  if (pid.ec != std::errc() || pid.ptr == end || *pid.ptr != '@') return std::nullopt;
  const auto ticks = std::from_chars(pid.ptr + 1, end, id.start_ticks);
  if (ticks.ec != std::errc() || ticks.ptr != end) return std::nullopt;
  return id;
}

Value limits_value(const LimitsConfig& limits) {
  Value value = Value::Map{};
  if (limits.memory) value.set("memory", *limits.memory);
  if (limits.open_files) value.set("open_files", *limits.open_files);
  if (limits.processes) value.set("processes", *limits.processes);
  return value;
}

template <class Number>
std::optional<Number> number_at(const Value& map, std::string_view key) {
  const Value* value = map.find(key);
  if (!value || !value->integer()) return std::nullopt;
  return static_cast<Number>(*value->integer());
}

LimitsConfig limits_from(const Value& value) {
  return {number_at<uint64_t>(value, "memory"), number_at<uint32_t>(value, "open_files"),
          number_at<uint32_t>(value, "processes")};
}

RestartConfig restart_from(const Value& value) {
  RestartConfig restart;
  restart.policy = meaning_of(kPolicies, value.text_at("policy")).value_or(restart.policy);
  restart.backoff = Duration(value.integer_at("backoff_ns", restart.backoff.count()));
  restart.backoff_most = Duration(value.integer_at("backoff_most_ns", restart.backoff_most.count()));
  restart.limit = static_cast<uint32_t>(value.integer_at("limit", restart.limit));
  restart.within = Duration(value.integer_at("within_ns", restart.within.count()));
  return restart;
}

Result<Value> read_json(FileSystem& fs, const Path& path) {
  DR_TRY(const Bytes bytes, read_file(fs, path, kFileMax));
  auto value = parse_json(as_text(bytes));
  if (value.ok()) return value;
  return Error{Errc::kCorrupt, fmt::format("'{}': {}", path.native(), value.error().what)};
}

}  // namespace

const std::string kMark = "DARUMA_SHIM";

std::string_view to_string(State state) { return word_of(kStates, state); }

Value to_value(const ServiceRecord& record) {
  Value::List mains;
  for (const ProcessId& main : record.mains) mains.emplace_back(to_word(main));
  return Value::Map{{"id", record.id},
                    {"boot", record.boot},
                    {"shim", to_word(record.shim)},
                    {"output_pipe", record.output_pipe},
                    {"state", to_string(record.state)},
                    {"since_us", record.since.micros},
                    {"restarts", record.restarts},
                    {"mains", std::move(mains)},
                    {"detail", record.detail}};
}

Result<ServiceRecord> record_from(const Value& value) {
  ServiceRecord record;
  const auto state = meaning_of(kStates, value.text_at("state"));
  const auto shim = process_from(value.find("shim"));
  record.id = value.text_at("id");
  if (!state || !shim || record.id.empty())
    return Error{Errc::kCorrupt, "this is not the record of a service"};
  record.boot = value.text_at("boot");
  record.shim = *shim;
  record.output_pipe = static_cast<uint64_t>(value.integer_at("output_pipe"));
  record.state = *state;
  record.since = {value.integer_at("since_us")};
  record.restarts = static_cast<uint64_t>(value.integer_at("restarts"));
  record.detail = value.text_at("detail");
  const Value* mains = value.find("mains");
  if (mains && mains->list())
    for (const Value& main : *mains->list())
      if (const auto id = process_from(&main)) record.mains.push_back(*id);
  return record;
}

Value to_value(const ServiceConfig& service) {
  Value::List command(service.command.begin(), service.command.end());
  Value::Map environment(service.environment.begin(), service.environment.end());
  return Value::Map{{"name", service.name},
                    {"command", std::move(command)},
                    {"directory", service.directory.native()},
                    {"environment", std::move(environment)},
                    {"limits", limits_value(service.limits)},
                    {"restart", Value::Map{{"policy", word_of(kPolicies, service.restart.policy)},
                                           {"backoff_ns", service.restart.backoff.count()},
                                           {"backoff_most_ns", service.restart.backoff_most.count()},
                                           {"limit", service.restart.limit},
                                           {"within_ns", service.restart.within.count()}}}};
}

Result<ServiceConfig> service_from(const Value& value) {
  ServiceConfig service;
  service.name = value.text_at("name");
  service.directory = value.text_at("directory");
  if (const Value* command = value.find("command"); command && command->list())
    for (const Value& word : *command->list()) service.command.push_back(word.text() ? *word.text() : "");
  if (service.name.empty() || service.command.empty())
    return Error{Errc::kCorrupt, "no service with a command is described"};
  if (const Value* environment = value.find("environment"); environment && environment->map())
    for (const auto& [name, text] : *environment->map())
      service.environment.emplace_back(name, text.text() ? *text.text() : "");
  if (const Value* limits = value.find("limits")) service.limits = limits_from(*limits);
  if (const Value* restart = value.find("restart")) service.restart = restart_from(*restart);
  return service;
}

Status put_text(FileSystem& fs, const Path& path, const std::string& text) {
  static std::atomic<uint64_t> count{0};
  const Path draft = fmt::format("{}.{}.{}", path.native(), this_pid(), ++count);
  static_cast<void>(fs.remove_file(draft));  // of an earlier process with our pid
  DR_TRY(const auto file, fs.create(draft));
  Status written = file->write_at(0, as_bytes(text));
  if (written.ok()) written = fs.rename(draft, path);
  if (!written.ok()) static_cast<void>(fs.remove_file(draft));  // what matters is why it failed
  return written;
}

std::optional<ServiceRecord> read_record(FileSystem& fs, const ServiceFolder& folder) {
  const auto value = read_json(fs, folder.status());
  if (!value.ok()) return std::nullopt;
  auto record = record_from(*value);
  if (!record.ok()) return std::nullopt;
  return *std::move(record);
}

Result<ServiceConfig> read_service(FileSystem& fs, const ServiceFolder& folder) {
  DR_TRY(const Value value, read_json(fs, folder.service()));
  auto service = service_from(value);
  if (!service.ok()) return std::move(service).error().in("'" + folder.service().native() + "'");
  return service;
}

}  // namespace daruma::runtime
