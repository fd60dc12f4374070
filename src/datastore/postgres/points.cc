#include "datastore/postgres/points.h"

#include <fmt/format.h>

#include <algorithm>

#include "datastore/postgres/moment_search.h"
#include "datastore/postgres/snapshot_choice.h"
#include "datastore/postgres/timelines.h"
#include "datastore/postgres/wal_search.h"

namespace daruma::postgres {
namespace {

using Kind = WalEvent::Kind;

Result<bool> any_snapshot(const Snapshot&) { return true; }

// A record, and the timeline to recover to for it.
struct Match {
  Timeline timeline = 0;
  WalEvent event;
};

class Resolver {
 public:
  Resolver(const Catalog& catalog, const Wish& wish, Timeline only, Timelines timelines)
      : catalog_(catalog), wish_(wish), only_(only), timelines_(std::move(timelines)) {}

  Result<RecoveryPoint> latest();
  Result<RecoveryPoint> immediate();
  Result<RecoveryPoint> at_time(Instant now);
  Result<RecoveryPoint> at_lsn();
  Result<RecoveryPoint> at_transaction();
  Result<RecoveryPoint> at_restore_point();

 private:
  WalRoute route_to(Timeline timeline) const { return WalRoute::to(catalog_, timeline); }
  // The timelines that a record or position is looked for on, each with where its own records begin.
  std::vector<std::pair<WalRoute, Lsn>> places() const;

  // at_time
  Result<HeldTimeline> timeline_at(Instant time) const;
  Status check_not_in_future(Instant now) const;
  void note_time_after_last_commit(RecoveryPoint& point) const;

  // at_lsn
  Result<Timeline> timeline_holding(Lsn lsn) const;
  Error not_held(const WalRoute& route, Lsn lsn);

  // at_transaction, at_restore_point
  Result<std::vector<Match>> find_everywhere(const WalSearch& pattern) const;
  Result<RecoveryPoint> at_match(const std::vector<Match>& matches, const std::string& subject);
  Error nowhere(const std::string& subject) const;

  // The stop before the first record at or after `at`; without one, the end of the span that `at` lies in.
  Result<Stop> stop_before_next(const WalRoute& route, Lsn at) const;
  Result<RecoveryPoint> recover_until(const WalRoute& route, const Stop& stop);
  Result<RecoveryPoint> describe(const WalRoute& route, const SnapshotChoice& choice, const Stop& stop);

