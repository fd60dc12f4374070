#include "datastore/postgres/wal_route.h"

#include <algorithm>

namespace daruma::postgres {
namespace {

void merge(const WalSummary& piece, WalSummary& whole) {
  if (piece.first_time)
    whole.first_time = std::min(whole.first_time.value_or(*piece.first_time), *piece.first_time);
  if (piece.last_time)
    whole.last_time = std::max(whole.last_time.value_or(*piece.last_time), *piece.last_time);
  whole.commits += piece.commits;
  whole.marks.insert(whole.marks.end(), piece.marks.begin(), piece.marks.end());
}

}  // namespace

WalRoute WalRoute::to(const Catalog& catalog, Timeline target) {
  std::vector<Leg> legs;
  Lsn begins;
  if (const auto history = catalog.histories.find(target); history != catalog.histories.end()) {
    for (const TimelineAncestor& ancestor : history->second) {
      legs.push_back({ancestor.timeline, begins, ancestor.left_at});
      begins = ancestor.left_at;
    }
  }
  legs.push_back({target, begins, kNoLimit});
  return {catalog, std::move(legs)};
}

WalRoute WalRoute::only(const Catalog& catalog, Timeline timeline) {
  return {catalog, {{timeline, Lsn{}, kNoLimit}}};
}

WalRoute::WalRoute(const Catalog& catalog, std::vector<Leg> legs)
    : catalog_(&catalog), legs_(std::move(legs)) {
  for (const Leg& leg : legs_) {
    const Lsn begin = segment_size().floor(leg.begins);
    for (const LogRange& range : catalog_->log->ranges()) {
      if (range.branch != leg.timeline) continue;
      const Span span{std::max(begin, Lsn{range.from}), std::min(bytes_end(leg), Lsn{range.to})};
      if (span.from >= span.to) continue;
      if (!held_.empty() && held_.back().to == span.from)
        held_.back().to = span.to;
      else
        held_.push_back(span);
    }
  }
}

Lsn WalRoute::bytes_end(const Leg& leg) const {
  return leg.leaves == kNoLimit ? kNoLimit : segment_size().floor(leg.leaves);
}

Lsn WalRoute::branch_point() const { return legs_.back().begins; }

std::optional<Lsn> WalRoute::leaves(Timeline timeline) const {
  for (const Leg& leg : legs_)
    if (leg.timeline == timeline) return leg.leaves;
  return std::nullopt;
}

const WalRoute::Span* WalRoute::span_at(Lsn at) const {
  for (const Span& span : held_)
    if (span.contains(at)) return &span;
  return nullptr;
}

Timeline WalRoute::holder_of(Lsn at) const {
  for (const Leg& leg : legs_)
    if (at < bytes_end(leg)) return leg.timeline;
  return target();
}

std::vector<WalStretch> WalRoute::stretches(Lsn from, Lsn to) const {
  std::vector<WalStretch> out;
  for (const Leg& leg : legs_) {
    const Lsn end = std::min(bytes_end(leg), to);
    if (from >= end) continue;
    out.push_back({leg.timeline, from, end});
    from = end;
  }
  return out;
}

Result<Bytes> WalRoute::read(Lsn at, uint64_t size) const {
  return catalog_->log->read(holder_of(at), at.value, size);
}

std::optional<WalSummary> WalRoute::summary(Lsn segment) const {
  const Span* span = span_at(segment);
  if (!span) return std::nullopt;
  const Timeline holder = holder_of(segment);
  const uint64_t end = std::min(segment + segment_size().bytes, span->to).value;
  const auto& pieces = catalog_->log->pieces();
  auto piece =
      std::lower_bound(pieces.begin(), pieces.end(), segment, [&](const LogReader::Piece& a, Lsn at) {
        return a.branch < holder || (a.branch == holder && a.from < at.value);
      });
  WalSummary whole;
  uint64_t known_to = segment.value;
  for (; piece != pieces.end() && piece->branch == holder && piece->from < end; ++piece) {
    if (!piece->sealed || piece->from > known_to) return std::nullopt;
    const auto text = catalog_->log->summary(*piece);
    if (!text.ok()) return std::nullopt;  // reading the bytes will tell what is wrong, if they are needed
    const auto summary = parse_summary(*text);
    if (!summary.ok() || summary->damaged || summary->head_unknown) return std::nullopt;
    merge(*summary, whole);
    known_to = std::max(known_to, piece->to);
  }
  if (known_to < end) return std::nullopt;
  return whole;
}

}  // namespace daruma::postgres
