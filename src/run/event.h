// run/event.h: what a run's journal says: one struct for each kind of event, and its form as a value.
//
// Rule:    an intent stands in the journal before its effect begins, an outcome after it ended.
// Format:  docs/format/run-events.md.
// Threads: plain values.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "journal/journal.h"
#include "run/plan.h"

namespace daruma::run {

// Who did something. The kernel's word where it came over the control socket.
struct Person {
  uint32_t uid = 0;
  std::string name;
  std::vector<std::string> groups;

  bool operator==(const Person&) const = default;
};

// What an attempt does with its step.
enum class Verb : uint8_t {
  kAct,
  kReconcile,  // finds out whether an act that vanished happened
  kUndo,
};

enum class Outcome : uint8_t { kSucceeded, kFailed };

// What cut a failed attempt short, so that it does not know itself how far it came.
enum class Cut : uint8_t {
  kNot,
  kLate,  // its deadline, or a signal ended the program it ran
  kDied,  // its process ended without an answer: a signal that was not ours, the OOM killer's for one
};

// How a run ended.
enum class RunOutcome : uint8_t {
  kSucceeded,
  kIncomplete,  // went to its end, but a step failed that the plan lets fail
  kFailed,
  kAborted,
};
std::string_view to_string(RunOutcome outcome);

struct RunCreated {
  FrozenPlan plan;
  Target target = Target::kProduction;
  Person by;
  std::string reason;
  Approval policy;         // what the target asks for besides the plan, before a destructive step
  bool by_starter = true;  // whoever started the run may approve
  Duration expires = std::chrono::hours(1);
  std::string config_file = {};  // the daruma.yaml it began with; the run keeps a copy of it
  std::string config_hash = {};  // SHA-256 of its bytes; empty: there is no copy
};
// An engine carries the run from here on; results of older epochs are recorded and change nothing.
struct EngineTook {
  uint64_t epoch = 0;
  int64_t pid = 0;
};
struct StepStarted {
  std::string step;
  uint32_t attempt = 0;  // counts up over all verbs
  Verb verb = Verb::kAct;
  uint64_t epoch = 0;
  Value with;  // filled in; secrets are references
};
struct StepEnded {
  std::string step;
  uint32_t attempt = 0;
  uint64_t epoch = 0;
  Outcome outcome = Outcome::kFailed;
  bool no_retry = false;  // it was refused, or is wrong: trying again would be the same
  std::string error;      // one sentence; empty when it succeeded
  std::string hint;
  Value outputs;            // of kReconcile: {"happened":"yes"|"no"|"unknown"}
  Value prepared;           // what prepare() saw
  std::string output_hash;  // SHA-256 of what it printed
  Cut cut = Cut::kNot;
};
// The attempt can no longer act, and nobody knows whether it did.
struct StepVanished {
  std::string step;
  uint32_t attempt = 0;
  bool started = true;  // false: it is certain that it never began
  Value prepared = {};  // what prepare() saw, if it came so far
};
struct StepSkipped {
  std::string step;
  std::string why;
};
// A step that could not begin: a reference that stands for nothing, an input of the wrong kind.
struct StepRefused {
  std::string step;
  std::string error;
  std::string hint;
};
struct ApprovalAsked {
  std::string step;
  std::string inputs_hash;  // of plan, target and the step's inputs: what is agreed to
  uint32_t count = 1;
  std::vector<std::string> groups;
  Instant until;
};
struct ApprovalGiven {
  std::string step;
  std::string inputs_hash;
  bool agree = true;
  Person by;
  std::string reason;
  bool break_glass = false;  // alone, against the policy; alarmed and reviewed
};
struct ApprovalExpired {
  std::string step;
};
// A person's task, or a question only a person can answer.
struct PersonAsked {
  std::string step;
  uint32_t attempt = 0;  // of the vanished act; 0: the step itself is a person's task
};
struct PersonAnswered {
  std::string step;
  bool done = true;  // it is done, or it happened
  Person by;
  std::string note;
};
struct AbortAsked {
  Person by;
  std::string reason;
};
struct RunEnded {
  RunOutcome outcome = RunOutcome::kFailed;
  std::string why;
};

using EventBody = std::variant<RunCreated, EngineTook, StepStarted, StepEnded, StepVanished, StepSkipped,
                               StepRefused, ApprovalAsked, ApprovalGiven, ApprovalExpired, PersonAsked,
                               PersonAnswered, AbortAsked, RunEnded>;

NewEvent to_event(const EventBody& body);
// kCorrupt: an unknown kind, or a body that is not of its kind.
Result<EventBody> event_of(const JournalEvent& event);

}  // namespace daruma::run
