#include "datastore/postgres/snapshot_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "datastore/postgres/wal_search.h"

namespace daruma::postgres {
namespace {

const WalRoute::Span* span_of(const Snapshot& snapshot, const WalRoute& route) {
  return route.span_at(route.segment_size().floor(snapshot.meta.start));
}

std::optional<WalRoute::Span> gap_after(const WalRoute::Span& span, const WalRoute& route) {
  for (const WalRoute::Span& next : route.held())
    if (next.from > span.to) return WalRoute::Span{span.to, next.from};
  return std::nullopt;
}

}  // namespace

bool has_its_wal(const Snapshot& snapshot, const WalRoute& route) {
  const WalRoute::Span* span = span_of(snapshot, route);
  return span && span->to >= snapshot.meta.end;
}

std::vector<const Snapshot*> snapshots_on(const Catalog& catalog, const WalRoute& route) {
  std::vector<const Snapshot*> out;
  for (const Snapshot& snapshot : catalog.snapshots) {
    const auto leaves = route.leaves(snapshot.meta.timeline);
    if (leaves && snapshot.meta.end <= *leaves) out.push_back(&snapshot);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Snapshot* a, const Snapshot* b) { return a->meta.end > b->meta.end; });
  return out;
}

Result<std::optional<SnapshotChoice>> choose_snapshot(
    const Catalog& catalog, const WalRoute& route, const Stop& stop,
    const std::function<Result<bool>(const Snapshot&)>& fits, std::vector<std::string>& notes) {
  for (const Snapshot* snapshot : snapshots_on(catalog, route)) {
    if (snapshot->meta.end > stop.before.value_or(stop.needed)) continue;
    if (!has_its_wal(*snapshot, route)) {
      notes.push_back(fmt::format("the snapshot of {} is passed over: its WAL from {} to {} is not all held",
                                  to_rfc3339(snapshot->meta.ended), to_string(snapshot->meta.start),
                                  to_string(snapshot->meta.end)));
      continue;
    }
    DR_TRY(const bool fitting, fits(*snapshot));
    if (!fitting) continue;
    const WalRoute::Span& span = *span_of(*snapshot, route);
    SnapshotChoice choice{snapshot, span.to, {}};
    if (stop.needed > span.to) choice.gap = gap_after(span, route);
    return std::optional(choice);
  }
  return std::optional<SnapshotChoice>();
}

Error nothing_precedes(const Catalog& catalog, const WalRoute& route, const Wish& wish) {
  const auto all = snapshots_on(catalog, route);
  const auto oldest =
      std::find_if(all.rbegin(), all.rend(), [&](const Snapshot* s) { return has_its_wal(*s, route); });
  if (all.empty())
    return {Errc::kNotFound,
            fmt::format("no snapshot of {} leads to timeline {}", catalog.datastore, route.target()),
            fmt::format("take one: daruma backup {}", catalog.datastore)};
  if (oldest == all.rend())
    return {Errc::kNotFound,
            fmt::format("no snapshot of {} on the way to timeline {} has the WAL that makes it consistent",
                        catalog.datastore, route.target()),
            fmt::format("take one while its WAL is captured: daruma backup {}", catalog.datastore)};
  const SnapshotMeta& first = (*oldest)->meta;
  return {
      Errc::kNotFound,
      fmt::format(
          "{} is before anything that can be recovered: the first snapshot of {} on the way to timeline {} "
          "ended at {} ({})",
          wish.text, catalog.datastore, route.target(), to_rfc3339(first.ended), to_string(first.end)),
      fmt::format("the earliest moment is --at {}", to_rfc3339(first.ended))};
}

Error missing_wal(const Catalog& catalog, const WalRoute& route, const SnapshotChoice& choice) {
  DR_CHECK(choice.gap);
  const Lsn from = choice.gap->from;
  std::string before = fmt::format("up to {}", to_string(from));
  std::string hint = fmt::format("recover what comes before it: --at lsn:{}", to_string(from));
  const auto ending = read_ending(route, choice.snapshot->meta.start, from);
  if (ending.ok() && ending->last_commit) {
    before += fmt::format(", the last commit there is of {}", to_rfc3339(*ending->last_commit));
    hint = fmt::format("recover what comes before it: --at {}", to_rfc3339(*ending->last_commit));
  }
  std::string missing;
  for (const WalStretch& stretch : route.stretches(from, choice.gap->to))
    missing += fmt::format("{}{} to {} of timeline {}", missing.empty() ? "" : ", ", to_string(stretch.from),
                           to_string(stretch.to), stretch.timeline);
  return {Errc::kNotFound,
          fmt::format("the WAL of {} has a hole: {} is missing; before it can be recovered {}",
                      catalog.datastore, missing, before),
          hint};
}

}  // namespace daruma::postgres
