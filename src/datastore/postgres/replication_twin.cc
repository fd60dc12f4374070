#include "datastore/postgres/replication_twin.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "base/guarded.h"
#include "base/size.h"
#include "fmt/format.h"

namespace daruma::postgres {

namespace {

constexpr size_t kServersPieceBytes = 128 * kKiB;
constexpr size_t kArchivePieceBytes = 32 * kKiB;

struct Slot {
  Lsn restart;  // none: its WAL was recycled
  bool temporary = false;
  uint64_t reader = 0;  // the connection that streams through it; 0: none
  uint64_t owner = 0;   // of a temporary slot
};

// What changes while the script is played.
struct Play {
  size_t timeline = 0;  // the newest that exists, as an index into the recording
  Lsn visible_end;
  Lsn recycled_before;
  size_t piece_bytes = kServersPieceBytes;
  std::optional<uint64_t> messages_left;  // until connections break
  std::map<std::string, Slot> slots;
  std::map<std::string, Lsn> reported;
  uint64_t last_connection = 0;
  std::set<uint64_t> connected;  // connections that did not break
};

Error broken() { return {Errc::kUnavailable, "the connection to the scripted server broke"}; }

}  // namespace

struct ReplicationTwin::State {
  explicit State(ServerRecording script) : recording(std::move(script)) {}

  const ServerRecording recording;
  Guarded<Play> play;

  // How far the timeline at `index` was ever written, as far as connections may see.
  Lsn written_end(const Play& now, size_t index) const {
    return index < now.timeline ? recording.timelines[index].switched_at : now.visible_end;
  }
  // Where the newest timeline's recording ends.
  Lsn recorded_end(const Play& now) const {
    const TimelineRecording& timeline = recording.timelines[now.timeline];
    const Lsn held = timeline.start + timeline.wal.size();
    return timeline.switched_at.is_none() ? held : std::min(held, timeline.switched_at);
  }
  // The timeline that `lsn` lies on, among those that exist.
  Timeline timeline_of(const Play& now, Lsn lsn) const {
    size_t index = 0;
    while (index < now.timeline && lsn >= recording.timelines[index].switched_at) ++index;
    return recording.timelines[index].timeline;
  }
  static void disconnect(Play& now, uint64_t connection) {
    now.connected.erase(connection);
    for (auto& [name, slot] : now.slots) {
      if (slot.reader == connection) slot.reader = 0;
    }
    std::erase_if(now.slots, [&](const auto& named) {
      return named.second.temporary && named.second.owner == connection;
    });
  }
  // Counts a message that a connection is about to get; false when connections break instead.
  static bool count_message(Play& now) {
    if (!now.messages_left) return true;
    if (*now.messages_left > 0) {
      --*now.messages_left;
      return true;
    }
    now.messages_left.reset();
    for (const uint64_t connection : std::set(now.connected)) disconnect(now, connection);
    return false;
  }
};

class TwinConnection final : public ReplicationConnection {
 public:
  TwinConnection(ReplicationTwin::State& state, uint64_t id) : state_(state), id_(id) {}
  ~TwinConnection() override { ReplicationTwin::State::disconnect(*state_.play.lock(), id_); }

  Result<ServerIdentity> identify() override;
  int server_version() const override { return state_.recording.server_version; }
  Result<std::string> show(const std::string& setting) override;
  Status create_slot(const std::string& name, bool temporary) override;
  Status drop_slot(const std::string& name) override;
  Result<SlotInfo> read_slot(const std::string& name) override;
  Result<std::string> timeline_history(Timeline timeline) override;
  Status start_streaming(const StreamRequest& request) override;
  Result<StreamMessage> receive(Deadline deadline) override;
  Result<bool> message_waiting() override;
  Status report_flushed(Lsn flushed, Instant now, bool request_reply) override;
  Status start_backup(const std::string& label, bool fast) override;
  Result<BackupEvent> next_backup_event(Deadline deadline) override;
  void interrupt() override { interrupted_ = true; }

