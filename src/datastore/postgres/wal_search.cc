#include "datastore/postgres/wal_search.h"

#include <algorithm>

#include "datastore/postgres/wal_parser.h"

namespace daruma::postgres {
namespace {

// Reads segments of a route one by one. Going forward, a record that spans two of them is read once; after a
// jump, reading starts far enough before the segment to know the record that it begins inside.
class WalCursor {
 public:
  WalCursor(const WalRoute& route, bool any_record) : route_(route), any_record_(any_record) {}

  // Gives `sink` the records that end in the held part of the segment that starts at `segment`.
  Status read(Lsn segment, const WalParser::Sink& sink) {
    if (!parser_ || parser_->position() != segment) DR_OK(jump_to(segment));
    sink_ = &sink;
    Status status = feed(segment);
    sink_ = nullptr;
    if (!status.ok()) parser_.reset();
    return status;
  }

 private:
  uint64_t segment_bytes() const { return route_.segment_size().bytes; }

  void start_at(Lsn segment) {
    const WalParser::Options options{.segment_size = route_.segment_size(), .report_other = any_record_};
    parser_.emplace(options, segment, [this](const WalEvent& event) {
      if (sink_) (*sink_)(event);
    });
  }

  Status feed(Lsn segment) {
    const WalRoute::Span* span = route_.span_at(segment);
    DR_CHECK(span);
    const Lsn end = std::min(segment + segment_bytes(), span->to);
    for (Lsn at = segment; at < end;) {
      const uint64_t size = std::min<uint64_t>(end - at, kPieceMax);
      DR_TRY(const Bytes bytes, route_.read(at, size));
      DR_OK(parser_->feed(bytes));
      at = at + size;
    }
    return {};
  }

  Result<bool> begins_inside_record(Lsn segment) {
    constexpr uint64_t kPage = 8192;
    DR_TRY(const Bytes page,
           route_.read(segment, std::min<uint64_t>(kPage, route_.span_at(segment)->to - segment)));
    start_at(segment);
    if (!parser_->feed(page).ok()) return false;  // reading the segment will tell what is wrong
    return parser_->first_record_skipped();
  }

  Status jump_to(Lsn segment) {
    DR_TRY(const bool inside, begins_inside_record(segment));
    const Lsn held_from = route_.span_at(segment)->from;
    for (Lsn begin = segment; inside && begin.value >= held_from.value + segment_bytes();) {
      begin = {begin.value - segment_bytes()};
      start_at(begin);
      const Status status = feed_until(segment, begin);
      if (status.is(Errc::kCorrupt)) break;  // then the record is lost with what is damaged
      DR_OK(status);
      const bool record_known = !parser_->last_record_end().is_none() || !parser_->first_record_skipped();
      if (record_known) return {};
    }
    start_at(segment);
    return {};
  }

  Status feed_until(Lsn segment, Lsn begin) {
    for (Lsn at = begin; at < segment; at = at + segment_bytes()) DR_OK(feed(at));
    return {};
  }

  const WalRoute& route_;
  bool any_record_;
  const WalParser::Sink* sink_ = nullptr;
  std::optional<WalParser> parser_;
};

// Parsing can only start where a segment does.
Lsn first_segment(const WalRoute& route, const WalRoute::Span& span, Lsn from) {
  const SegmentSize size = route.segment_size();
  return std::max(size.floor(span.from + (size.bytes - 1)), size.floor(from));
}

// Visits matching records until `enough` says so.
Status visit(const WalRoute& route, const WalSearch& search, std::vector<WalDamage>* damage,
             const std::function<bool()>& enough, const WalParser::Sink& found) {
  WalCursor cursor(route, search.any_record);
  const auto sink = [&](const WalEvent& event) {
    if (search.from <= event.start && event.start < search.to && search.matches(event)) found(event);
  };
  for (const WalRoute::Span& span : route.held()) {
    const Lsn end = std::min(span.to, search.to);
    for (Lsn at = first_segment(route, span, search.from); at < end; at = at + route.segment_size().bytes) {
      if (search.may_hold) {
        const auto summary = route.summary(at);
        if (summary && !search.may_hold(*summary)) continue;
      }
      Status status = cursor.read(at, sink);
      if (enough()) return {};
      if (status.is(Errc::kCorrupt) && damage)
        damage->push_back({at, std::move(status).error()});
      else
        DR_OK(status);
    }
  }
  return {};
}

}  // namespace

bool is_transaction_end(const WalEvent& event) {
  return event.kind == WalEvent::Kind::kCommit || event.kind == WalEvent::Kind::kAbort;
}

Result<std::optional<WalEvent>> find_first(const WalRoute& route, const WalSearch& search,
                                           std::vector<WalDamage>* damage) {
  std::optional<WalEvent> first;
  DR_OK(visit(
      route, search, damage, [&] { return first.has_value(); },
      [&](const WalEvent& event) {
        if (!first) first = event;
      }));
  return first;
}

Result<std::vector<WalEvent>> find_all(const WalRoute& route, const WalSearch& search) {
  std::vector<WalEvent> all;
  DR_OK(visit(
      route, search, nullptr, [] { return false; }, [&](const WalEvent& event) { all.push_back(event); }));
  return all;
}

Result<WalEnding> read_ending(const WalRoute& route, Lsn from, Lsn to) {
  const SegmentSize size = route.segment_size();
  WalEnding ending;
  if (to <= from) return ending;
  const Lsn first = size.floor(from);
  for (Lsn at = size.floor({to.value - 1}); at >= first; at = {at.value - size.bytes}) {
    const bool record_wanted = !ending.last_record;
    const auto summary = record_wanted ? std::nullopt : route.summary(at);
    if (!summary || summary->commits > 0) {
      WalCursor cursor(route, record_wanted);
      DR_OK(cursor.read(at, [&](const WalEvent& event) {
        if (event.start < from || event.start >= to) return;
        if (record_wanted) ending.last_record = event.start;
        if (event.kind == WalEvent::Kind::kCommit)
          ending.last_commit = std::max(ending.last_commit.value_or(event.time), event.time);
      }));
    }
    if ((ending.last_record && ending.last_commit) || at == first) break;
  }
  return ending;
}

}  // namespace daruma::postgres
