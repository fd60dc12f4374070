// datastore/postgres/wal_story.h: for tests, a server's life told in verbs (commit, promote, go back), and
// the log and snapshots that a repository would hold of it.
//
// Method:  WAL of 1 MiB segments by WalTestBuilder; every segment a piece, sealed with its summary when
//          another follows.
// Threads: one at a time.
#pragma once

#include <map>
#include <set>

#include "datastore/postgres/points.h"
#include "datastore/postgres/wal_test_builder.h"

namespace daruma::postgres {

// A log in memory.
class FakeLog final : public LogReader {
 public:
  const std::vector<LogRange>& ranges() const override { return ranges_; }
  const std::vector<Piece>& pieces() const override { return pieces_; }
  const std::map<Branch, std::string>& histories() const override { return histories_; }

  std::optional<uint64_t> end_of(Branch branch, uint64_t position) const override {
    for (const LogRange& range : ranges_)
      if (range.branch == branch && range.from <= position && position < range.to) return range.to;
    return std::nullopt;
  }
  Result<Bytes> read(Branch branch, uint64_t position, uint64_t size) const override {
    const auto end = end_of(branch, position);
    if (!end || position + size > *end) return Error{Errc::kNotFound, "not held"};
    segments_read.insert({branch, position >> 20});
    const auto& [start, bytes] = bytes_.at(branch);
    return to_bytes(BytesView(bytes).subspan(position - start, size));
  }
  Result<std::string> summary(const Piece& piece) const override {
    const auto found = summaries_.find({piece.branch, piece.from});
    if (found == summaries_.end()) return Error{Errc::kNotFound, "a tail"};
    return found->second;
  }

  // Holds `bytes` from `start` on, but for the segments in `missing`.
  void hold(Timeline timeline, Lsn start, Bytes bytes, const std::set<uint64_t>& missing, bool restarts) {
    std::optional<WalSummarizer> summarize(SegmentSize{1 << 20});
    const uint64_t end = start.value + bytes.size();
    for (uint64_t from = start.value; from < end;) {
      const uint64_t to = std::min(from + (1 << 20), end);
      if (restarts) summarize.emplace(SegmentSize{1 << 20});
      const std::string told =
          (*summarize)(timeline, from, BytesView(bytes).subspan(from - start.value, to - from));
      if (!missing.contains(from >> 20)) add_piece(timeline, from, to, to < end, told);
      from = to;
    }
    bytes_[timeline] = {start.value, std::move(bytes)};
  }
  void spoil(Timeline timeline, Lsn at) {
    auto& [start, bytes] = bytes_.at(timeline);
    bytes[at.value - start] ^= std::byte{0x40};
  }

  mutable std::set<std::pair<Timeline, uint64_t>> segments_read;

 private:
  void add_piece(Timeline timeline, uint64_t from, uint64_t to, bool sealed, const std::string& told) {
    pieces_.push_back({timeline, from, to, "piece", sealed});
    if (sealed) summaries_[{timeline, from}] = told;
    if (!ranges_.empty() && ranges_.back().branch == timeline && ranges_.back().to == from)
      ranges_.back().to = to;
    else
      ranges_.push_back({timeline, from, to});
  }

  std::vector<LogRange> ranges_;
  std::vector<Piece> pieces_;
  std::map<Branch, std::string> histories_;
  std::map<std::pair<Timeline, uint64_t>, std::string> summaries_;
  std::map<Timeline, std::pair<uint64_t, Bytes>> bytes_;
};

// 10:00 on the day of the story, and so on.
inline Instant at(int hour, int minute, int second = 0, int micros = 0) {
  constexpr int64_t kMidnight = 1'795'305'600;  // 2026-11-22T00:00:00Z
  return {(kMidnight + hour * 3600 + minute * 60 + second) * 1'000'000 + micros};
}

class WalStory {
 public:
  struct Moment {
    WalTestBuilder wal;  // as it was
    Timeline timeline = 0;
  };

  WalStory() {
    wal_.other(100);
    logs_[1].start = wal_.position().value & ~0xFFFFFull;
  }

