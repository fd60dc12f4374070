// run/run_state.h: the pure core: what has happened in a run, and what is to be done next.
//
// The state is a fold over the run's events; decide() is a function of the state and the time it is told.
// Nothing here reads a clock, a file or the world, so that every schedule of crashes can be tried out.
//
// A step waits until all its needs have ended, is skipped when its `when` does not hold, waits for its
// approval, starts, and ends; a failed attempt is repeated while its retry allows. An act found started
// without an outcome is *vanished*: it is repeated, reconciled, or a person is asked, as its type says. A
// step that fails for good stops the run, unless the plan lets it go on; undo goes newest first; then what
// the plan's `finish` asks for is done, whatever the outcome.
// Threads: a state belongs to one thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "run/event.h"
#include "run/step_type.h"

namespace daruma::run {

enum class StepPhase : uint8_t {
  kWaiting,   // for its needs
  kAsking,    // for its approval
  kRunning,   // an attempt has started and not ended
  kVanished,  // an attempt has begun and can no longer act; what it did is not known
  kPausing,   // before the next attempt
  kPerson,    // waits for a person's answer
  kSucceeded,
  kFailed,
  kSkipped,
};
std::string_view to_string(StepPhase phase);
// It has ended, one way or another.
bool has_ended(StepPhase phase);

struct Attempt {
  uint32_t number = 0;
  Verb verb = Verb::kAct;
  uint64_t epoch = 0;
  Instant started;
  std::optional<Instant> ended;
  std::optional<Outcome> outcome;
};

struct ApprovalState {
  std::string inputs_hash;
  uint32_t count = 1;
  std::vector<std::string> groups;
  Instant until;
  std::vector<ApprovalGiven> given;
  bool granted = false;
};

struct StepState {
  StepPhase phase = StepPhase::kWaiting;
  std::vector<Attempt> attempts;
  Instant first_started;  // of the attempts that count for its retry
  std::optional<Instant> ended;
  uint64_t ended_at_event = 0;
  Value outputs;
  Value prepared;
  std::string error, hint;
  std::string skipped_because;
  std::optional<ApprovalState> approval;
  bool undone = false;
  bool undo_failed = false;
  uint32_t undo_attempts = 0;
  std::string undo_error;  // of the last undo that failed

  const Attempt* running() const;
  // The newest attempt at acting; nullptr: there was none.
  const Attempt* last_act() const;
};

enum class RunPhase : uint8_t { kRunning, kStopping, kUndoing, kFinishing, kEnded };

// What the engine does next. Each names a step of the plan, or one of the finish.
struct Start {
  std::string step;
  uint32_t attempt = 0;
  Verb verb = Verb::kAct;
};
struct Settle {  // an attempt of an earlier engine: what became of it?
  std::string step;
  uint32_t attempt = 0;
};
struct Skip {
  std::string step;
  std::string why;
};
struct Refuse {
  std::string step;
  std::string error, hint;
};
struct Ask {
  std::string step;
};
struct Expire {
  std::string step;
};
struct AskPerson {
  std::string step;
  uint32_t attempt = 0;
};
struct EndAttempt {  // the run was aborted: end it
  std::string step;
  uint32_t attempt = 0;
};
struct EndRun {
  RunOutcome outcome = RunOutcome::kFailed;
  std::string why;
};
using Move = std::variant<Start, Settle, Skip, Refuse, Ask, Expire, AskPerson, EndAttempt, EndRun>;

struct Decision {
  std::vector<Move> moves;
  std::optional<Instant> wake;  // decide again then, at the latest
};

using FindType = std::function<const StepType*(std::string_view)>;

class RunState {
 public:
  explicit RunState(FindType find_type) : find_type_(std::move(find_type)) {}

  // kCorrupt: an event that cannot follow on those before it.
  Status apply(const JournalEvent& event);
  Decision decide(Instant now) const;

