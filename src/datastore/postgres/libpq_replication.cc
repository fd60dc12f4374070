#include "datastore/postgres/libpq_replication.h"

#include <charconv>

#include "fmt/format.h"

namespace daruma::postgres {

namespace {

// No command here waits for more than a lock; a base backup's checkpoint is waited for by next_backup_event.
constexpr Duration kCommandTimeout = 60s;
constexpr int64_t kPostgresEpochMicros = 946'684'800'000'000;  // 2000-01-01T00:00:00Z

// The replication protocol sends integers in network order.
uint64_t load_be64(const std::byte* at) { return __builtin_bswap64(load_le<uint64_t>(at)); }
void put_be64(std::byte* at, uint64_t value) { store_le(at, __builtin_bswap64(value)); }

template <class T>
Result<T> number(const char* text, const std::string& what) {
  const std::string_view digits = text;
  T value{};
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc() || end != digits.data() + digits.size()) {
    return Error{Errc::kFailed, fmt::format("the server's {} '{}' is no number", what, digits)};
  }
  return value;
}

}  // namespace

LibpqReplication::LibpqReplication(std::unique_ptr<Link> link) : link_(std::move(link)), backup_(*link_) {}

Result<ResultHandle> LibpqReplication::row(const std::string& command, const std::string& doing,
                                           int columns) {
  DR_CHECK(mode_ == Mode::kCommands);
  DR_TRY(ResultHandle result, link_->run(command, doing, kCommandTimeout));
  if (PQntuples(result.get()) != 1 || PQnfields(result.get()) < columns) {
    return Error{Errc::kFailed, fmt::format("{}: the server's answer has {} rows of {} columns", doing,
                                            PQntuples(result.get()), PQnfields(result.get()))};
  }
  return result;
}

Result<ServerIdentity> LibpqReplication::identify() {
  DR_TRY(const ResultHandle result, row("IDENTIFY_SYSTEM", "identifying the server", 3));
  ServerIdentity identity;
  DR_TRY(identity.system_identifier, number<uint64_t>(PQgetvalue(result.get(), 0, 0), "system identifier"));
  DR_TRY(identity.timeline, number<Timeline>(PQgetvalue(result.get(), 0, 1), "timeline"));
  DR_TRY(identity.flushed, parse_lsn(PQgetvalue(result.get(), 0, 2)));
  return identity;
}

Result<std::string> LibpqReplication::show(const std::string& setting) {
  DR_TRY(const std::string name, link_->quoted(setting));
  DR_TRY(const ResultHandle result, row("SHOW " + name, fmt::format("reading the setting {}", setting), 1));
  return std::string(PQgetvalue(result.get(), 0, 0));
}

Status LibpqReplication::create_slot(const std::string& name, bool temporary) {
  DR_CHECK(mode_ == Mode::kCommands);
  DR_TRY(const std::string slot, link_->quoted(name));
  const std::string command =
      fmt::format("CREATE_REPLICATION_SLOT {}{} PHYSICAL RESERVE_WAL", slot, temporary ? " TEMPORARY" : "");
  DR_OK(link_->run(command, fmt::format("creating the replication slot '{}'", name), kCommandTimeout));
  return {};
}

Status LibpqReplication::drop_slot(const std::string& name) {
  DR_CHECK(mode_ == Mode::kCommands);
  DR_TRY(const std::string slot, link_->quoted(name));
  DR_OK(link_->run("DROP_REPLICATION_SLOT " + slot, fmt::format("dropping the replication slot '{}'", name),
                   kCommandTimeout));
  return {};
}

Result<SlotInfo> LibpqReplication::read_slot(const std::string& name) {
  DR_TRY(const std::string quoted, link_->quoted(name));
  SlotInfo slot{name, true, {}, 0};
  if (server_version() < 150000) return slot;
  DR_TRY(const ResultHandle result,
         row("READ_REPLICATION_SLOT " + quoted, fmt::format("reading the replication slot '{}'", name), 3));
  slot.exists = !PQgetisnull(result.get(), 0, 0);
  if (!PQgetisnull(result.get(), 0, 1)) {
    DR_TRY(slot.restart, parse_lsn(PQgetvalue(result.get(), 0, 1)));
  }
  if (!PQgetisnull(result.get(), 0, 2)) {
    DR_TRY(slot.restart_timeline, number<Timeline>(PQgetvalue(result.get(), 0, 2), "timeline"));
  }
  return slot;
}

