// watch/judge.h: what facts mean: what is down, the likely root, a level to propose, the next command.
//
// The root is the thing that is down, needs nothing else that is down, and is needed by most of what is. A
// level is proposed, never decided: that is a person's (glossary, "decide, propose").
// Source:  requirement L31; levels: both manuals.
// Threads: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "watch/facts.h"

namespace daruma::watch {

enum class Severity : uint8_t {
  kDown,      // does not do what it should
  kImpaired,  // does, but not all of it, or not for long
  kUnknown,   // could not be seen
  kNote,      // nothing is wrong with it
};
std::string_view to_string(Severity severity);

struct Finding {
  Severity severity = Severity::kNote;
  std::string subject = {};  // a service, a datastore, "disk /var/lib", "machine", …
  run::Text what = {};
  std::optional<Instant> since = {};
  bool at_least = false;        // `since` is the first that a log shows; it may be longer
  std::string because_of = {};  // the thing whose failure explains it; empty: nothing that we see
};

struct Level {
  std::string scheme = {};
  uint32_t number = 0;
  run::Text effect = {};
};

// What to do next. Commands as a person types them, without -c.
struct Next {
  std::vector<std::string> commands = {};
  run::Text why = {};
  // If that did not help; empty: nothing better is known.
  std::vector<std::string> otherwise = {};
  run::Text otherwise_why = {};
};

struct Findings {
  Instant at = {};
  bool all_well = true;  // nothing is down, impaired, unknown, or waits for a person
  std::vector<Finding> findings =
      {};  // what is down first, the root before all, and what it explains behind it
  std::vector<std::string> well = {};       // services and datastores
  std::string root = {};                    // empty: nothing is down
  std::vector<std::string> needed_by = {};  // of what is down, whatever needs the root
  std::optional<Level> level = {};          // nullopt: nothing is down
  std::vector<run::Text> impact = {};       // of the user functions affected, where a plan says so
  Next next = {};
};

Findings judge(const Facts& facts);

}  // namespace daruma::watch
