#include "datastore/postgres/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/size.h"
#include "datastore/postgres/control_file.h"
#include "datastore/postgres/settings.h"
#include "datastore/postgres/wal_summary.h"

namespace daruma::postgres {
namespace {

constexpr uint64_t kUnsyncedMax = 1 * kMiB;
constexpr Duration kConnectWithin = std::chrono::seconds(10);

// No retry cures these.
bool is_final(const Error& error) {
  return error.code == Errc::kRefused || error.code == Errc::kCorrupt || error.code == Errc::kInvalid;
}

}  // namespace

// One connection's life: find the place, stream, follow timelines.
struct Capture::Session {
  Session(Capture& capture_in, std::unique_ptr<ReplicationConnection> connection_in)
      : capture(capture_in), connection(std::move(connection_in)) {}

  Capture& capture;
  std::unique_ptr<ReplicationConnection> connection;
  ServerIdentity server;
  SegmentSize segment_size;
  Timeline timeline = 0;
  Lsn appended;
  Lsn synced;
  Lsn held_end;            // of the log when the session began
  bool holds_any = false;  // of this timeline: before its first byte there is no position to report
  MonoInstant last_report;

  LogWriter& writer() { return *capture.writer_; }
  const Options& options() { return capture.options_; }

  Status greet() {
    DR_TRY(server, connection->identify());
    const auto expected = options().system_identifier;
    if (expected && *expected != server.system_identifier)
      return Error{
          Errc::kRefused,
          fmt::format("the server's system identifier is {}, and datastore '{}' in this repository is of {}",
                      server.system_identifier, options().datastore, *expected),
          "this is another database cluster: give it a datastore name of its own, or correct the connection"};
    DR_TRY(segment_size, read_segment_size(*connection));
    DR_TRY(const std::string level, connection->show("synchronous_commit"));
    if (level == "remote_apply")
      return Error{
          Errc::kRefused,
          "synchronous_commit is remote_apply, and a repository applies nothing: commits would wait for ever",
          "ALTER SYSTEM SET synchronous_commit = 'on'; SELECT pg_reload_conf();"};
    return {};
  }

  Result<SlotInfo> ensure_slot() {
    DR_TRY(SlotInfo slot, connection->read_slot(options().slot));
    if (slot.exists) return slot;
    DR_OK(connection->create_slot(options().slot, false));
    options().on_event({CaptureEvent::Kind::kSlotCreated, server.timeline, {}, {}, options().slot});
    return connection->read_slot(options().slot);
  }

  // Where to go on, from what the repository holds.
  Result<StreamRequest> find_place(const SlotInfo& slot) {
    if (const auto end = writer().end()) {
      holds_any = true;
      timeline = end->branch;
      held_end = {end->position};
      if (end->branch > server.timeline)
        return Error{Errc::kRefused,
                     fmt::format("the server is on timeline {}, and the log has gone on to timeline {}: an "
                                 "old server came back",
                                 server.timeline, end->branch),
                     "stop one of the two; to go back to the old one, give it a datastore name of its own"};
      return StreamRequest{options().slot, end->branch, {end->position}};
    }
    LogStream stream{options().datastore, server.system_identifier};
    DR_TRY(const auto log, LogReader::open(capture.repository_, stream));
    const LogRange* newest = nullptr;
    for (const LogRange& range : log->ranges())
      if (range.branch <= server.timeline) newest = &range;
    if (newest) {
      holds_any = true;
      timeline = newest->branch;
      held_end = {newest->to};
    }
    if (newest)  // a short piece is streamed again from its start: pieces begin at boundaries
      return StreamRequest{options().slot, newest->branch, segment_size.floor({newest->to})};
    const Lsn start = slot.restart.is_none() ? server.flushed : slot.restart;
    return StreamRequest{options().slot, server.timeline, segment_size.floor(start)};
  }

  // Stores the history of the server's timeline; where it leaves the timeline asked for, if that is an
  // ancestor.
  Result<std::optional<TimelineAncestor>> store_history(Timeline ancestor_of_server) {
    if (server.timeline == 1) return std::optional<TimelineAncestor>{};
    DR_TRY(const std::string text, connection->timeline_history(server.timeline));
    DR_OK(writer().put_history(server.timeline, as_bytes(text)));
    DR_TRY(const auto ancestors, parse_history(text));
    for (const TimelineAncestor& ancestor : ancestors)
      if (ancestor.timeline == ancestor_of_server) return std::optional(ancestor);
    return std::optional<TimelineAncestor>{};
  }