Result<std::string> LibpqReplication::timeline_history(Timeline timeline) {
  DR_TRY(const ResultHandle result, row(fmt::format("TIMELINE_HISTORY {}", timeline),
                                        fmt::format("reading {}", history_name(timeline)), 2));
  return std::string(PQgetvalue(result.get(), 0, 1), static_cast<size_t>(PQgetlength(result.get(), 0, 1)));
}

Status LibpqReplication::start_streaming(const StreamRequest& request) {
  DR_CHECK(mode_ == Mode::kCommands);
  doing_ = fmt::format("streaming WAL from {} of timeline {}", to_string(request.start), request.timeline);
  std::string slot;
  if (!request.slot.empty()) {
    DR_TRY(const std::string quoted, link_->quoted(request.slot));
    slot = fmt::format("SLOT {} ", quoted);
    doing_ += fmt::format(" through slot '{}'", request.slot);
  }
  waiting_.reset();
  nothing_left_.reset();
  const Deadline deadline = link_->clock().after(kCommandTimeout);
  DR_OK(link_->send(fmt::format("START_REPLICATION {}PHYSICAL {} TIMELINE {}", slot, to_string(request.start),
                                request.timeline)));
  Result<ResultHandle> first = link_->next_result(deadline, doing_);
  if (first.ok() && *first && PQresultStatus(first->get()) == PGRES_COPY_BOTH) {
    mode_ = Mode::kStreaming;
    return {};
  }
  if (first.ok() && *first && PQresultStatus(first->get()) == PGRES_TUPLES_OK) {
    DR_TRY(const StreamMessage end, end_of_timeline(first->get()));
    nothing_left_ = std::get<EndOfTimeline>(end);
    mode_ = Mode::kStreaming;
    return {};
  }
  const Status rest = link_->drain(doing_, kCommandTimeout);
  if (!first.ok()) return first.error();
  return rest.ok() ? Error{Errc::kFailed, doing_ + ": the server did not start the stream"} : rest.error();
}

Result<StreamMessage> LibpqReplication::receive(Deadline deadline) {
  DR_CHECK(mode_ == Mode::kStreaming);
  if (nothing_left_) {
    mode_ = Mode::kCommands;
    return StreamMessage(*nothing_left_);
  }
  if (waiting_) {
    DR_OK(link_->check_interrupted());
    message_ = std::move(*waiting_);
    waiting_.reset();
  } else {
    Result<CopyMessage> next = link_->copy_message(deadline, doing_);
    if (!next.ok()) return next.error();
    message_ = *std::move(next);
  }
  switch (message_.kind) {
    case CopyMessage::Kind::kNone:
      return StreamMessage(NothingYet{});
    case CopyMessage::Kind::kData:
      return parse_message();
    case CopyMessage::Kind::kEnd:
      break;
  }
  mode_ = Mode::kCommands;
  return end_stream();
}

Result<StreamMessage> LibpqReplication::parse_message() const {
  constexpr size_t kWalHeader = 1 + 8 + 8 + 8;
  constexpr size_t kKeepalive = 1 + 8 + 8 + 1;
  const BytesView bytes = message_.bytes;
  const auto type = static_cast<char>(bytes.front());
  if (type == 'w' && bytes.size() >= kWalHeader) {
    return StreamMessage(WalData{{load_be64(&bytes[1])}, {load_be64(&bytes[9])}, bytes.subspan(kWalHeader)});
  }
  if (type == 'k' && bytes.size() >= kKeepalive) {
    return StreamMessage(Keepalive{{load_be64(&bytes[1])}, bytes[17] != std::byte{0}});
  }
  return Error{Errc::kFailed, fmt::format("{}: a message of type {:#04x} with {} bytes is unknown", doing_,
                                          type, bytes.size())};
}

