// datastore/postgres/snapshot_choice.h: which snapshot recovery begins with, once it is known where it stops.
//
// Threads: pure over what they are given.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datastore/postgres/wal_route.h"

namespace daruma::postgres {

struct Stop {
  std::optional<Lsn> before;  // the first record not applied
  Lsn needed = kNoLimit;      // WAL must be held up to here; kNoLimit: as far as there is any
};

struct SnapshotChoice {
  const Snapshot* snapshot = nullptr;
  Lsn held_to;                        // WAL is held without a hole from its start to here
  std::optional<WalRoute::Span> gap;  // the first hole before the stop, if there is one
};

// The newest snapshot on the route that is consistent before the stop, that has its WAL, and that `fits`. One
// without its WAL is passed over with a word in `notes`. nullopt: none.
Result<std::optional<SnapshotChoice>> choose_snapshot(
    const Catalog& catalog, const WalRoute& route, const Stop& stop,
    const std::function<Result<bool>(const Snapshot&)>& fits, std::vector<std::string>& notes);

// Whether the WAL between its start and its end is held.
bool has_its_wal(const Snapshot& snapshot, const WalRoute& route);

// Snapshots whose end lies on the route, newest end first.
std::vector<const Snapshot*> snapshots_on(const Catalog& catalog, const WalRoute& route);

// kNotFound: why nothing on the route comes before `wish`, and the earliest moment that can be recovered.
Error nothing_precedes(const Catalog& catalog, const WalRoute& route, const Wish& wish);
// kNotFound: the WAL that is missing, and what can be recovered before it.
Error missing_wal(const Catalog& catalog, const WalRoute& route, const SnapshotChoice& choice);

}  // namespace daruma::postgres
