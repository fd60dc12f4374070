// run/import.h: a Markdown manual compiled into draft plans: every section with commands becomes one.
//
// Commands that are known become steps of their type, whole simple commands `exec` with an argument list,
// and everything else a task for a person (`manual`), with the reason in `untyped`. Steps keep the manual's
// order, one after the other; each names the line it comes from. What would hurt is in `dangers`; nothing
// is ever run. A draft is to be read, corrected and checked before it is a plan.
// Source:  requirements A5, L16-L23; design, "Manuals compiled".
// Threads: plain functions.
#pragma once

#include <string>
#include <vector>

#include "run/manual_lint.h"
#include "run/plan.h"

namespace daruma::run {

struct Untyped {
  int line = 0;
  std::string text;  // as it is written
  Text why;
};

struct Draft {
  Plan plan;  // `Step::line` is the line of the manual
  std::vector<Untyped> untyped;
};

struct Import {
  std::vector<Draft> drafts;
  std::vector<Danger> dangers;
  std::vector<ManualLine> unread;  // where blocks begin of which nobody says that a shell reads them
};

// `file` names the manual in the drafts.
Import import_manual(const std::string& text, const Path& file, const LintWorld& world);

// A draft as a file, with the lines it comes from, what could not be typed, and the dangers of each step.
std::string draft_text(const Draft& draft, const std::vector<Danger>& dangers);

}  // namespace daruma::run
