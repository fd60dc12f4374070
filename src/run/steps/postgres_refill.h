// run/steps/postgres_refill.h: a new cluster filled from a dump, by a step that may be killed at any byte.
//
// What a killed one leaves is half a cluster that looks like one. So a mark, durable in the run's
// directory, says for which server (by its system identifier) the filling began, and what was there before;
// whoever finds it takes away what came since and fills anew. A server without this mark is filled only
// while it is empty.
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run/steps/postgres_session.h"

namespace daruma::run {

// What tells a filled cluster from a new one.
struct ClusterContent {
  std::string system_identifier;
  std::vector<std::string> databases;  // that users made
  std::vector<std::string> roles;      // beside those that initdb made
  std::vector<std::string> tablespaces;
  uint64_t relations = 0;  // in database postgres, that users made

  bool empty() const { return databases.empty() && relations == 0; }
};
Result<ClusterContent> cluster_content(StepContext& context);

struct RefillMark {
  std::string system_identifier;
  std::string file;
  std::vector<std::string> roles_before;
  bool done = false;
  Value outputs;
};
// nullopt: this run has not begun to fill a server by this step.
Result<std::optional<RefillMark>> read_mark(StepContext& context);
Status write_mark(StepContext& context, const RefillMark& mark);

// Takes away every database, role and tablespace that came since the mark was made. Only for the server
// that the mark names. kUnavailable: somebody uses one of them.
Status empty_again(StepContext& context, const RefillMark& mark);

}  // namespace daruma::run
