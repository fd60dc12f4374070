#include "datastore/postgres/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/size.h"
#include "datastore/postgres/capture_place.h"
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
  TimelineWay way;
  SegmentSize segment_size;
  Timeline timeline = 0;
  Lsn appended;
  Lsn synced;
  bool holds_any = false;  // of this timeline: before its first byte there is no position to report
  MonoInstant last_report;

  LogWriter& writer() { return *capture.writer_; }
  const Options& options() { return capture.options_; }
  LogStream stream() { return {options().datastore, server.system_identifier}; }

  Status greet() {
    DR_TRY(server, connection->identify());
    // Without one given, the first server seen is the one: the open writer is of its log.
    const uint64_t seen = capture.status().system_identifier;
    const auto expected = seen != 0 ? std::optional(seen) : options().system_identifier;
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

  // Stores the histories of the server's timeline and its ancestors, and takes the way from them.
  Status learn_way() {
    way = {server.timeline, {}};
    if (server.timeline == 1) return {};
    DR_TRY(const std::string text, connection->timeline_history(server.timeline));
    DR_OK(keep(writer().put_history(server.timeline, as_bytes(text))));
    DR_TRY(way.ancestors, parse_history(text));
    for (const TimelineAncestor& ancestor : way.ancestors) {
      if (ancestor.timeline == 1) continue;
      const auto older = connection->timeline_history(ancestor.timeline);
      if (older.is(Errc::kNotFound))
        continue;  // the server has dropped it, and its children name what it says
      DR_OK(older);
      DR_OK(keep(writer().put_history(ancestor.timeline, as_bytes(*older))));
    }
    return {};
  }

  Status check_not_outlived(const LogReader& log) {
    Timeline newest = log.ranges().empty() ? 0 : log.ranges().back().branch;
    if (!log.histories().empty()) newest = std::max(newest, log.histories().rbegin()->first);
    if (newest <= server.timeline) return {};
    return Error{Errc::kRefused,
                 fmt::format("the server is on timeline {}, and the log has gone on to timeline {}: an "
                             "old server came back",
                             server.timeline, newest),
                 "stop one of the two; to go back to the old one, give it a datastore name of its own"};
  }

  // Where to go on, from what the repository holds.
  Result<CapturePlace> find_place(const SlotInfo& slot) {
    // Damage elsewhere in the log is no reason to capture nothing; `verify` tells of it.
    DR_TRY(const auto log,
           LogReader::open(capture.repository_, stream(), [](const std::string&, const Error&) {}));
    DR_OK(check_not_outlived(*log));
    if (!log->ranges().empty()) timeline = log->ranges().back().branch;
    CapturePlace place = postgres::find_place(log->ranges(), way, slot, server.flushed, segment_size);
    if (const auto end = writer().end(); end && way.has(end->branch))
      place = {end->branch, {end->position}, {end->position}};
    return leave_ended_timelines(place, way, segment_size);
  }

  // What is open may be of another place, or of a timeline that the server was recovered away from.
  Status close_what_does_not_go_on(const CapturePlace& place) {
    const auto end = writer().end();
    if (!end || (end->branch == place.timeline && end->position == place.start.value)) return {};
    return keep(writer().close_piece());
  }

  // The server no longer has the WAL at the place wanted: says so, and goes on from what it has.
  Status jump_gap(const SlotInfo& slot) {
    const CapturePlace wanted{timeline, appended, {}};
    CapturePlace next = place_of_slot(way, slot, server.flushed, segment_size);
    if (slot.restart.is_none() || !goes_beyond(next, wanted)) {
      const Status dropped = connection->drop_slot(options().slot);
      if (!dropped.ok() && !dropped.is(Errc::kNotFound)) return dropped;
      DR_TRY(const SlotInfo fresh, ensure_slot());
      next = place_of_slot(way, fresh, server.flushed, segment_size);
    }
    if (!goes_beyond(next, wanted))
      return Error{
          Errc::kUnavailable,
          fmt::format("the server has no WAL at {} of timeline {}, and its new slot keeps none behind it",
                      to_string(wanted.start), wanted.timeline)};
    options().on_event({CaptureEvent::Kind::kGap, next.timeline, wanted.start, next.start,
                        "the server has removed WAL that was not yet captured; a new snapshot is needed"});
    return start_at(next);
  }

  static bool goes_beyond(const CapturePlace& next, const CapturePlace& wanted) {
    return next.timeline > wanted.timeline || next.start > wanted.start;
  }

  Status start_at(const CapturePlace& place) {
    DR_OK(close_what_does_not_go_on(place));
    if (timeline != 0 && timeline < place.timeline)
      options().on_event({CaptureEvent::Kind::kTimelineSwitched,
                          place.timeline,
                          std::max(place.start, way.begins_of(place.timeline)),
                          {},
                          {}});
    timeline = place.timeline;
    holds_any = !place.held_to.is_none();
    appended = synced = place.start;
    return connection->start_streaming({options().slot, place.timeline, place.start});
  }

  Status run(std::stop_token stop) {
    DR_TRY(const SlotInfo slot, ensure_slot());
    DR_OK(learn_way());
    DR_TRY(const CapturePlace place, find_place(slot));
    Status started = start_at(place);
    if (started.is(Errc::kNotFound)) started = jump_gap(slot);
    DR_OK(started);
    // After a stall it is well again when the repository has taken something, not when the server is back.
    if (capture.status().state != CaptureStatus::State::kStalled) say_streaming();
    DR_OK(make_safe());
    while (!stop.stop_requested()) {
      auto message = connection->receive(Deadline{last_report + options().status_every});
      if (message.is(Errc::kNotFound)) {  // a server finds out only when it reads
        DR_OK(jump_gap(slot));
        continue;
      }
      DR_OK(message);
      DR_OK(handle(*message));
    }
    return make_safe();
  }

  Status handle(const StreamMessage& message) {
    if (const auto* wal = std::get_if<WalData>(&message)) return take(*wal);
    if (std::holds_alternative<EndOfTimeline>(message)) return follow_server();
    if (const auto* keepalive = std::get_if<Keepalive>(&message)) {
      capture.status_.lock()->server_end = keepalive->server_end;
      if (!keepalive->reply_requested) return {};
    }
    DR_OK(make_safe());
    // A server that waits for what could not be taken sends keepalives all the same.
    const CaptureStatus now = capture.status();
    if (now.state != CaptureStatus::State::kStalled || appended >= now.server_end) say_streaming();
    return {};
  }

  // It may have gone on by more than one timeline: each is followed to its end.
  Status follow_server() {
    DR_OK(make_safe_locally());
    DR_TRY(server, connection->identify());
    DR_OK(learn_way());
    const CapturePlace next = leave_ended_timelines({timeline, appended, appended}, way, segment_size);
    if (next.timeline == timeline)
      return Error{Errc::kUnavailable, "the new timeline's history does not name the one that ended"};
    return start_at(next);
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
    DR_OK(make_safe());
    say_streaming();
    return {};
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

  void say_streaming() {
    if (capture.status().state == CaptureStatus::State::kStreaming) return;
    capture.set_state(CaptureStatus::State::kStreaming, "");
    options().on_event({CaptureEvent::Kind::kStreaming, timeline, appended, {}, {}});
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
    status->server_end = session.server.flushed;
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
