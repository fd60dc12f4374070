// datastore/postgres/wal_search.h: finds records in the stored WAL of a route, reading as few pieces as their
// summaries allow.
//
// Order:   by position. A record counts to the segment in which it ends.
// Errors:  kCorrupt: WAL that had to be read does not parse, with its position. Others: as LogReader::read.
// Threads: pure over what they are given.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "datastore/postgres/wal_route.h"

namespace daruma::postgres {

struct WalSearch {
  Lsn from = {};      // records that start here or later
  Lsn to = kNoLimit;  // and before this
  // Whether a segment must be read, by what its summary says. Not given: every segment is.
  std::function<bool(const WalSummary&)> may_hold = {};
  std::function<bool(const WalEvent&)> matches;
  bool any_record = false;  // also those that are otherwise not reported (kOther)
};

// WAL that could not be read; the search went on behind it.
struct WalDamage {
  Lsn segment;
  Error error;
};

// With `damage`, WAL that does not parse is added to it instead of ending the search.
Result<std::optional<WalEvent>> find_first(const WalRoute& route, const WalSearch& search,
                                           std::vector<WalDamage>* damage = nullptr);
Result<std::vector<WalEvent>> find_all(const WalRoute& route, const WalSearch& search);

// What replay from `from` to `to` ends with. Reads backwards from the end.
struct WalEnding {
  std::optional<Lsn> last_record;      // start of the last whole record that starts before `to`
  std::optional<Instant> last_commit;  // the newest time in the last segment that has one
};
Result<WalEnding> read_ending(const WalRoute& route, Lsn from, Lsn to);

bool is_transaction_end(const WalEvent& event);  // commit or abort

}  // namespace daruma::postgres
