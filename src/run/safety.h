// run/safety.h: the rules that stand outside plans, checked directly before a step begins to act: at least
// one good copy stays, and never two writers.
//
// What the run has done comes from its state; what is so in the world is asked of SafetyWorld, and only when
// a rule needs it. `plan check` finds by the same notion of a source what can be known before a run.
// Errors:  kRefused: names the rule, the datastore and what is missing; the hint is the next step to take.
// Threads: plain functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "run/run_state.h"

namespace daruma::run {

// A step of the run that has succeeded, and was not undone.
struct Done {
  std::string step;
  const StepType* type = nullptr;
  Value::Map with;
  Value outputs;
};
std::vector<Done> done_in(const RunState& state);

// What the rules ask of the world; the standard answers are those of a world without anything in it.
struct SafetyWorld {
  const Config* config = nullptr;  // nullptr: no services and datastores are known
  // Whether what a step proved is there still. An error says why it is of no use any more.
  std::function<Status(const Done& proof)> still_there = [](const Done&) { return Status(); };
  // The server that holds the data directory of a datastore and is not its service's own; nullopt: none is
  // seen.
  std::function<std::optional<int>(const DatastoreConfig&, const ServiceConfig&)> foreign_server =
      [](const DatastoreConfig&, const ServiceConfig&) { return std::nullopt; };
  // From whom the server of a step's inputs receives log now; "": nobody.
  std::function<Result<std::string>(const Value::Map& with)> receives_from = [](const Value::Map&) {
    return std::string();
  };
  // How a service is that is not stopped; "": it is stopped.
  std::function<Result<std::string>(const ServiceConfig&)> still_up = [](const ServiceConfig&) {
    return std::string();
  };
};

// The datastore that a step's inputs name; "": none.
std::string datastore_in(const Value::Map& with);
// Whether this step, with these inputs, proves a source for the data of `datastore`. A dump does not say
// whose it is, so a step that names no datastore proves one for any. nullopt: only the run can tell.
std::optional<bool> is_source_for(const StepType& type, const Value::Map& with, std::string_view datastore);
// "postgres.find_backup, postgres.find_point"
std::string types_that_prove(std::span<const StepType> types);

// Data is taken away only once the run has proved, for its datastore, something to restore from, and only
// while that is there.
Status keep_good_copy(const StepType& type, const Value::Map& with, std::span<const Done> done,
                      const SafetyWorld& world);
// No second server for the same data, and none promoted while the one it followed may live.
Status keep_one_writer(const StepType& type, Verb verb, const Value::Map& with, std::span<const Done> done,
                       const SafetyWorld& world);
// Both, for a step that is about to begin.
Status check_safety(const RunState& state, const StepType& type, Verb verb, const Value::Map& with,
                    const SafetyWorld& world);

}  // namespace daruma::run
