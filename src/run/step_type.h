// run/step_type.h: the kinds of steps: one table, from which parser, check, help, runbook and engine read.
//
// A step acts in a process of its own (see run/runner.h), so that it can be bounded, ended, and outlive the
// engine. What it prints on standard output and error is kept as its output, with secrets taken out; what
// it returns are its outputs.
// Threads: the table is constant; each call has its own context.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/value.h"
#include "config/config.h"
#include "os/clock.h"
#include "os/process.h"
#include "run/plan.h"
#include "runtime/runtime.h"

namespace daruma::run {

// What a step does to the world.
enum class Effect : uint8_t {
  kObserve,  // changes nothing
  kChange,   // changes something that can be changed back
  kDestroy,  // cannot be taken back: needs an approval, and is checked against the safety rules
};
std::string_view to_string(Effect effect);

// What to do with a step found started without an outcome (design, "Runs").
enum class AfterCrash : uint8_t {
  kAgain,      // doing it twice is as doing it once
  kReconcile,  // ask the world whether it happened
  kAsk,        // only a person can say
};
std::string_view to_string(AfterCrash after_crash);

// What a step does to the number of those that write a datastore, where a service it names runs one.
enum class Writers : uint8_t {
  kSame,
  kStarts,      // begins one
  kStops,       // ends one; undone, it begins again
  kMultiplies,  // more than one, where `instances` says so
  kPromotes,    // makes one of a server that only followed
};

enum class Happened : uint8_t { kYes, kNo, kUnknown };

struct InputRow {
  enum class Kind : uint8_t {
    kText,
    kInteger,
    kBoolean,
    kDuration,
    kService,
    kDatastore,
    kPath,
    kList,
    kMap,
    kAny
  };
  std::string_view name;
  Kind kind = Kind::kText;
  bool required = false;
  std::string_view standard = {};  // as it would be written; empty: none
  std::string_view help;
};
std::string_view to_string(InputRow::Kind kind);

// The world a step acts on, and what is known of the step.
struct StepContext {
  const Config& config;
  FileSystem& fs;
  Clock& clock;
  ProcessRunner& processes;
  // What starts and stops a service: make_runtime(), or a scripted one in tests. Never empty.
  std::function<std::unique_ptr<runtime::ServiceRuntime>(const ServiceConfig&)> runtime_of;
  std::string run;  // its id
  std::string step;
  Target target = Target::kProduction;
  Path directory;       // of this attempt: files put there are kept with the run as evidence
  Path run_directory;   // of the whole run
  Value::Map with;      // filled in, defaults included, of the kinds the table says
  Value recorded = {};  // reconcile, undo: what prepare() returned before acting
  Value outputs = {};   // undo: what the step returned
  Deadline deadline;
  std::stop_token stop;
  // One line for whoever watches: "waits for 127.0.0.1:8002: connection refused".
  std::function<void(const std::string&)> say = [](const std::string&) {};
  // The value of a secret; from then on it is taken out of everything the step prints.
  std::function<Result<std::string>(const SecretReference&)> secret;
};

struct Preview {
  std::vector<std::string> would;  // what would be done, to what: "restart auth-service (process, pid 4711)"
  std::vector<std::string> by_hand;  // what a person would type, one command a line
};

struct StepType {
  std::string_view name;     // "service.restart"
  std::string_view summary;  // one line
  Effect effect = Effect::kObserve;
  AfterCrash after_crash = AfterCrash::kAgain;
  Duration timeout = std::chrono::seconds(30);  // of one attempt, unless the plan says otherwise
  std::span<const InputRow> inputs = {};
  std::span<const std::string_view> outputs = {};  // the names that later steps may use
  // What the safety rules look at (run/safety.h).
  bool needs_source = false;   // takes data away: a step that proves a source for it must come before
  bool proves_source = false;  // once it has succeeded, there is something to restore from
  Writers writers = Writers::kSame;
  // Asks the world what must be known to reconcile or undo; durable before act() begins. Must only observe.
  Result<Value> (*prepare)(StepContext&) = nullptr;
  Result<Value> (*act)(StepContext&) =
      nullptr;  // the outputs, a map; nullptr: the engine itself carries it out
  // What act() would do. Must only observe. nullptr: the step cannot preview, and a dry run says so.
  Result<Preview> (*preview)(StepContext&) = nullptr;
  Result<Happened> (*reconcile)(StepContext&) = nullptr;  // of kReconcile only
  Status (*undo)(StepContext&) = nullptr;                 // verifies what it undid. nullptr: cannot be undone
  // What a person types, without asking the world: for runbooks.
  std::vector<std::string> (*by_hand)(const StepContext&) = nullptr;
};

// All of them, in the order in which the reference names them.
std::span<const StepType> step_types();
// nullptr: there is no such type.
const StepType* find_step_type(std::string_view name);
// docs/steps.md: what each type does, takes and gives.
std::string steps_reference();

}  // namespace daruma::run
