#include "run/safety.h"

#include <algorithm>

#include <fmt/format.h>

namespace daruma::run {
namespace {

constexpr std::string_view kRestoresInPlace = "postgres.restore_point";
constexpr std::string_view kManual = "manual";

std::string text_in(const Value::Map& with, std::string_view name) {
  const auto found = with.find(std::string(name));
  return found == with.end() || found->second.is_null() ? "" : to_text(found->second);
}

Error lost_copy(const StepType& type, const std::string& datastore, const std::string& missing,
                std::string hint) {
  return Error{Errc::kRefused,
               fmt::format("safety rule 'at least one good copy stays': {} takes data of '{}' away, and {}",
                           type.name, datastore, missing),
               "nothing was touched; " + std::move(hint)};
}

Error two_writers(const std::string& what, std::string hint) {
  return Error{Errc::kRefused, "safety rule 'never two writers': " + what,
               "nothing was touched; " + std::move(hint)};
}

std::vector<std::string> services_in(const Value::Map& with) {
  std::vector<std::string> names;
  if (const std::string one = text_in(with, "service"); !one.empty()) names.push_back(one);
  const auto found = with.find("services");
  if (found != with.end() && found->second.list())
    for (const Value& each : *found->second.list()) names.push_back(to_text(each));
  return names;
}

Status check_start(const Value::Map& with, const SafetyWorld& world) {
  for (const std::string& name : services_in(with)) {
    const ServiceConfig* service = world.config->service(name);
    if (!service) continue;
    for (const DatastoreConfig& datastore : world.config->datastores) {
      if (datastore.service != name || !datastore.data_directory) continue;
      const auto pid = world.foreign_server(datastore, *service);
      if (!pid) continue;
      const std::string directory = datastore.data_directory->string();
      return two_writers(fmt::format("process {}, which service '{}' did not start, serves the data of '{}' "
                                     "in {} already",
                                     *pid, name, datastore.name, directory),
                         fmt::format("stop that server first: pg_ctl stop -D {} -m fast", directory));
    }
  }
  return {};
}

Status check_instances(const Value::Map& with, const SafetyWorld& world) {
  const int64_t instances = Value(with).integer_at("instances", 1);
  if (instances <= 1) return {};
  for (const std::string& name : services_in(with))
    for (const DatastoreConfig& datastore : world.config->datastores)
      if (datastore.service == name)
        return two_writers(fmt::format("{} instances of service '{}' would write the data of '{}'", instances,
                                       name, datastore.name),
                           "give a datastore's service one instance, and scale what asks it");
  return {};
}

// Who told the run, in a task of it, that the old primary is stopped.
bool is_fenced(const std::string& by, std::span<const Done> done) {
  return !by.empty() && std::ranges::any_of(done, [&](const Done& each) {
    return each.type->name == kManual && each.outputs.text_at("by") == by;
  });
}

Status check_primary(const std::string& datastore, const std::string& primary, const SafetyWorld& world) {
  const DatastoreConfig* config = world.config ? world.config->datastore(primary) : nullptr;
  const ServiceConfig* service = config ? world.config->service(config->service) : nullptr;
  if (!service)
    return two_writers(
        fmt::format("no service runs '{}', which '{}' followed, so nobody can see that it is "
                    "stopped",
                    primary, datastore),
        fmt::format("set datastores.{}.service, or let a person say so: `fenced_by`", primary));
  const auto up = world.still_up(*service);
  if (up.ok() && up->empty()) return {};
  return two_writers(
      fmt::format(
          "'{}' would take writes, and service '{}' of '{}', which it followed, is not proved stopped: {}",
          datastore, service->name, primary, up.ok() ? *up : up.error().what),
      fmt::format("stop it first: daruma service stop {}", service->name));
}

Status check_promotion(const Value::Map& with, std::span<const Done> done, const SafetyWorld& world) {
  const std::string datastore = datastore_in(with);
  const auto from = world.receives_from(with);
  if (!from.ok())
    return two_writers(
        fmt::format("the server of '{}' does not say whom it follows: {}", datastore, from.error().what),
        "let it answer first");
  if (!from->empty())
    return two_writers(
        fmt::format("'{}' would take writes, and still receives log from {}, which lives", datastore, *from),
        "stop that one first");
  if (const std::string primary = text_in(with, "primary"); !primary.empty())
    return check_primary(datastore, primary, world);
  if (is_fenced(text_in(with, "fenced_by"), done)) return {};
  // What was restored into an empty directory in this run follows nobody.
  for (const Done& each : done)
    if (each.type->name == kRestoresInPlace && datastore_in(each.with) == datastore) return {};
  return two_writers(
      fmt::format("'{}' would take writes, and nothing proves that the one it followed is stopped",
                  datastore),
      "name that one as `primary`, or let a `manual` step see to it and give its `by` as `fenced_by`");
}

}  // namespace

std::vector<Done> done_in(const RunState& state) {
  std::vector<Done> done;
  for (const Step& step : state.steps()) {
    const StepState& at = state.at(step.id);
    const StepType* type = state.type_of(step);
    if (!type || at.phase != StepPhase::kSucceeded || at.undone) continue;
    auto with = state.inputs(step, Verb::kAct);
    if (with.ok()) done.push_back({step.id, type, *std::move(with), at.outputs});
  }
  return done;
}

std::string datastore_in(const Value::Map& with) { return text_in(with, "datastore"); }

std::optional<bool> is_source_for(const StepType& type, const Value::Map& with, std::string_view datastore) {
  if (!type.proves_source) return false;
  if (std::ranges::find(type.inputs, "datastore", &InputRow::name) == type.inputs.end()) return true;
  const std::string proven = datastore_in(with);
  if (proven.find('$') != std::string::npos || datastore.find('$') != std::string_view::npos)
    return std::nullopt;
  return proven == datastore;
}

std::string types_that_prove(std::span<const StepType> types) {
  std::string which;
  for (const StepType& type : types)
    if (type.proves_source) which += fmt::format("{}{}", which.empty() ? "" : ", ", type.name);
  return which;
}

Status keep_good_copy(const StepType& type, const Value::Map& with, std::span<const Done> done,
                      const SafetyWorld& world) {
  if (!type.needs_source) return {};
  const std::string datastore = datastore_in(with);
  std::string gone, of_others;
  for (const Done& each : done) {
    if (!each.type->proves_source) continue;
    if (!is_source_for(*each.type, each.with, datastore).value_or(false)) {
      of_others = fmt::format("; what '{}' proved is of '{}'", each.step, datastore_in(each.with));
      continue;
    }
    const Status there = world.still_there(each);
    if (there.ok()) return {};
    gone = fmt::format("what step '{}' proved is of no use any more: {}", each.step, there.error().what);
  }
  if (!gone.empty()) return lost_copy(type, datastore, gone, "look for another source, and begin anew");
  return lost_copy(type, datastore, "this run has proved nothing to restore it from" + of_others,
                   "let a step before it prove a source: " + types_that_prove(step_types()));
}

Status keep_one_writer(const StepType& type, Verb verb, const Value::Map& with, std::span<const Done> done,
                       const SafetyWorld& world) {
  const bool begins = type.writers == (verb == Verb::kUndo ? Writers::kStops : Writers::kStarts);
  if (begins && world.config) return check_start(with, world);
  if (verb != Verb::kAct) return {};
  if (type.writers == Writers::kMultiplies && world.config) return check_instances(with, world);
  return type.writers == Writers::kPromotes ? check_promotion(with, done, world) : Status();
}

Status check_safety(const RunState& state, const StepType& type, Verb verb, const Value::Map& with,
                    const SafetyWorld& world) {
  if (!type.needs_source && type.writers == Writers::kSame) return {};
  const std::vector<Done> done = done_in(state);
  if (verb == Verb::kAct) DR_OK(keep_good_copy(type, with, done, world));
  return keep_one_writer(type, verb, with, done, world);
}

}  // namespace daruma::run