  const Catalog& catalog_;
  const Wish& wish_;
  Timeline only_;  // 0: any
  Timelines timelines_;
  std::vector<std::string> notes_;
};

std::vector<std::pair<WalRoute, Lsn>> Resolver::places() const {
  std::vector<std::pair<WalRoute, Lsn>> out;
  if (only_ != 0) {
    out.emplace_back(route_to(only_), Lsn{});
    return out;
  }
  for (const HeldTimeline& held : timelines_.all()) {
    WalRoute route = route_to(held.timeline);
    const Lsn begins = route.branch_point();
    out.emplace_back(std::move(route), begins);
  }
  return out;
}

Result<RecoveryPoint> Resolver::describe(const WalRoute& route, const SnapshotChoice& choice,
                                         const Stop& stop) {
  const SnapshotMeta& meta = choice.snapshot->meta;
  RecoveryPoint point;
  point.snapshot = choice.snapshot;
  point.timeline = route.target();
  point.stop_before = stop.before;
  point.end_of_log = choice.held_to;
  // PostgreSQL stops before a record only when it has read it whole.
  const Lsn way_end = stop.before ? stop.needed : choice.held_to;
  point.way = route.stretches(route.segment_size().floor(meta.start), way_end);
  for (const WalStretch& stretch : point.way) point.wal_bytes += stretch.to - stretch.from;
  DR_TRY(const WalEnding ending, read_ending(route, meta.start, stop.before.value_or(choice.held_to)));
  point.last_commit = ending.last_commit;
  point.last_record = ending.last_record;

  point.notes = catalog_.damage;
  point.notes.insert(point.notes.end(), notes_.begin(), notes_.end());
  const auto bad = std::count_if(meta.page_errors.begin(), meta.page_errors.end(),
                                 [](const PageError& error) { return !error.excused; });
  if (bad > 0)
    point.notes.push_back(
        fmt::format("the snapshot holds {} pages whose checksums did not match on the server", bad));
  return point;
}

Result<RecoveryPoint> Resolver::recover_until(const WalRoute& route, const Stop& stop) {
  DR_TRY(const auto choice, choose_snapshot(catalog_, route, stop, any_snapshot, notes_));
  if (!choice) return nothing_precedes(catalog_, route, wish_);
  if (choice->gap) return missing_wal(catalog_, route, *choice);
  return describe(route, *choice, stop);
}

Result<Stop> Resolver::stop_before_next(const WalRoute& route, Lsn at) const {
  for (const WalRoute::Span& span : route.held()) {
    if (at < span.from || at > span.to) continue;
    DR_TRY(const auto next, find_first(route, {.from = at,
                                               .to = span.to,
                                               .matches = [](const WalEvent&) { return true; },
                                               .any_record = true}));
    return next ? Stop{next->start, next->end} : Stop{{}, span.to};
  }
  return Stop{};
}

Result<RecoveryPoint> Resolver::latest() {
  DR_TRY(HeldTimeline chosen, timelines_.youngest());
  if (only_ != 0)
    chosen.timeline = only_;
  else
    DR_OK(timelines_.check_unrivalled(chosen, {}));
  return recover_until(route_to(chosen.timeline), Stop{});
}

Result<RecoveryPoint> Resolver::immediate() {
  for (auto snapshot = catalog_.snapshots.rbegin(); snapshot != catalog_.snapshots.rend(); ++snapshot) {
    const SnapshotMeta& meta = snapshot->meta;
    if (only_ != 0 && meta.timeline != only_) continue;
    const WalRoute route = route_to(meta.timeline);
    if (!has_its_wal(*snapshot, route)) {
      notes_.push_back(
          fmt::format("the snapshot of {} is passed over: its WAL is not all held", to_rfc3339(meta.ended)));
      continue;
    }
    DR_TRY(RecoveryPoint point, describe(route, {&*snapshot, meta.end, {}}, Stop{{}, meta.end}));
    point.immediate = true;
    return point;
  }
  return Error{Errc::kNotFound,
               fmt::format("no snapshot of {}{} has the WAL that makes it consistent", catalog_.datastore,
                           only_ ? fmt::format(" on timeline {}", only_) : ""),
               fmt::format("take one while its WAL is captured: daruma backup {}", catalog_.datastore)};
}

Status Resolver::check_not_in_future(Instant now) const {
  if (wish_.time <= now) return {};
  std::string end;
  if (const auto youngest = timelines_.youngest(); youngest.ok()) {
    const WalRoute route = route_to(youngest->timeline);
    const WalRoute::Span last = route.held().back();
    const auto ending = read_ending(route, last.from, last.to);
    if (ending.ok() && ending->last_commit)
      end =
          fmt::format("; the log held ends at {} ({})", to_rfc3339(*ending->last_commit), to_string(last.to));
  }
  return Error{Errc::kInvalid, fmt::format("{} is in the future{}", to_rfc3339(wish_.time), end),
               "--at latest"};
}

Result<HeldTimeline> Resolver::timeline_at(Instant time) const {
  if (only_ != 0) return HeldTimeline{only_, {}};
  DR_TRY(const HeldTimeline live, timelines_.live_at(time));
  DR_OK(timelines_.check_unrivalled(live, time));
  return live;
}

void Resolver::note_time_after_last_commit(RecoveryPoint& point) const {
  const std::string time = to_rfc3339(wish_.time);
  if (!point.last_commit)
    point.notes.push_back(
        fmt::format("no commit after the snapshot is held by {}; recovering to the end of the log", time));
  else if (wish_.time > *point.last_commit)
    point.notes.push_back(
        fmt::format("{} is {} after the last commit held ({}); recovering to the end of the log", time,
                    human_duration(wish_.time - *point.last_commit), to_rfc3339(*point.last_commit)));
}

Result<RecoveryPoint> Resolver::at_time(Instant now) {
  DR_OK(check_not_in_future(now));
  DR_TRY(const HeldTimeline live, timeline_at(wish_.time));
  const WalRoute route = route_to(live.timeline);
  MomentSearch moment(catalog_, route, wish_.time, wish_.before);
  DR_TRY(Stop stop, moment.find_stop());
  DR_TRY(const auto choice, moment.choose(stop, notes_));
  if (!choice) return nothing_precedes(catalog_, route, wish_);
  if (choice->gap) {
    DR_TRY(const bool reached, moment.reached_before_hole(*choice));
    if (!reached) return missing_wal(catalog_, route, *choice);
    stop = Stop{};
  }
  DR_OK(moment.check_undamaged(*choice, stop));
  DR_TRY(RecoveryPoint point, describe(route, *choice, stop));
  if (!point.stop_before) note_time_after_last_commit(point);
  return point;
}

// Several timelines may have a position, each after it left the others.
Result<Timeline> Resolver::timeline_holding(Lsn lsn) const {
  if (only_ != 0) return only_;
  std::vector<HeldTimeline> holding, ending;
  for (const HeldTimeline& held : timelines_.all()) {
    const WalRoute route = route_to(held.timeline);
    if (lsn >= route.branch_point() && route.span_at(lsn)) holding.push_back(held);
    if (lsn == route.held().back().to) ending.push_back(held);
  }
  if (holding.empty()) holding = ending;
  if (holding.size() == 1) return holding.front().timeline;
  if (holding.empty()) {
    DR_TRY(const HeldTimeline youngest, timelines_.youngest());
    return youngest.timeline;
  }
  return Error{Errc::kRefused,
               fmt::format("{} is a position on {} of {}", to_string(lsn), name_timelines(holding),
                           catalog_.datastore),
               "say which one is meant: --timeline N"};
}

Error Resolver::not_held(const WalRoute& route, Lsn lsn) {
  const auto& held = route.held();
  if (held.empty() || lsn > held.back().to)
    return {Errc::kNotFound,
            fmt::format("{} is past the end of the log held: timeline {} is held to {}", to_string(lsn),
                        route.target(), to_string(held.empty() ? Lsn{} : held.back().to)),
            "--at latest"};
  const auto choice = choose_snapshot(catalog_, route, Stop{lsn, lsn}, any_snapshot, notes_);
  if (!choice.ok()) return choice.error();
  if (!*choice || !(*choice)->gap) return nothing_precedes(catalog_, route, wish_);
  return missing_wal(catalog_, route, **choice);
}

Result<RecoveryPoint> Resolver::at_lsn() {
  DR_TRY(const Timeline timeline, timeline_holding(wish_.lsn));
  const WalRoute route = route_to(timeline);
  const bool held = std::any_of(route.held().begin(), route.held().end(), [&](const WalRoute::Span& span) {
    return span.from <= wish_.lsn && wish_.lsn <= span.to;
  });
  if (!held) return not_held(route, wish_.lsn);
  DR_TRY(const Stop stop, stop_before_next(route, wish_.before ? wish_.lsn : wish_.lsn + 1));
  return recover_until(route, stop);
}

Result<std::vector<Match>> Resolver::find_everywhere(const WalSearch& pattern) const {
  std::vector<Match> matches;
  for (const auto& [route, begins] : places()) {
    WalSearch search = pattern;
    search.from = begins;
    DR_TRY(std::vector<WalEvent> events, find_all(route, search));
    for (WalEvent& event : events) matches.push_back({route.target(), std::move(event)});
  }
  return matches;
}

Error Resolver::nowhere(const std::string& subject) const {
  std::string searched;
  for (const auto& [route, begins] : places())
    for (const WalRoute::Span& span : route.held())
      if (span.to > begins)
        searched += fmt::format("{}timeline {} from {} to {}", searched.empty() ? "" : ", ", route.target(),
                                to_string(std::max(span.from, begins)), to_string(span.to));
  return {Errc::kNotFound,
          fmt::format("{} is not in the log held of {}: {}", subject, catalog_.datastore, searched)};
}

Result<RecoveryPoint> Resolver::at_match(const std::vector<Match>& matches, const std::string& subject) {
  if (matches.size() > 1) {
    std::string places_of_it;
    for (const auto& [timeline, event] : matches)
      places_of_it += fmt::format("{}{} at {} (timeline {})", places_of_it.empty() ? "" : ", ",
                                  to_rfc3339(event.time), to_string(event.start), timeline);
    return Error{Errc::kRefused,
                 fmt::format("{} is {} times in the log of {}: {}", subject, matches.size(),
                             catalog_.datastore, places_of_it),
                 fmt::format("say which one is meant, as in --at lsn:{} --timeline {}",
                             to_string(matches.front().event.start), matches.front().timeline)};
  }
  const auto& [timeline, event] = matches.front();
  const WalRoute route = route_to(timeline);
  DR_TRY(const Stop stop, stop_before_next(route, wish_.before ? event.start : event.end));
  return recover_until(route, stop);
}

Result<RecoveryPoint> Resolver::at_transaction() {
  const std::string subject = fmt::format("the end of transaction {}", wish_.xid);
  DR_TRY(const auto matches,
         find_everywhere(
             {.may_hold = [](const WalSummary& s) { return s.first_time.has_value(); },
              .matches = [&](const WalEvent& e) { return is_transaction_end(e) && e.xid == wish_.xid; }}));
  if (matches.empty()) return nowhere(subject);
  if (matches.size() == 1 && matches.front().event.kind == Kind::kAbort)
    notes_.push_back(fmt::format("transaction {} was rolled back", wish_.xid));
  return at_match(matches, subject);
}

Result<RecoveryPoint> Resolver::at_restore_point() {
  const std::string subject = fmt::format("restore point '{}'", wish_.name);
  DR_TRY(auto matches,
         find_everywhere({.may_hold = [](const WalSummary& s) { return !s.marks.empty(); },
                          .matches = [](const WalEvent& e) { return e.kind == Kind::kRestorePoint; }}));
  std::string others;
  for (const Match& match : matches)
    others += fmt::format("{}'{}'", others.empty() ? "" : ", ", match.event.name);
  std::erase_if(matches, [&](const Match& match) { return match.event.name != wish_.name; });
  if (!matches.empty()) return at_match(matches, subject);
  Error error = nowhere(subject);
  error.hint = others.empty() ? "the log held has no restore points" : "the log held has " + others;
  return error;
}

Result<RecoveryPoint> decide(const Catalog& catalog, const Wish& wish, Timeline timeline, Instant now) {
  DR_TRY(Timelines timelines, Timelines::load(catalog));
  if (timeline != 0 && !timelines.holds(timeline))
    return Error{Errc::kNotFound,
                 fmt::format("no WAL of timeline {} of {} is held", timeline, catalog.datastore),
                 timelines.all().empty() ? "" : "held is " + name_timelines(timelines.all())};
  Resolver resolver(catalog, wish, timeline, std::move(timelines));
  switch (wish.kind) {
    case Wish::Kind::kLatest:
      return resolver.latest();
    case Wish::Kind::kImmediate:
      return resolver.immediate();
    case Wish::Kind::kTime:
      return resolver.at_time(now);
    case Wish::Kind::kLsn:
      return resolver.at_lsn();
    case Wish::Kind::kXid:
      return resolver.at_transaction();
    case Wish::Kind::kName:
      return resolver.at_restore_point();
  }
  DR_CHECK(false);
}

}  // namespace

Result<RecoveryPoint> resolve(const Catalog& catalog, const Wish& wish, Timeline timeline, Instant now) {
  auto point = decide(catalog, wish, timeline, now);
  if (point.ok()) return point;
  // What was left out may be what is missed.
  Error error = std::move(point).error();
  for (const std::string& damaged : catalog.damage) error.what += "\n" + damaged;
  return error;
}

}  // namespace daruma::postgres