  // What happens on the server. Each returns where its record starts.
  Lsn commit(uint32_t xid, Instant time) { return wal_.commit(xid, time); }
  Lsn abort(uint32_t xid, Instant time) { return wal_.abort(xid, time); }
  Lsn restore_point(std::string_view name, Instant time) { return wal_.restore_point(name, time); }
  Lsn work(size_t bytes) { return wal_.other(bytes); }
  Lsn checkpoint(Instant time, Timeline previous) {
    ByteWriter data;
    data.put(wal_.position().value);
    data.put(timeline_);
    data.put(previous);
    data.put_bytes(Bytes(48));  // next and oldest ids
    data.put(static_cast<uint64_t>(time.micros / 1'000'000));
    data.put_bytes(Bytes(16));
    return wal_.record(0, 0x10, 0, WalTestBuilder::main_data(data.view()));
  }
  void next_segment() { wal_.switch_segment(); }
  void fill_until(uint64_t left) { wal_.fill_page_until(left); }  // left: of the page
  uint64_t room_in_segment() const { return wal_.segment_left(); }
  Lsn position() const { return wal_.position(); }

  // What Daruma does: a snapshot whose WAL is one record.
  void snapshot(Instant started, Instant ended) {
    Snapshot snapshot;
    snapshot.meta.timeline = timeline_;
    snapshot.meta.start = wal_.other(200);
    snapshot.meta.end = wal_.position();
    snapshot.meta.started = started;
    snapshot.meta.ended = ended;
    snapshot.meta.segment_size = wal_.segment_size();
    snapshots_.push_back(snapshot);
  }
  void snapshot(Instant when) { snapshot(when, when); }

  // A new timeline begins: after all there is, or at an earlier moment.
  Moment here() const { return {wal_, timeline_}; }
  Timeline promote(Instant time) {
    switch_timeline(here());
    ByteWriter data;
    data.put(WalTestBuilder::timestamp(time));
    data.put(timeline_);
    data.put(histories_[timeline_].back().timeline);
    wal_.record(0, 0x90, 0, WalTestBuilder::main_data(data.view()));
    return timeline_;
  }
  Timeline undo_to(const Moment& moment, Instant time) {
    switch_timeline(moment);
    checkpoint(time, histories_[timeline_].back().timeline);
    return timeline_;
  }
  // A split brain: the timeline is written on, as if nothing had happened.
  void go_on_with(Timeline timeline) {
    keep();
    wal_ = *logs_.at(timeline).wal;
    timeline_ = timeline;
  }

  // What the repository lost.
  void lose_segment_of(Lsn lsn) { logs_[timeline_].missing.insert(lsn.value >> 20); }

  // So that its summaries know nothing of the piece before.
  void restart_daruma_before_every_piece() { restarts_ = true; }

  Catalog catalog() {
    keep();
    Catalog catalog;
    catalog.datastore = "bookings";
    catalog.snapshots = snapshots_;
    catalog.segment_size = wal_.segment_size();
    catalog.histories = histories_;
    auto log = std::make_unique<FakeLog>();
    for (const auto& [timeline, kept] : logs_) {
      const uint64_t skipped = kept.start - (1 << 20);
      const Bytes& all = kept.wal->bytes();
      log->hold(timeline, {kept.start}, to_bytes(BytesView(all).subspan(skipped)), kept.missing, restarts_);
    }
    catalog.log = std::move(log);
    return catalog;
  }

 private:
  struct Kept {
    uint64_t start = 1 << 20;
    std::optional<WalTestBuilder> wal;
    std::set<uint64_t> missing;
  };
  void keep() { logs_[timeline_].wal = wal_; }
  void switch_timeline(const Moment& moment) {
    keep();
    wal_ = moment.wal;
    timeline_ = logs_.rbegin()->first + 1;
    const Lsn left{(wal_.position().value + 7) & ~7ull};
    std::vector<TimelineAncestor> history = histories_[moment.timeline];
    history.push_back({moment.timeline, left, "no recovery target specified"});
    histories_[timeline_] = history;
    logs_[timeline_].start = left.value & ~0xFFFFFull;
    wal_.set_timeline(timeline_);
  }

  WalTestBuilder wal_;
  bool restarts_ = false;
  Timeline timeline_ = 1;
  std::map<Timeline, Kept> logs_;
  std::map<Timeline, std::vector<TimelineAncestor>> histories_;
  std::vector<Snapshot> snapshots_;
};

}  // namespace daruma::postgres
