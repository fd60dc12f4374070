#include "run/worker.h"

#include <cstdio>

#include <fmt/format.h>

#include "base/digest.h"
#include "os/files.h"
#include "run/redactor.h"
#include "run/run_place.h"

namespace daruma::run {
namespace {

// {env: NAME} and {file: PATH}, wherever they stand in the inputs.
void collect(const Value& value, std::vector<SecretReference>& out) {
  if (const auto* list = value.list())
    for (const Value& item : *list) collect(item, out);
  if (const auto* map = value.map()) {
    if (map->size() == 1 || map->contains("prefix")) {
      if (const std::string name = value.text_at("env"); !name.empty()) out.push_back({.environment = name});
      if (const std::string path = value.text_at("file"); !path.empty()) out.push_back({.file = path});
    }
    for (const auto& [key, item] : *map) collect(item, out);
  }
}

Result<Value> perform(const StepType& type, Order::Call call, StepContext& context, const Path& attempt,
                      const Redactor& redactor) {
  if (call == Order::Call::kReconcile) {
    if (!type.reconcile) return Value().set("happened", "unknown");
    DR_TRY(const Happened happened, type.reconcile(context));
    static constexpr std::string_view kWords[] = {"yes", "no", "unknown"};
    return Value().set("happened", kWords[static_cast<size_t>(happened)]);
  }
  if (call == Order::Call::kUndo) {
    if (!type.undo) return Error{Errc::kRefused, fmt::format("'{}' cannot be undone", type.name)};
    DR_OK(type.undo(context));
    return Value(Value::Map());
  }
  if (type.prepare) {
    DR_TRY(context.recorded, type.prepare(context));
    DR_OK(write_value(context.fs, attempt / "prepared.json", redactor.clean(context.recorded)));
  }
  return type.act(context);
}

Result<Value> clean(const Redactor& redactor, const Result<Value>& answer) {
  if (answer.ok()) return redactor.clean(*answer);
  const Error& error = answer.error();
  return Error{error.code, redactor.clean(std::string_view(error.what)),
               redactor.clean(std::string_view(error.hint))};
}

}  // namespace

Result<Config> config_of(FileSystem& fs, const Assignment& assignment) {
  if (!assignment.config_hash.empty()) {
    const Path copy = assignment.run_directory / kRunConfig;
    DR_TRY(const Bytes bytes, read_file(fs, copy, kLargestRunConfig));
    if (sha256_hex(as_text(bytes)) != assignment.config_hash)
      return Error{Errc::kCorrupt, fmt::format("{} is not what the run began with", copy.string()),
                   "begin the run anew"};
    return parse_config(std::string(as_text(bytes)), assignment.config);
  }
  if (!assignment.config.empty()) return load_config(fs, "/", assignment.config);
  Config config;
  config.state = assignment.run_directory.parent_path().parent_path();
  return config;
}

std::vector<std::string> secrets_of(FileSystem& fs, const Assignment& assignment) {
  std::vector<SecretReference> references;
  if (const auto config = config_of(fs, assignment); config.ok()) {
    for (const DatastoreConfig& datastore : config->datastores)
      if (datastore.connection.password) references.push_back(*datastore.connection.password);
    for (const ChannelConfig& channel : config->channels)
      if (channel.url) references.push_back(*channel.url);
    if (!config->repository.key.passphrase_environment.empty())
      references.push_back({.environment = config->repository.key.passphrase_environment});
  }
  collect(assignment.order.with, references);
  std::vector<std::string> values;
  for (const SecretReference& reference : references)
    if (auto value = read_secret(fs, reference); value.ok()) values.push_back(*std::move(value));
  return values;
}

StepContext context_for(const RunnerWorld& world, const Config& config, const Assignment& assignment,
                        const Path& directory, std::stop_token stop) {
  const runtime::RuntimeWorld runtimes{world.fs, world.clock, world.processes, config.state,
                                       world.daruma_program};
  const Order& order = assignment.order;
  return StepContext{
      .config = config,
      .fs = world.fs,
      .clock = world.clock,
      .processes = world.processes,
      .runtime_of =
          [runtimes](const ServiceConfig& service) { return runtime::make_runtime(runtimes, service); },
      .run = assignment.run,
      .step = order.step,
      .target = order.target,
      .directory = directory,
      .run_directory = assignment.run_directory,
      .with = order.with.map() ? *order.with.map() : Value::Map(),
      .recorded = order.recorded,
      .outputs = order.outputs,
      .deadline = world.clock.after(order.timeout),
      .stop = std::move(stop),
      .say =
          [](const std::string& line) {
            fmt::print("{}\n", line);
            std::fflush(stdout);
          },
      .secret = [&world](const SecretReference& reference) { return read_secret(world.fs, reference); },
  };
}

int act_step(const RunnerWorld& world, const Path& attempt, std::stop_token stop) {
  const auto assignment = read_assignment(world.fs, attempt);
  const Redactor redactor(assignment.ok() ? secrets_of(world.fs, *assignment) : std::vector<std::string>());
  const auto act = [&]() -> Result<Value> {
    DR_OK(assignment);
    DR_TRY(const Config config, config_of(world.fs, *assignment));
    const StepType* type = find_step_type(assignment->order.type);
    if (!type || (assignment->order.call == Order::Call::kAct && !type->act))
      return Error{Errc::kInvalid,
                   fmt::format("'{}' is not a kind of step that acts", assignment->order.type)};
    StepContext context = context_for(world, config, *assignment, attempt, std::move(stop));
    return perform(*type, assignment->order.call, context, attempt, redactor);
  };
  const Result<Value> answer = act();
  if (!answer.ok()) fmt::print("{}\n", answer.error().what);
  std::fflush(stdout);
  const Status written = write_answer(world.fs, attempt, clean(redactor, answer));
  if (!written.ok()) fmt::print("{}\n", written.error().what);
  return written.ok() ? 0 : 1;
}

}  // namespace daruma::run
