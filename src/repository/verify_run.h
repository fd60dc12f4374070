// repository/verify_run.h: what the parts of one verification share: its report in the making.
//
// Threads: used by one thread.
#pragma once

#include <map>
#include <set>
#include <string>

#include "repository/verify.h"

namespace daruma {

// Collects findings. The same cause in one object is one finding, with the places that it hits and the
// recovery points that it affects.
class FindingBook {
 public:
  struct Hit {
    std::string place = {};    // "pages 32-63 of 'base/5/1234'"
    std::string affects = {};  // as Finding::affects
  };
  void add(Finding::Severity severity, const std::string& object, const std::string& cause, const Hit& hit);
  // By object, then cause.
  std::vector<Finding> print() const;

 private:
  struct Entry {
    Finding::Severity severity = Finding::Severity::kGarbage;
    std::set<std::string> known_places;
    std::vector<std::string> places;  // in the order in which they were found
    uint64_t further_places = 0;
    std::set<std::string> affects;
  };
  std::map<std::pair<std::string, std::string>, Entry> entries_;
};

struct VerifyRun {
  const Repository& repository;
  const VerifyOptions& options;
  VerifyReport report = {};
  FindingBook findings = {};
  std::map<std::string, uint64_t> objects = {};  // name and size of all there are
  std::set<PackId> needed = {};                  // packs that a commit names
  uint64_t bytes_total = 0;
  uint64_t bytes_done = 0;

  void damage(const std::string& object, const std::string& cause, const FindingBook::Hit& hit = {}) {
    findings.add(Finding::Severity::kDamage, object, cause, hit);
  }
  void garbage(const std::string& object, const std::string& cause) {
    findings.add(Finding::Severity::kGarbage, object, cause, {});
  }
  void hole(const std::string& object, const std::string& cause, const std::string& affects) {
    findings.add(Finding::Severity::kHole, object, cause, {{}, affects});
  }
  void lost(const std::string& object, const std::string& cause, const std::string& affects) {
    findings.add(Finding::Severity::kLost, object, cause, {{}, affects});
  }
  // Nothing more will be read of this object.
  void finished(const std::string& name);
};

// What an error says about `object` itself, without its name in front.
std::string cause_in(const std::string& object, const Error& error);

}  // namespace daruma