 private:
  enum class Mode : uint8_t { kCommands, kStreaming, kBackup };
  struct Backup {
    bool started = false;
    size_t tablespace = 0;
    bool announced = false;
    size_t at = 0;  // in the archive
  };

  Status usable(Play& now) const;
  Status command(Play& now) const;
  // What receive() would return, and the state it leaves.
  Result<StreamMessage> next_message(const Play& now) const;
  BackupEvent next_event();

  ReplicationTwin::State& state_;
  uint64_t id_;
  std::atomic<bool> interrupted_{false};
  Mode mode_ = Mode::kCommands;
  std::string slot_;
  size_t timeline_ = 0;  // the one streamed, as an index
  Lsn position_;
  bool keepalive_due_ = false;
  Backup backup_;
};

Status TwinConnection::usable(Play& now) const {
  if (interrupted_) return Error{Errc::kCancelled, "the wait for the scripted server was interrupted"};
  return now.connected.contains(id_) ? Status() : Status(broken());
}

Status TwinConnection::command(Play& now) const {
  DR_CHECK(mode_ == Mode::kCommands || !now.connected.contains(id_));
  return usable(now);
}

Result<ServerIdentity> TwinConnection::identify() {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  return ServerIdentity{state_.recording.system_identifier,
                        state_.recording.timelines[now->timeline].timeline, now->visible_end};
}

Result<std::string> TwinConnection::show(const std::string& setting) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  const auto found = state_.recording.settings.find(setting);
  if (found == state_.recording.settings.end()) {
    return Error{Errc::kNotFound, fmt::format("the scripted server has no setting '{}'", setting)};
  }
  return found->second;
}

Status TwinConnection::create_slot(const std::string& name, bool temporary) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  // From the last checkpoint's redo position on; the only checkpoint that a recording knows is the backup's.
  const Lsn redo = std::max(state_.recording.backup_start, now->recycled_before);
  const auto [slot, made] = now->slots.try_emplace(name, Slot{redo, temporary, 0, temporary ? id_ : 0});
  return made ? Status() : Status(Error{Errc::kExists, fmt::format("replication slot '{}' exists", name)});
}

Status TwinConnection::drop_slot(const std::string& name) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  const auto slot = now->slots.find(name);
  if (slot == now->slots.end()) {
    return Error{Errc::kNotFound, fmt::format("replication slot '{}' does not exist", name)};
  }
  if (slot->second.reader != 0) {
    return Error{Errc::kUnavailable, fmt::format("replication slot '{}' is active", name)};
  }
  now->slots.erase(slot);
  return {};
}

Result<SlotInfo> TwinConnection::read_slot(const std::string& name) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  const auto slot = now->slots.find(name);
  if (slot == now->slots.end()) return SlotInfo{name, false, {}, 0};
  const Lsn restart = slot->second.restart;
  return SlotInfo{name, true, restart, restart.is_none() ? 0 : state_.timeline_of(*now, restart)};
}

Result<std::string> TwinConnection::timeline_history(Timeline timeline) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  for (size_t index = 0; index <= now->timeline; ++index) {
    const TimelineRecording& recorded = state_.recording.timelines[index];
    if (recorded.timeline == timeline && !recorded.history.empty()) return recorded.history;
  }
  return Error{Errc::kNotFound, fmt::format("{} does not exist", history_name(timeline))};
}

