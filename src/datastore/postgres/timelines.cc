#include "datastore/postgres/timelines.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "datastore/postgres/wal_search.h"

namespace daruma::postgres {
namespace {

bool is_birth_of(Timeline timeline, const WalEvent& event) {
  return event.timeline == timeline && event.previous_timeline != timeline &&
         (event.kind == WalEvent::Kind::kEndOfRecovery || event.kind == WalEvent::Kind::kCheckpoint);
}

Result<std::optional<Instant>> first_transaction_time(const WalRoute& route) {
  DR_TRY(const auto first,
         find_first(route, {.from = route.branch_point(),
                            .may_hold = [](const WalSummary& s) { return s.first_time.has_value(); },
                            .matches = is_transaction_end}));
  if (!first) return std::optional<Instant>();
  return std::optional<Instant>(first->time);
}

// nullopt: nothing held tells.
Result<std::optional<Instant>> find_birth(const WalRoute& route) {
  const Timeline timeline = route.target();
  const Lsn begin = route.branch_point();
  // Nothing much can be written before the record that ends recovery.
  const Lsn near = route.segment_size().floor(begin) + 2 * route.segment_size().bytes;
  const auto has_it = [&](const WalSummary& summary) {
    return std::any_of(summary.marks.begin(), summary.marks.end(),
                       [&](const WalEvent& mark) { return is_birth_of(timeline, mark); });
  };
  DR_TRY(const auto birth,
         find_first(route,
                    {.from = begin, .to = near, .may_hold = has_it, .matches = [&](const WalEvent& event) {
                       return is_birth_of(timeline, event);
                     }}));
  if (birth && birth->kind == WalEvent::Kind::kEndOfRecovery) return std::optional(birth->time);
  DR_TRY(auto first, first_transaction_time(route));
  if (!birth) return first;
  // A checkpoint's time is cut to the second: it was born in that second, before its first transaction ended.
  const Instant latest = birth->time + (1s - 1us);
  return std::optional(std::min(first.value_or(latest), latest));
}

bool holds_own_records(const WalRoute& route) {
  const auto& held = route.held();
  return !held.empty() && held.back().to > route.branch_point();
}

// The part of `other` that is not on the way to `chosen`.
Lsn leaves_way(const WalRoute& other, const WalRoute& chosen) {
  return chosen.leaves(other.target()).value_or(other.branch_point());
}

std::string until_when(const WalEnding& ending) {
  return ending.last_commit ? "until " + to_rfc3339(*ending.last_commit) : "without a commit";
}

}  // namespace

Result<Timelines> Timelines::load(const Catalog& catalog) {
  Timelines out(catalog);
  std::set<Timeline> numbers;
  for (const LogRange& range : catalog.log->ranges()) numbers.insert(range.branch);
  for (const Timeline number : numbers) {
    const WalRoute route = WalRoute::to(catalog, number);
    if (!holds_own_records(route)) continue;
    HeldTimeline held{number, {}};
    if (!out.all_.empty()) {
      DR_TRY(held.born, find_birth(route));
      // Its beginning is not held, and nothing happened in it: it is not older than the one before it.
      if (!held.born) held.born = out.all_.back().born;
    }
    out.all_.push_back(held);
  }
  return out;
}

bool Timelines::holds(Timeline timeline) const {
  return std::any_of(all_.begin(), all_.end(),
                     [&](const HeldTimeline& held) { return held.timeline == timeline; });
}

Result<HeldTimeline> Timelines::youngest() const {
  if (!all_.empty()) return all_.back();
  return Error{
      Errc::kNotFound, fmt::format("no WAL of {} is held", catalog_->datastore),
      "a snapshot needs the WAL that was written while it was taken: run 'daruma serve' or 'daruma backup'"};
}

Result<HeldTimeline> Timelines::live_at(Instant instant) const {
  DR_OK(youngest());
  HeldTimeline live = all_.front();
  for (const HeldTimeline& held : all_)
    if (held.born && *held.born <= instant && (!live.born || *held.born >= *live.born)) live = held;
  return live;
}

Status Timelines::check_unrivalled(const HeldTimeline& chosen, std::optional<Instant> until) const {
  if (!chosen.born) return {};
  const Instant born = *chosen.born;
  const WalRoute way = WalRoute::to(*catalog_, chosen.timeline);
  std::string rivals;
  for (const HeldTimeline& other : all_) {
    if (other.timeline >= chosen.timeline) continue;
    const WalRoute route = WalRoute::to(*catalog_, other.timeline);
    const Lsn from = leaves_way(route, way);
    DR_TRY(const auto later,
           find_first(route,
                      {.from = from,
                       .may_hold = [&](const WalSummary& s) { return s.last_time && *s.last_time > born; },
                       .matches =
                           [&](const WalEvent& event) {
                             return event.kind == WalEvent::Kind::kCommit && event.time > born &&
                                    (!until || event.time <= *until);
                           }}));
    if (!later) continue;
    DR_TRY(const auto ending, read_ending(route, later->start, route.span_at(later->start)->to));
    rivals += fmt::format("timeline {} {}, ", other.timeline, until_when(ending));
  }
  if (rivals.empty()) return {};
  return Error{Errc::kRefused,
               fmt::format("several timelines of {} lived at the same time: {}timeline {} since {}",
                           catalog_->datastore, rivals, chosen.timeline, to_rfc3339(born)),
               "say which one is meant: --timeline N"};
}

std::string name_timelines(const std::vector<HeldTimeline>& timelines) {
  std::string out = timelines.size() == 1 ? "timeline " : "timelines ";
  for (size_t i = 0; i < timelines.size(); ++i) {
    if (i > 0) out += i + 1 == timelines.size() ? " and " : ", ";
    out += std::to_string(timelines[i].timeline);
  }
  return out;
}

}  // namespace daruma::postgres
