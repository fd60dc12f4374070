// watch/ask_all.h: many questions asked at the same time, with one deadline for all of them.
//
// Each is asked on a thread of its own. A probe has a deadline itself, but some calls of libraries and of the
// kernel have none (the look-up of a name, a file on a dead network disk): whoever has not answered by the
// deadline of all is left behind, and said to be so.
// Threads: one caller. Answers are applied by the caller's thread.
#pragma once

#include <functional>
#include <vector>

#include "os/clock.h"
#include "watch/facts.h"

namespace daruma::watch {

// What to do with an answer.
using Answer = std::function<void(Facts&)>;

struct Question {
  std::function<Answer()> ask;  // runs on its own thread; must own what it uses, or use what outlives it
  Answer unanswered;            // in its stead, when there was none in time
};

// Returns when all have answered, or at the deadline. False: threads were left behind, which may still use
// what their questions use; the process must end without destroying that (os/environment.h: end_at_once).
bool ask_all(std::vector<Question> questions, Facts& facts, Clock& clock, Deadline deadline);

}  // namespace daruma::watch