Status TwinConnection::start_streaming(const StreamRequest& request) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  const auto& timelines = state_.recording.timelines;
  const auto last = timelines.begin() + static_cast<std::ptrdiff_t>(now->timeline) + 1;
  const auto found = std::find_if(
      timelines.begin(), last, [&](const auto& recorded) { return recorded.timeline == request.timeline; });
  if (found == last) {
    return Error{Errc::kFailed, fmt::format("timeline {} is not in this server's history", request.timeline)};
  }
  const auto index = static_cast<size_t>(found - timelines.begin());
  if (request.start > state_.written_end(*now, index)) {
    return Error{Errc::kFailed, fmt::format("{} of timeline {} was not written yet", to_string(request.start),
                                            request.timeline)};
  }
  if (!request.slot.empty()) {
    const auto slot = now->slots.find(request.slot);
    if (slot == now->slots.end()) {
      return Error{Errc::kNotFound, fmt::format("replication slot '{}' does not exist", request.slot)};
    }
    if (slot->second.reader != 0) {
      return Error{Errc::kUnavailable, fmt::format("replication slot '{}' is active", request.slot)};
    }
    slot->second.reader = id_;
  }
  slot_ = request.slot;
  timeline_ = index;
  position_ = request.start;
  keepalive_due_ = false;
  mode_ = Mode::kStreaming;
  return {};
}

Result<StreamMessage> TwinConnection::next_message(const Play& now) const {
  const TimelineRecording& timeline = state_.recording.timelines[timeline_];
  const Lsn end = state_.written_end(now, timeline_);
  if (keepalive_due_) return StreamMessage(Keepalive{end, false});
  if (position_ < std::max(timeline.start, now.recycled_before)) {
    return Error{Errc::kNotFound, fmt::format("WAL at {} of timeline {} has already been removed",
                                              to_string(position_), timeline.timeline)};
  }
  if (position_ < end) {
    const size_t size = std::min<uint64_t>(now.piece_bytes, end - position_);
    return StreamMessage(
        WalData{position_, end, BytesView(timeline.wal).subspan(position_ - timeline.start, size)});
  }
  if (timeline_ == now.timeline) return StreamMessage(NothingYet{});
  return StreamMessage(
      EndOfTimeline{state_.recording.timelines[timeline_ + 1].timeline, timeline.switched_at});
}

Result<StreamMessage> TwinConnection::receive(Deadline) {
  auto now = state_.play.lock();
  DR_OK(usable(*now));
  DR_CHECK(mode_ == Mode::kStreaming);
  Result<StreamMessage> message = next_message(*now);
  if (message.ok() && std::holds_alternative<NothingYet>(*message)) return message;
  if (!ReplicationTwin::State::count_message(*now)) return broken();

  if (message.ok() && std::holds_alternative<Keepalive>(*message)) keepalive_due_ = false;
  if (message.ok() && std::holds_alternative<WalData>(*message)) {
    position_ = position_ + std::get<WalData>(*message).bytes.size();
  }
  if (!message.ok() || std::holds_alternative<EndOfTimeline>(*message)) {
    mode_ = Mode::kCommands;
    if (const auto slot = now->slots.find(slot_); slot != now->slots.end()) slot->second.reader = 0;
  }
  return message;
}

Result<bool> TwinConnection::message_waiting() {
  auto now = state_.play.lock();
  DR_OK(usable(*now));
  DR_CHECK(mode_ == Mode::kStreaming);
  const Result<StreamMessage> message = next_message(*now);
  return !message.ok() || !std::holds_alternative<NothingYet>(*message);
}

Status TwinConnection::report_flushed(Lsn flushed, Instant, bool request_reply) {
  auto now = state_.play.lock();
  DR_OK(usable(*now));
  DR_CHECK(mode_ == Mode::kStreaming);
  keepalive_due_ = keepalive_due_ || request_reply;
  if (const auto slot = now->slots.find(slot_); slot != now->slots.end()) {
    slot->second.restart = std::max(slot->second.restart, flushed);
    now->reported[slot_] = std::max(now->reported[slot_], flushed);
  }
  return {};
}

Status TwinConnection::start_backup(const std::string&, bool) {
  auto now = state_.play.lock();
  DR_OK(command(*now));
  backup_ = {};
  mode_ = Mode::kBackup;
  return {};
}