  const RunCreated& created() const { return *created_; }
  bool exists() const { return created_.has_value(); }
  Instant started_at() const { return started_at_; }
  std::optional<Instant> ended_at() const { return ended_at_; }
  // Where the run stands, from the phases of its steps: looks at each.
  RunPhase phase() const;
  uint64_t epoch() const { return epoch_; }
  uint64_t position() const { return position_; }  // of the last event applied
  const std::string& id() const { return id_; }
  const std::optional<RunEnded>& end() const { return end_; }
  // How it ends, or would end now. A failure that a later step was there for (`when: steps.X.failed`) and
  // that this step answered with success no longer counts.
  RunEnded outcome() const;
  // What could not be undone and so remains: "step 'x' could not be undone: why"; empty: nothing.
  std::string remains() const;
  // One sentence for a notice.
  std::string summary(bool japanese) const;
  const std::optional<AbortAsked>& abort() const { return abort_; }
  // Of the plan, then of its finish, in their order.
  const std::vector<Step>& steps() const { return steps_; }
  const Step* step(std::string_view id) const;
  const StepState& at(std::string_view id) const { return states_.find(id)->second; }
  const StepType* type_of(const Step& step) const { return find_type_(step.action.type); }

  // The inputs of a step, filled in, with defaults. kInvalid: a reference that stands for nothing.
  Result<Value::Map> inputs(const Step& step, Verb verb) const;
  // What people are asked before it, with parameters and what earlier steps found filled in, as far as they
  // are known; empty: nothing is asked.
  Text question(const Step& step) const;
  // What an approval of this step agrees to.
  Result<std::string> inputs_hash(const Step& step) const;
  // kRefused, with the reason: this person may not, or nothing is asked.
  Status may_approve(const ApprovalGiven& given, Instant now) const;
  // Whether a step's own approval, or that of a step it needs, lets it start.
  bool needs_approval(const Step& step) const;

 private:
  bool is_answered(const Step& failed) const;
  // One overload for each event: run_state_fold.cc.
  Status on(const RunCreated& event, const JournalEvent& at);
  Status on(const EngineTook& event, const JournalEvent& at);
  Status on(const StepStarted& event, const JournalEvent& at);
  Status on(const StepEnded& event, const JournalEvent& at);
  Status on(const StepVanished& event, const JournalEvent& at);
  Status on(const StepSkipped& event, const JournalEvent& at);
  Status on(const StepRefused& event, const JournalEvent& at);
  Status on(const ApprovalAsked& event, const JournalEvent& at);
  Status on(const ApprovalGiven& event, const JournalEvent& at);
  Status on(const ApprovalExpired& event, const JournalEvent& at);
  Status on(const PersonAsked& event, const JournalEvent& at);
  Status on(const PersonAnswered& event, const JournalEvent& at);
  Status on(const AbortAsked& event, const JournalEvent& at);
  Status on(const RunEnded& event, const JournalEvent& at);

  Result<StepState*> state_of(std::string_view step, const JournalEvent& at);
  void fail(StepState& state, std::string error, std::string hint, const JournalEvent& at);
  void succeed(StepState& state, const JournalEvent& at);
  void on_reconciled(const Step& step, StepState& state, const StepEnded& event, const JournalEvent& at);
  void on_failed(const Step& step, StepState& state, const StepEnded& event, const JournalEvent& at);

  bool ready(const Step& step) const;
  bool is_finish(const Step& step) const { return step.group == kFinishGroup; }
  std::optional<Duration> pause_before_next(const Step& step, const StepState& state, Instant ended) const;
  bool covered(const Step& step, std::set<std::string_view>& seen) const;
  void decide_waiting(const Step& step, Decision& out) const;
  void decide_asking(const Step& step, Instant now, Decision& out) const;
  void decide_pausing(const Step& step, Instant now, Decision& out) const;
  void decide_open(const Step& step, bool stopping, Decision& out) const;
  void decide_undo(Decision& out) const;
  const Step* next_to_undo() const;
  std::optional<Value> value_of(std::string_view name) const;

  static constexpr std::string_view kFinishGroup = "finish";
  static constexpr uint32_t kUndoAttemptsMost = 3;

  FindType find_type_;
  std::optional<RunCreated> created_;
  std::string id_;
  std::vector<Step> steps_;
  std::map<std::string, size_t, std::less<>> places_;  // of steps, by id
  std::map<std::string, StepState, std::less<>> states_;
  Instant started_at_;
  std::optional<Instant> ended_at_;
  uint64_t epoch_ = 0;
  uint64_t position_ = 0;
  bool undo_wanted_ = false;
  std::optional<AbortAsked> abort_;
  std::optional<RunEnded> end_;
};

}  // namespace daruma::run
