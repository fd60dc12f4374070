// watch/judge_parts.h: the parts of judge(): what needs what, and what is proposed.
//
// Threads: pure functions.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "watch/judge.h"

namespace daruma::watch {

run::Text text(std::string en, std::string ja);
// "disk /var/lib/postgresql"
std::string subject_of(const DiskFacts& disk);
// Whether an error log means this thing by the name it gives a dependency: "HotelDataAPI" is hotel-data-api,
// "PostgreSQL" the only datastore of that kind.
bool is_called(std::string_view subject, std::string_view dependency, const Facts& facts);

// What needs what: services what daruma.yaml says, a datastore the service that runs it and its disk.
class Needs {
 public:
  explicit Needs(const Facts& facts);
  // Everything a thing needs, and what that needs.
  std::set<std::string> all_of(const std::string& subject) const;

 private:
  std::map<std::string, std::vector<std::string>> direct_;
};

// The root and what else is one thing with it: a datastore and the service that runs it.
std::set<std::string> one_with(const std::string& root, const Facts& facts);
// The plan that fits best what is wrong; nullptr: none does. `wrong` is empty where nothing is down: then
// plans for open breakers are looked for.
const run::Plan* fitting_plan(const Findings& findings, const Facts& facts);
Level proposed_level(const Findings& findings, const Facts& facts, const run::Plan* plan);
Next next_step(const Findings& findings, const Facts& facts, const run::Plan* plan);

}  // namespace daruma::watch
