// run/engine.h: carries a run out: the intent into the journal, then the effect, then the outcome.
//
// One thread. Everything it does to the world goes through Hands, everything it remembers through the
// Journal, so that it may die at any instruction and another engine goes on from what is there.
// Errors:  kRefused (another engine took the run over), kNoSpace (the journal's disk is full; nothing was
//          begun that is not in the journal), kCorrupt (the journal does not make sense).
// Threads: carry_out() blocks; one call for a run at a time (see run_place.h).
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "journal/journal.h"
#include "os/clock.h"
#include "run/run_state.h"
#include "run/safety.h"

namespace daruma::run {

// What an attempt is to do.
struct Order {
  enum class Call : uint8_t { kAct, kReconcile, kUndo };  // the function of its type
  std::string step;
  uint32_t attempt = 0;
  std::string type;
  Call call = Call::kAct;
  Value with;      // filled in
  Value recorded;  // what prepare() of the act saw
  Value outputs;   // of the act
  Duration timeout{};
  Target target = Target::kProduction;
};

// What it came to.
struct Ended {
  Outcome outcome = Outcome::kFailed;
  bool no_retry = false;
  std::string error, hint;
  Value outputs, prepared;
  std::string output_hash;
  Cut cut = Cut::kNot;
};
struct Finished {
  std::string step;
  uint32_t attempt = 0;
  std::optional<Ended> ended;  // nullopt: it vanished: it began, can no longer act, and left no outcome
  Value prepared = {};         // of one that vanished
};

// What is left of an attempt that an earlier engine began.
enum class Left : uint8_t {
  kEnded,       // its outcome was recorded
  kRuns,        // it still acts; next() will report its end
  kNeverBegan,  // certain, and it never will
  kVanished,    // it began, can no longer act, and left no outcome
};
struct Remains {
  Left left = Left::kVanished;
  std::optional<Ended> ended;  // of kEnded
  Value prepared = {};         // of kVanished
};

class Hands {
 public:
  virtual ~Hands() = default;
  // Begins an attempt that stands in the journal; returns at once. An error: it never began, and never will.
  virtual Status begin(const Order& order) = 0;
  // The next attempt that ended; nullopt when none did until the deadline. The deadline may be cut short.
  virtual std::optional<Finished> next(Deadline deadline) = 0;
  virtual Result<Remains> remains(const Order& order) = 0;
  // Ends an attempt by force; next() reports its end.
  virtual void end(const std::string& step, uint32_t attempt) = 0;
};

// What a person asks of a run while it is carried out: ApprovalGiven, PersonAnswered or AbortAsked.
struct Letter {
  EventBody body;
  std::function<void(Status)> answer = [](const Status&) {};
};

struct EngineParts {
  Journal& journal;
  Clock& clock;
  Hands& hands;
  FindType find_type;
  // The next letter, at once.
  std::function<std::optional<Letter>()> letter = [] { return std::nullopt; };
  // Called after each event is durable.
  std::function<void(const RunState&, const JournalEvent&)> on_event = [](const RunState&,
                                                                          const JournalEvent&) {};
  // What the safety rules see of the world; the engine checks them before every step they concern.
  SafetyWorld safety = {};
  // Before a step that destroys: anchors the journal. An error: the step is refused.
  std::function<Status(const RunState&, const Step&)> before_destroying = [](const RunState&, const Step&) {
    return Status();
  };
  // Why nothing may change now (the global stop lever); nullopt: it may.
  std::function<std::optional<std::string>()> stopped = [] { return std::nullopt; };
  bool wait_for_people = true;
};

std::string stream_of(const std::string& run);

// The run as the journal tells it. kNotFound: there is no such run.
Result<RunState> load_run(Journal& journal, const std::string& run, const FindType& find_type);

// Takes the run over under a target epoch above all before it, and carries it out until it ended, `stop` is
// requested, or, unless we wait for people, only people can go on. Returns its state.
Result<RunState> carry_out(const EngineParts& parts, const std::string& run, uint64_t epoch, int64_t pid,
                           std::stop_token stop);

// What a person asks of a run that nobody carries out now. kRefused: it may not be asked, with the reason.
Status post_letter(const EngineParts& parts, const std::string& run, EventBody body);

}  // namespace daruma::run