  // Moves `place` to the server's timeline if its own is already at its end there.
  Status leave_old_timeline(StreamRequest& place) {
    DR_TRY(const auto left, store_history(place.timeline));
    if (place.timeline == server.timeline) return {};
    if (!left)
      return Error{Errc::kRefused,
                   fmt::format("the log is on timeline {}, which is no ancestor of the server's timeline {}",
                               place.timeline, server.timeline),
                   "this server has another past: give it a datastore name of its own"};
    if (held_end < left->left_at) return {};  // its rest is streamed first
    return begin_timeline(place, server.timeline, left->left_at);
  }

  Status begin_timeline(StreamRequest& place, Timeline next, Lsn switched_at) {
    DR_OK(writer().close_piece());
    place = {options().slot, next, segment_size.floor(switched_at)};
    options().on_event({CaptureEvent::Kind::kTimelineSwitched, next, switched_at, {}, {}});
    return {};
  }

  // The server no longer has the WAL at `place`: says so, and goes on from what it has.
  Status jump_gap(StreamRequest& place) {
    DR_OK(writer().close_piece());
    const Status dropped = connection->drop_slot(options().slot);
    if (!dropped.ok() && !dropped.is(Errc::kNotFound)) return dropped;
    DR_TRY(const SlotInfo slot, ensure_slot());
    const Lsn from = std::max(place.start, appended);
    place = {options().slot, server.timeline,
             segment_size.floor(slot.restart.is_none() ? server.flushed : slot.restart)};
    holds_any = false;
    options().on_event({CaptureEvent::Kind::kGap, place.timeline, from, place.start,
                        "the server has removed WAL that was not yet captured; a new snapshot is needed"});
    return {};
  }

  Status start_at(StreamRequest& place) {
    Status started = connection->start_streaming(place);
    if (started.is(Errc::kNotFound)) {
      DR_OK(jump_gap(place));
      started = connection->start_streaming(place);
    }
    DR_OK(started);
    if (place.timeline != timeline) holds_any = false;
    timeline = place.timeline;
    appended = synced = place.start;
    return {};
  }

  Status run(std::stop_token stop) {
    DR_TRY(const SlotInfo slot, ensure_slot());
    DR_TRY(StreamRequest place, find_place(slot));
    DR_OK(leave_old_timeline(place));
    DR_OK(start_at(place));
    capture.set_state(CaptureStatus::State::kStreaming, "");
    options().on_event({CaptureEvent::Kind::kStreaming, place.timeline, place.start, {}, {}});
    DR_OK(make_safe());
    while (!stop.stop_requested()) {
      auto received = connection->receive(Deadline{last_report + options().status_every});
      if (received.is(Errc::kNotFound)) {  // streaming begins before the server looks for the WAL
        DR_OK(jump_gap(place));
        DR_OK(start_at(place));
        continue;
      }
      DR_TRY(const StreamMessage message, std::move(received));
      if (const auto* wal = std::get_if<WalData>(&message)) {
        DR_OK(take(*wal));
      } else if (const auto* keepalive = std::get_if<Keepalive>(&message)) {
        capture.status_.lock()->server_end = keepalive->server_end;
        if (keepalive->reply_requested) DR_OK(make_safe());
      } else if (const auto* end = std::get_if<EndOfTimeline>(&message)) {
        DR_OK(make_safe_locally());
        DR_TRY(server, connection->identify());
        DR_TRY(const auto left, store_history(place.timeline));
        if (!left)
          return Error{Errc::kUnavailable, "the new timeline's history does not name the one that ended"};
        DR_OK(begin_timeline(place, end->next_timeline, end->next_start));
        DR_OK(start_at(place));
      } else {
        DR_OK(make_safe());
      }
    }
    return make_safe();
  }

  Status take(const WalData& wal) {
    if (wal.start != appended)
      return Error{Errc::kUnavailable, fmt::format("the server sent WAL from {} where {} was due",
                                                   to_string(wal.start), to_string(appended))};
    DR_OK(keep(writer().append(timeline, wal.start.value, wal.bytes)));
    appended = appended + wal.bytes.size();
    holds_any = true;
    capture.status_.lock()->server_end = wal.server_end;
    DR_TRY(const bool more, connection->message_waiting());
    if (more && appended - synced < kUnsyncedMax) return {};
    return make_safe();
  }