Result<BackupEvent> TwinConnection::next_backup_event(Deadline) {
  auto now = state_.play.lock();
  DR_OK(usable(*now));
  DR_CHECK(mode_ == Mode::kBackup);
  if (!ReplicationTwin::State::count_message(*now)) return broken();
  return next_event();
}

BackupEvent TwinConnection::next_event() {
  const ServerRecording& recording = state_.recording;
  if (!backup_.started) {
    backup_.started = true;
    return BackupStart{recording.backup_start, recording.timelines[0].timeline, recording.tablespaces};
  }
  if (backup_.tablespace < recording.tablespaces.size() && !backup_.announced) {
    backup_.announced = true;
    return BackupArchive{recording.tablespaces[backup_.tablespace].oid};
  }
  if (backup_.tablespace < recording.tablespaces.size()) {
    const BytesView archive = recording.archives.at(recording.tablespaces[backup_.tablespace].oid);
    const BytesView piece =
        archive.subspan(backup_.at, std::min(kArchivePieceBytes, archive.size() - backup_.at));
    backup_.at += piece.size();
    if (backup_.at == archive.size()) {
      ++backup_.tablespace;
      backup_.announced = false;
      backup_.at = 0;
    }
    return BackupData{piece};
  }
  mode_ = Mode::kCommands;
  return BackupEnd{recording.backup_end, recording.timelines[0].timeline};
}

ReplicationTwin::ReplicationTwin(ServerRecording recording)
    : state_(std::make_unique<State>(std::move(recording))) {
  DR_CHECK(state_->recording.consistent());
  state_->play.lock()->visible_end = state_->recording.backup_end;
}

ReplicationTwin::~ReplicationTwin() { DR_CHECK(state_->play.lock()->connected.empty()); }

Result<std::unique_ptr<ReplicationConnection>> ReplicationTwin::connect(Deadline) {
  auto now = state_->play.lock();
  const uint64_t id = ++now->last_connection;
  now->connected.insert(id);
  std::unique_ptr<ReplicationConnection> connection = std::make_unique<TwinConnection>(*state_, id);
  return connection;
}

void ReplicationTwin::write_until(Lsn end) {
  auto now = state_->play.lock();
  now->visible_end = std::max(now->visible_end, std::min(end, state_->recorded_end(*now)));
}

void ReplicationTwin::write_all() {
  auto now = state_->play.lock();
  now->visible_end = std::max(now->visible_end, state_->recorded_end(*now));
}

void ReplicationTwin::promote() {
  auto now = state_->play.lock();
  DR_CHECK(now->timeline + 1 < state_->recording.timelines.size());
  now->visible_end = std::max(now->visible_end, state_->recording.timelines[now->timeline].switched_at);
  ++now->timeline;
}

void ReplicationTwin::set_piece_bytes(size_t bytes) {
  DR_CHECK(bytes > 0);
  state_->play.lock()->piece_bytes = bytes;
}

void ReplicationTwin::break_after(uint64_t messages) { state_->play.lock()->messages_left = messages; }

Lsn ReplicationTwin::reported_flushed(const std::string& slot) const {
  auto now = state_->play.lock();
  const auto found = now->reported.find(slot);
  return found == now->reported.end() ? Lsn{} : found->second;
}

void ReplicationTwin::recycle_before(Lsn start) {
  auto now = state_->play.lock();
  now->recycled_before = std::max(now->recycled_before, start);
  for (auto& [name, slot] : now->slots) {
    if (slot.restart < start) slot.restart = {};
  }
}

void ReplicationTwin::lose_slot(const std::string& name) {
  auto now = state_->play.lock();
  const auto slot = now->slots.find(name);
  if (slot == now->slots.end()) return;
  const uint64_t reader = slot->second.reader;
  now->slots.erase(slot);
  if (reader != 0) State::disconnect(*now, reader);
}

const ServerRecording& ReplicationTwin::recording() const { return state_->recording; }

}  // namespace daruma::postgres
