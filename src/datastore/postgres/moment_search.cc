#include "datastore/postgres/moment_search.h"

#include <algorithm>

namespace daruma::postgres {
namespace {

// How wrong the clocks of server and Daruma may be about each other before a search begins too late.
constexpr Duration kClockSlack = 24h;

}  // namespace

bool MomentSearch::too_late(const WalEvent& event) const {
  return is_transaction_end(event) && (before_ ? event.time >= moment_ : event.time > moment_);
}

// Nothing before a snapshot that ended a day earlier can be too late.
Lsn MomentSearch::begins() const {
  for (const Snapshot* snapshot : snapshots_on(catalog_, route_))
    if (snapshot->meta.ended + kClockSlack <= moment_)
      return route_.segment_size().floor(snapshot->meta.start);
  return {};
}

Result<Stop> MomentSearch::find_stop() {
  WalSearch search;
  search.from = begins();
  search.may_hold = [&](const WalSummary& summary) {
    return summary.last_time && *summary.last_time >= moment_;
  };
  search.matches = [&](const WalEvent& event) { return too_late(event); };
  DR_TRY(const auto first, find_first(route_, search, &damage_));
  return first ? Stop{first->start, first->end} : Stop{};
}

Result<std::optional<SnapshotChoice>> MomentSearch::choose(const Stop& stop,
                                                           std::vector<std::string>& notes) const {
  const auto fits = [&](const Snapshot& snapshot) { return holds_nothing_later(snapshot, stop); };
  return choose_snapshot(catalog_, route_, stop, fits, notes);
}

// The snapshot ended by then, or a transaction in the same stretch of WAL did: what follows that one up to
// the snapshot's end is known, and none of it is too late.
Result<bool> MomentSearch::holds_nothing_later(const Snapshot& snapshot, const Stop& stop) const {
  if (snapshot.meta.ended <= moment_) return true;
  if (!damage_.empty()) return false;
  const WalRoute::Span& span = *route_.span_at(route_.segment_size().floor(snapshot.meta.start));
  WalSearch search;
  search.from = span.from;
  search.to = std::min(span.to, stop.before.value_or(kNoLimit));
  search.may_hold = [&](const WalSummary& summary) {
    return summary.first_time && *summary.first_time <= moment_;
  };
  search.matches = [&](const WalEvent& event) { return is_transaction_end(event) && !too_late(event); };
  DR_TRY(const auto earlier, find_first(route_, search));
  return earlier.has_value();
}

Result<bool> MomentSearch::reached_before_hole(const SnapshotChoice& choice) const {
  WalSearch search;
  search.from = choice.snapshot->meta.start;
  search.to = choice.held_to;
  search.may_hold = [&](const WalSummary& summary) {
    return summary.last_time && *summary.last_time >= moment_;
  };
  search.matches = [&](const WalEvent& event) { return is_transaction_end(event) && event.time >= moment_; };
  DR_TRY(const auto late_enough, find_first(route_, search));
  return late_enough.has_value();
}

Status MomentSearch::check_undamaged(const SnapshotChoice& choice, const Stop& stop) const {
  const Lsn from = route_.segment_size().floor(choice.snapshot->meta.start);
  const Lsn to = std::min(stop.needed, choice.held_to);
  for (const WalDamage& hit : damage_)
    if (from <= hit.segment && hit.segment < to) return hit.error;
  return {};
}

}  // namespace daruma::postgres
