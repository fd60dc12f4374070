// run/asked.h: what a run asks of people now: of an approval the question, what would be done and with what
// inputs; of a task its words and checklist. It is what somebody who may answer sees, and all they see.
//
// Form:    {"run","plan","title","target","started_at","by","uid","reason","asks":[{"step","kind"
//          ("approval" | "task" | "happened"), "title", "question" {"ja","en"}, "do", "effect", "with",
//          "checklist", and of an approval "count", "given", "until", "groups"}]}. Secrets are references;
//          long texts are cut.
// Threads: pure functions.
#pragma once

#include "run/run_state.h"

namespace daruma::run {

Value asked_of(const RunState& state);
// What of it this person may see: tasks, and approvals whose groups they are in; who started the run, and
// root, see all. kRefused: there is none of it, and why.
Result<Value> asked_for(const Value& asked, const Person& person);

// The question or task of a step that waits, with what earlier steps found filled in.
Text question_of(const RunState& state, const Step& step);
// The lines of a task's checklist.
std::vector<std::string> checklist_of(const RunState& state, const Step& step);

}  // namespace daruma::run