// The server ended the COPY: at the end of a timeline, because it shuts down, or because of an error.
Result<StreamMessage> LibpqReplication::end_stream() {
  const Deadline deadline = link_->clock().after(kCommandTimeout);
  Result<ResultHandle> result = link_->next_result(deadline, doing_);
  if (result.ok() && *result && PQresultStatus(result->get()) == PGRES_COPY_IN) {
    DR_OK(link_->end_copy(doing_));
    result = link_->next_result(deadline, doing_);
  }
  if (result.ok() && *result && PQresultStatus(result->get()) == PGRES_TUPLES_OK) {
    return end_of_timeline(result->get());
  }
  const Status rest = link_->drain(doing_, kCommandTimeout);
  if (!result.ok()) return result.error();
  if (!rest.ok()) return rest.error();
  return Error{Errc::kUnavailable, doing_ + ": the server ended the stream; it is shutting down"};
}

Result<StreamMessage> LibpqReplication::end_of_timeline(const PGresult* result) {
  if (PQntuples(result) != 1 || PQnfields(result) < 2) {
    return Error{Errc::kFailed, doing_ + ": the server does not say where the next timeline begins"};
  }
  EndOfTimeline end;
  DR_TRY(end.next_timeline, number<Timeline>(PQgetvalue(result, 0, 0), "timeline"));
  DR_TRY(end.next_start, parse_lsn(PQgetvalue(result, 0, 1)));
  DR_OK(link_->drain(doing_, kCommandTimeout));
  return StreamMessage(end);
}

Result<bool> LibpqReplication::message_waiting() {
  DR_CHECK(mode_ == Mode::kStreaming);
  if (nothing_left_ || waiting_) return true;
  DR_TRY(CopyMessage next, link_->copy_message_now(doing_));
  if (next.kind == CopyMessage::Kind::kNone) return false;
  waiting_ = std::move(next);
  return true;
}

Status LibpqReplication::report_flushed(Lsn flushed, Instant now, bool request_reply) {
  DR_CHECK(mode_ == Mode::kStreaming);
  const bool over = nothing_left_ || (waiting_ && waiting_->kind == CopyMessage::Kind::kEnd);
  if (over) return {};  // no COPY is open to report into; receive() tells why
  std::array<std::byte, 1 + 4 * 8 + 1> status{};
  status[0] = static_cast<std::byte>('r');
  put_be64(&status[1], flushed.value);  // written
  put_be64(&status[9], flushed.value);
  put_be64(&status[17], 0);  // applied: none
  put_be64(&status[25], static_cast<uint64_t>(now.micros - kPostgresEpochMicros));
  status[33] = static_cast<std::byte>(request_reply);
  return link_->put_copy(status, doing_);
}

Status LibpqReplication::start_backup(const std::string& label, bool fast) {
  DR_CHECK(mode_ == Mode::kCommands);
  DR_OK(backup_.start(label, fast));
  mode_ = Mode::kBackup;
  return {};
}

Result<BackupEvent> LibpqReplication::next_backup_event(Deadline deadline) {
  DR_CHECK(mode_ == Mode::kBackup);
  Result<BackupEvent> event = backup_.next(deadline);
  if (backup_.over()) mode_ = Mode::kCommands;
  return event;
}

namespace {

class LibpqServer final : public ReplicationServer {
 public:
  LibpqServer(ConnectionSettings settings, std::string application_name, Clock& clock)
      : options_{std::move(settings), std::move(application_name), true}, clock_(clock) {}

  Result<std::unique_ptr<ReplicationConnection>> connect(Deadline deadline) override {
    DR_TRY(std::unique_ptr<Link> link, Link::connect(options_, clock_, deadline));
    std::unique_ptr<ReplicationConnection> connection = std::make_unique<LibpqReplication>(std::move(link));
    return connection;
  }

 private:
  Link::Options options_;
  Clock& clock_;
};

}  // namespace

std::unique_ptr<ReplicationServer> libpq_replication(ConnectionSettings settings,
                                                     std::string application_name, Clock& clock) {
  return std::make_unique<LibpqServer>(std::move(settings), std::move(application_name), clock);
}

}  // namespace daruma::postgres