  // A failed writer is dropped and opened again: what is in its tail is no longer known.
  Status keep(Status written) {
    if (!written.ok()) capture.writer_failed_ = true;
    return written;
  }

  Status make_safe_locally() {
    DR_OK(keep(writer().sync()));
    synced = appended;
    if (!holds_any) return {};
    const Instant now = capture.clock_.now();
    auto status = capture.status_.lock();
    status->timeline = timeline;
    status->flushed = appended;
    if (appended >= status->server_end) status->caught_up = now;
    return {};
  }

  // Durable first, reported second: the order that everything rests on.
  Status make_safe() {
    DR_OK(make_safe_locally());
    DR_OK(connection->report_flushed(holds_any ? appended : Lsn{}, capture.clock_.now(), false));
    last_report = capture.clock_.mono();
    return {};
  }
};

Capture::Capture(ReplicationServer& server, Repository& repository, Clock& clock, Options options)
    : server_(server), repository_(repository), clock_(clock), options_(std::move(options)) {}
Capture::~Capture() = default;

CaptureStatus Capture::status() const { return *status_.lock(); }

void Capture::set_state(CaptureStatus::State state, const std::string& problem) {
  const Instant now = clock_.now();
  auto status = status_.lock();
  if (status->state != state) status->since = now;
  status->state = state;
  status->problem = problem;
}

Status Capture::open_writer(uint64_t system_identifier, SegmentSize segment_size) {
  if (writer_failed_) writer_.reset();
  writer_failed_ = false;
  if (writer_) return {};
  // Shared: std::function must be copyable, and the summarizer keeps a parser.
  auto summarizer = std::make_shared<WalSummarizer>(segment_size);
  LogWriter::Options options;
  options.stream = {options_.datastore, system_identifier};
  options.receiver = options_.receiver;
  options.piece_bytes = std::min(segment_size.bytes, kPieceMax);
  options.seal_in_background = options_.seal_in_background;
  options.summarize = [summarizer](Branch timeline, uint64_t position, BytesView bytes) {
    return (*summarizer)(timeline, position, bytes);
  };
  auto writer = LogWriter::open(repository_, std::move(options));
  if (!writer.ok()) {
    writer_failed_ = true;
    return writer.error();
  }
  writer_ = *std::move(writer);
  return {};
}

Status Capture::session(std::stop_token stop) {
  auto connected = server_.connect(clock_.after(kConnectWithin));
  if (!connected.ok()) return connected.error();
  Session session(*this, *std::move(connected));
  const std::stop_callback interrupt(stop, [&] { session.connection->interrupt(); });
  DR_OK(session.greet());
  {
    auto status = status_.lock();
    status->system_identifier = session.server.system_identifier;
    ++status->connects;
  }
  DR_OK(open_writer(session.server.system_identifier, session.segment_size));
  session.last_report = clock_.mono();
  return session.run(stop);
}

Status Capture::run(std::stop_token stop) {
  Duration backoff = options_.first_backoff;
  set_state(CaptureStatus::State::kConnecting, "");
  while (!stop.stop_requested()) {
    const uint64_t flushed_before = status().flushed.value;
    Status ended = session(stop);
    if (stop.stop_requested()) break;
    DR_CHECK(!ended.ok());
    if (is_final(ended.error())) {
      set_state(CaptureStatus::State::kStopped, ended.error().what);
      return ended;
    }
    const auto state = writer_failed_ ? CaptureStatus::State::kStalled : CaptureStatus::State::kConnecting;
    const CaptureStatus before = status();
    set_state(state, ended.error().what);
    if (before.state != state || before.problem.empty())
      options_.on_event({writer_failed_ ? CaptureEvent::Kind::kStalled : CaptureEvent::Kind::kDisconnected,
                         before.timeline,
                         before.flushed,
                         {},
                         ended.error().what});
    if (status().flushed.value > flushed_before) backoff = options_.first_backoff;
    std::array<std::byte, 1> jitter;
    repository_.random().fill(jitter);
    clock_.pause(backoff + backoff * std::to_integer<int>(jitter[0]) / 1024, stop);
    backoff = std::min(backoff * 2, options_.longest_backoff);
  }
  set_state(CaptureStatus::State::kStopped, "");
  return {};
}

}  // namespace daruma::postgres
