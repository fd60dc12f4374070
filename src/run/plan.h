// run/plan.h: a recovery plan as data: a graph of typed steps that a person under stress can read.
//
// The language is described in docs/plan-language.md. parse_plan reads one file; freeze() makes of a plan,
// the plans it nests, and its parameters the one thing a run interprets: flat, hashed, and never changed
// again.
// Source:  design, "Runs"; requirements L16-L26, A3, A4, A24, A25, A27.
// Threads: plain values and pure functions.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/value.h"
#include "os/file_system.h"
#include "run/expression.h"

namespace daruma::run {

// A text in both languages. A shipped plan has both everywhere; a draft may lack one.
struct Text {
  std::string ja;
  std::string en;

  bool empty() const { return ja.empty() && en.empty(); }
  bool operator==(const Text&) const = default;
};

enum class Target : uint8_t { kProduction, kStaging, kSandbox };
std::string_view to_string(Target target);
std::optional<Target> target_named(std::string_view word);

enum class ParameterType : uint8_t {
  kText,
  kInteger,
  kBoolean,
  kDuration,
  kService,
  kDatastore,
  kPath,
  kTime,
  kChoice
};

struct Parameter {
  std::string name;
  ParameterType type = ParameterType::kText;
  std::optional<Value> standard;     // absent: must be given
  std::vector<std::string> choices;  // kChoice
  Text help;
};

struct Retry {
  uint32_t times = 0;                        // further attempts; 0: as many as fit into `within`
  Duration within{};                         // from the first attempt's start; 0: as many as `times`
  Duration pause = std::chrono::seconds(1);  // before the second attempt; grows by half each time
  Duration pause_most = std::chrono::seconds(15);
};

// What becomes of the run when a step has failed for good.
enum class OnFailure : uint8_t {
  kFail,      // nothing after it runs; the run has failed
  kContinue,  // steps that need it go on; the run can still succeed, and says which step failed
  kUndo,      // nothing after it runs; what was done is undone, newest first; the run has failed
};

// Whoever must agree before the step. What the target's policy asks for is added to it, never taken away.
struct Approval {
  Text question;
  uint32_t count = 1;
  std::vector<std::string> groups;
};

struct Action {
  std::string type;  // "service.restart"
  Value::Map with;   // values may hold references: see run/expression.h

  bool operator==(const Action&) const = default;
};

struct Step {
  std::string id;  // unique in the run; of a nested plan "OUTER/INNER"
  Text title;
  Action action;
  // Ids, in the order written; then those of steps that `when` and `with` refer to.
  std::vector<std::string> needs;
  std::string group = {};          // the step that nests it; empty: the plan itself
  std::optional<Expression> when;  // nullopt: always
  std::optional<Retry> retry;
  std::optional<Duration> timeout;  // of one attempt; nullopt: its type's own
  OnFailure on_failure = OnFailure::kFail;
  std::string raise = {};      // the plan to propose when it fails (requirement A3: raised to its own plan)
  std::optional<Action> undo;  // nullopt: its type's own undo, if it has one
  std::optional<Approval> approve;
  int line = 0;  // in its file
};

// The head of every document (requirement A27).
struct Head {
  std::string version;
  std::string updated;  // dates, as written: YYYY-MM-DD
  std::string review_due;
  std::string status;  // "final" or "draft"
};

struct Detection {
  std::string alert = {};  // a signal's name, as in AuthServiceDown
  std::string probe = {};
  Text words = {};  // as in "report from a user"
};

struct Finish {
  std::vector<std::string> notify;  // channels; told once, by the outermost plan
  bool report = true;               // the incident report is written from the journal
};

struct Plan {
  std::string name;
  Path file = {};
  Head head;
  Text title;
  std::string scheme = {};  // of levels: "backend", "microservices"
  uint32_t level = 0;       // 1 is the mildest
  Text impact;
  std::vector<Detection> detect;
  std::vector<Text> prevent;
  std::vector<Action> preconditions;  // checked before the first step; each `do` must only observe
  std::vector<std::string> contacts;  // channels of those who must be reachable
  std::vector<Parameter> parameters;
  std::vector<Step> steps;  // in the file's order
  Finish finish;
};

// What a run interprets. Everything of nested plans stands in `steps`, behind the step that nests them: it
// does nothing itself, their first steps need it, and whatever needed it needs their last steps. `scopes` say
// what their parameters mean.
struct FrozenPlan {
  struct Scope {
    std::string group;     // the nesting step's id; empty: the outermost
    Value::Map arguments;  // by parameter; may hold references into the outer scope
  };
  Plan plan;                  // steps flat; `parameters` of the outermost
  std::vector<Scope> scopes;  // [0] is the outermost, with the values given and the defaults
  std::string hash;           // SHA-256 over to_json(to_value(*this)), in hexadecimal
};

// A mistake in a plan, or in one of its values.
struct Problem {
  int line = 0, column = 0;
  std::string what;  // names the thing, the value and the next step
};

// Reads one file's text. kInvalid: every mistake, one line "FILE:LINE:COLUMN: problem" each. Knows no step
// types: see run/check.h.
Result<Plan> parse_plan(const std::string& text, const Path& file);

// Finds the plan of a name. kNotFound names those there are.
using FindPlan = std::function<Result<Plan>(std::string_view name)>;

// Of a nested plan, contacts and preconditions join those of the outermost (a precondition on what only a
// step will tell becomes the nested plan's first step); what it says of `finish` is dropped.
// kInvalid: an unknown or missing parameter, a value of the wrong type, a nested plan that is not there or
// nests itself, needs that go in circles.
Result<FrozenPlan> freeze(const Plan& plan, const Value::Map& arguments, const FindPlan& find);

// What the names in a step's values and condition stand for. `outer` knows "run.*" and, by its whole id,
// "steps.ID.*" of every step. `plan` outlives the result.
Lookup lookup_for(const FrozenPlan& plan, const Step& step, Lookup outer);

// For the journal, and back, but for files and line numbers, which say nothing of what is done. kCorrupt: not
// such a value.
Value to_value(const FrozenPlan& plan);
Result<FrozenPlan> frozen_plan_of(const Value& value);

}  // namespace daruma::run
