// datastore/postgres/moment_search.h: a moment on a timeline, as a position: the first transaction whose end
// must not be applied, and which snapshots surely hold nothing later.
//
// Method:  the times of transactions are those of the server's clock and need not rise with their positions;
//          a snapshot's times are of another clock. So nothing is concluded from clocks alone that the WAL
//          can say.
// Errors:  as wal_search.h.
// Owns:    nothing; catalog and route outlive it.
// Threads: one at a time.
#pragma once

#include <string>
#include <vector>

#include "datastore/postgres/snapshot_choice.h"
#include "datastore/postgres/wal_search.h"

namespace daruma::postgres {

class MomentSearch {
 public:
  // `before`: a transaction that ended exactly then is too late.
  MomentSearch(const Catalog& catalog, const WalRoute& route, Instant moment, bool before)
      : catalog_(catalog), route_(route), moment_(moment), before_(before) {}

  // The first transaction that is too late; a Stop without `before` when none is held.
  Result<Stop> find_stop();
  // The newest snapshot that holds nothing later. nullopt: none.
  Result<std::optional<SnapshotChoice>> choose(const Stop& stop, std::vector<std::string>& notes) const;
  // The choice has a hole before the stop: whether the moment lies before the hole all the same, because
  // something there is as late as the moment.
  Result<bool> reached_before_hole(const SnapshotChoice& choice) const;
  // WAL between the snapshot and the stop that had to be read and could not be.
  Status check_undamaged(const SnapshotChoice& choice, const Stop& stop) const;

 private:
  bool too_late(const WalEvent& event) const;
  Lsn begins() const;
  Result<bool> holds_nothing_later(const Snapshot& snapshot, const Stop& stop) const;

  const Catalog& catalog_;
  const WalRoute& route_;
  Instant moment_;
  bool before_;
  std::vector<WalDamage> damage_;
};

}  // namespace daruma::postgres
