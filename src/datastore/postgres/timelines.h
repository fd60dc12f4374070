// datastore/postgres/timelines.h: which timelines are held, when each was born, and which one a moment
// belongs to.
//
// Errors:  as wal_search.h, and those named below.
// Threads: pure over what they are given.
#pragma once

#include <optional>
#include <vector>

#include "datastore/postgres/wal_route.h"

namespace daruma::postgres {

// A timeline of whose own records (not only its parent's before it) something is held.
struct HeldTimeline {
  Timeline timeline = 0;
  std::optional<Instant> born;  // nullopt: it is the first held, so it was there before everything
};

class Timelines {
 public:
  static Result<Timelines> load(const Catalog& catalog);

  // In order of their numbers, which is that of their births. May be empty.
  const std::vector<HeldTimeline>& all() const { return all_; }
  bool holds(Timeline timeline) const;
  // The youngest. kNotFound: no log is held at all.
  Result<HeldTimeline> youngest() const;
  // The one that lived at that instant: born last of those born by then.
  Result<HeldTimeline> live_at(Instant instant) const;
  // Success if `chosen` had no rival: no older timeline has commits off the way to it, later than its birth
  // and not later than `until`. kRefused: it has; the candidates are named, with the option that chooses.
  Status check_unrivalled(const HeldTimeline& chosen, std::optional<Instant> until) const;

 private:
  explicit Timelines(const Catalog& catalog) : catalog_(&catalog) {}

  const Catalog* catalog_;
  std::vector<HeldTimeline> all_;
};

// "timelines 1 and 2"; for messages.
std::string name_timelines(const std::vector<HeldTimeline>& timelines);

}  // namespace daruma::postgres
