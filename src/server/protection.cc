#include "server/protection.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <mutex>
#include <thread>

#include "datastore/postgres/points.h"

namespace daruma {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);
constexpr Duration kLookEvery = std::chrono::seconds(10);
constexpr Duration kRetryFinal = std::chrono::seconds(10);  // a person may have mended what no retry could
constexpr Duration kRetrySnapshot = std::chrono::seconds(30);
constexpr int kTicksPerMemory = 10;

const char* name_of(postgres::CaptureStatus::State state) {
  switch (state) {
    case postgres::CaptureStatus::State::kConnecting:
      return "connecting";
    case postgres::CaptureStatus::State::kStreaming:
      return "streaming";
    case postgres::CaptureStatus::State::kStalled:
      return "stalled";
    case postgres::CaptureStatus::State::kStopped:
      return "stopped";
  }
  return "unknown";
}

std::string to_json(const postgres::CaptureStatus& status, Instant now) {
  return boost::json::serialize(
      boost::json::value{{"state", name_of(status.state)},
                         {"since", to_rfc3339(status.since)},
                         {"at", to_rfc3339(now)},
                         {"system_identifier", std::to_string(status.system_identifier)},
                         {"timeline", status.timeline},
                         {"flushed", to_string(status.flushed)},
                         {"server_end", to_string(status.server_end)},
                         {"caught_up", to_rfc3339(status.caught_up)},
                         {"connects", status.connects},
                         {"problem", status.problem}});
}

// What a capture publishes of itself in the state directory.
std::string published_name(const std::string& datastore) { return "capture-" + datastore + ".json"; }

// What one event is for a person.
ProtectionMessage message_of(const std::string& datastore, const postgres::CaptureEvent& event) {
  using Kind = postgres::CaptureEvent::Kind;
  const std::string at = to_string(event.lsn);
  switch (event.kind) {
    case Kind::kStreaming:
      return {false, datastore, fmt::format("captures from {} on timeline {}", at, event.timeline)};
    case Kind::kDisconnected:
      return {true, datastore, fmt::format("capture interrupted at {}: {}; trying again", at, event.what)};
    case Kind::kStalled:
      return {true, datastore,
              fmt::format("the repository takes nothing: {}; commits that wait for it wait", event.what)};
    case Kind::kSlotCreated:
      return {false, datastore, fmt::format("made the replication slot '{}'", event.what)};
    case Kind::kTimelineSwitched:
      return {false, datastore, fmt::format("follows the server to timeline {} at {}", event.timeline, at)};
    case Kind::kGap:
      return {true, datastore,
              fmt::format("the log has a gap from {} to {}: {}", at, to_string(event.gap_end), event.what)};
  }
  return {};
}

// One datastore's two threads.
class Guard {
 public:
  Guard(Repository& repository, StateDirectory& state, Clock& clock, const ProtectedDatastore& datastore,
        unsigned workers, const std::function<void(const ProtectionMessage&)>& say)
      : repository_(repository),
        state_(state),
        clock_(clock),
        datastore_(datastore),
        workers_(workers),
        say_(say) {}

  Status start(std::stop_token stop) {
    if (datastore_.slot) {
      DR_TRY(lock_, state_.lock(Activity::kCapture, datastore_.name));
      DR_OK(make_capture());
      snapshot_wanted_ = end_is_out_of_reach();
      // Or what an earlier process published would pass for ours until the first tick.
      const Status published =
          state_.publish(published_name(datastore_.name), to_json(capture_->status(), clock_.now()));
      if (!published.ok()) say_({true, datastore_.name, published.error().what});
      capturing_ = std::jthread([this, stop] { capture(stop); });
      publishing_ = std::jthread([this, stop] { publish(stop); });
    }
    snapshotting_ = std::jthread([this, stop] { snapshots(stop); });
    return {};
  }

 private:
  Status make_capture() {
    std::optional<uint64_t> known;
    const auto newest = newest_snapshot(repository_, datastore_.name, known);
    // A damaged snapshot says whose it is all the same, and is no reason to capture nothing.
    if (!newest.ok() && !known) return newest.error();
    if (!newest.ok()) say_({true, datastore_.name, newest.error().what});
    server_ = postgres::libpq_replication(datastore_.connection, *datastore_.slot, clock_);
    postgres::Capture::Options options;
    options.datastore = datastore_.name;
    options.slot = *datastore_.slot;
    options.receiver = "serve";
    options.system_identifier = known;
    options.on_event = [this](const postgres::CaptureEvent& event) {
      if (event.kind == postgres::CaptureEvent::Kind::kGap) snapshot_wanted_ = true;
      say_(message_of(datastore_.name, event));
    };
    capture_.emplace(*server_, repository_, clock_, std::move(options));
    return {};
  }

  // A hole lies between the newest snapshot and the end of the log: an earlier process met it and ended
  // before its snapshot was taken.
  bool end_is_out_of_reach() {
    const auto catalog = postgres::load_catalog(repository_, datastore_.name);
    if (!catalog.ok()) return false;
    return resolve(*catalog, postgres::Wish{}, 0, clock_.now()).is(Errc::kNotFound);
  }

  void capture(std::stop_token stop) {
    std::string said;
    while (!stop.stop_requested()) {
      const Status ended = capture_->run(stop);
      if (ended.ok()) break;
      std::string why = fmt::format("capture stopped: {}{}{}", ended.error().what,
                                    ended.error().hint.empty() ? "" : "; ", ended.error().hint);
      if (why != said) say_({true, datastore_.name, why + "; looked at again every 10 seconds"});
      said = std::move(why);
      clock_.pause(kRetryFinal, stop);
    }
    const postgres::CaptureStatus status = capture_->status();
    if (!status.flushed.is_none())
      say_({false, datastore_.name,
            fmt::format("capture ends; the log is safe up to {} on timeline {}", to_string(status.flushed),
                        status.timeline)});
  }

  void publish(std::stop_token stop) {
    for (int tick = 0;; ++tick) {
      const bool goes_on = clock_.pause(kTick, stop);
      const postgres::CaptureStatus status = capture_->status();
      // Published for people: when it cannot be written, they see that it is old.
      if (!state_.publish(published_name(datastore_.name), to_json(status, clock_.now())).ok()) continue;
      if ((tick % kTicksPerMemory == 0 || !goes_on) && !status.flushed.is_none()) {
        const LogStream stream{datastore_.name, status.system_identifier};
        const Status remembered = state_.remember_log(stream.path(), status.timeline, status.flushed.value);
        if (!remembered.ok()) say_({true, datastore_.name, remembered.error().what});
      }
      if (!goes_on) return;
    }
  }

  // Other processes take snapshots too, so the repository is asked, but not at every tick.
  bool due() {
    if (snapshot_wanted_) return true;
    if (clock_.mono() < look_again_) return false;
    look_again_ = clock_.mono() + kLookEvery;
    const auto commits = repository_.commits([](const std::string&, const Error&) {});
    if (!commits.ok()) return false;
    std::optional<Instant> newest;
    for (const auto& stored : *commits)
      if (stored.commit.datastore == datastore_.name) newest = stored.commit.time;
    if (!newest) return true;
    return datastore_.snapshot_every && clock_.now() - *newest >= *datastore_.snapshot_every;
  }

  void snapshots(std::stop_token stop) {
    MonoInstant try_again{};
    while (clock_.pause(kTick, stop)) {
      if (clock_.mono() < try_again) continue;
      // Capture first, so that the snapshot's WAL is ours from its first byte.
      if (capture_ && capture_->status().state != postgres::CaptureStatus::State::kStreaming) continue;
      if (!due()) continue;
      const auto taken = snapshot_now(
          repository_, state_, clock_, datastore_, false, workers_, [](const postgres::BackupProgress&) {},
          stop);
      if (stop.stop_requested()) return;
      if (taken.ok()) {
        snapshot_wanted_ = false;
        say_({false, datastore_.name,
              fmt::format("snapshot {} is a recovery point",
                          taken->stored.commit.snapshot.hex().substr(0, 8))});
        for (const postgres::PageError& page : taken->meta.page_errors)
          if (!page.excused)
            say_({true, datastore_.name,
                  fmt::format("page checksum wrong in {} block {}", page.path, page.block)});
      } else {
        say_({true, datastore_.name, "snapshot failed: " + taken.error().what});
        try_again = clock_.mono() + kRetrySnapshot;
      }
    }
  }

  Repository& repository_;
  StateDirectory& state_;
  Clock& clock_;
  const ProtectedDatastore& datastore_;
  const unsigned workers_;
  const std::function<void(const ProtectionMessage&)>& say_;

  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<postgres::ReplicationServer> server_;
  std::optional<postgres::Capture> capture_;
  MonoInstant look_again_{};  // of the snapshot thread
  std::atomic<bool> snapshot_wanted_{false};
  std::jthread capturing_;
  std::jthread publishing_;
  std::jthread snapshotting_;
};

}  // namespace

Result<std::unique_ptr<SnapshotReader>> newest_snapshot(const Repository& repository,
                                                        const std::string& datastore,
                                                        std::optional<uint64_t>& system_identifier) {
  DR_TRY(const auto commits, repository.commits([](const std::string&, const Error&) {}));
  for (auto stored = commits.rbegin(); stored != commits.rend(); ++stored) {
    if (stored->commit.datastore != datastore) continue;
    DR_TRY(const postgres::SnapshotMeta meta, postgres::parse_meta(stored->commit.meta));
    system_identifier = meta.system_identifier;
    return SnapshotReader::open(repository, *stored);
  }
  return std::unique_ptr<SnapshotReader>();
}

namespace {

// Some process captures, and has not stopped for a reason that only a person can cure.
bool captures(StateDirectory& state, const std::string& datastore) {
  const auto running = state.is_running(Activity::kCapture, datastore);
  if (!running.ok() || !*running) return false;
  const auto published = state.published(published_name(datastore));
  if (!published.ok() || !*published) return true;
  boost::system::error_code wrong;
  const auto capture = boost::json::parse(**published, wrong);
  const auto* fields = capture.if_object();
  const auto* now = fields ? fields->if_contains("state") : nullptr;
  return !now || *now != name_of(postgres::CaptureStatus::State::kStopped);
}

}  // namespace

Result<postgres::BackupResult> snapshot_now(
    Repository& repository, StateDirectory& state, Clock& clock, const ProtectedDatastore& datastore,
    bool full, unsigned workers, const std::function<void(const postgres::BackupProgress&)>& progress,
    std::stop_token stop) {
  DR_TRY(const auto lock, state.lock(Activity::kBackup, datastore.name));
  postgres::BackupOptions options;
  options.datastore = datastore.name;
  options.writer = state.writer();
  options.workers = workers;
  options.progress = progress;
  auto parent = newest_snapshot(repository, datastore.name, options.system_identifier);
  if (parent.ok() && !full) options.parent = parent->get();  // a damaged parent means a full snapshot
  options.capture_running = [&] { return captures(state, datastore.name); };
  auto sql = postgres::connect_sql(datastore.connection, clock, clock.after(std::chrono::seconds(10)));
  if (sql.ok()) options.sql = sql->get();
  const auto server = postgres::libpq_replication(datastore.connection, "daruma_backup", clock);
  DR_TRY(auto result, postgres::take_backup(*server, repository, clock, options, stop));
  if (!sql.ok())
    result.notes.push_back("configuration outside the data directory was not looked for: " +
                           sql.error().what);
  DR_OK(state.remember_commit(state.writer(), result.stored.commit.number, result.stored.hash));
  return result;
}

Status protect(Repository& repository, StateDirectory& state, Clock& clock, const ProtectionOptions& options,
               std::stop_token stop) {
  std::mutex saying;
  const std::function<void(const ProtectionMessage&)> say = [&](const ProtectionMessage& message) {
    const std::lock_guard one_at_a_time(saying);
    options.on_message(message);
  };
  std::stop_source stop_all;
  const std::stop_callback pass_on(stop, [&] { stop_all.request_stop(); });
  std::vector<std::unique_ptr<Guard>> guards;
  Status started;
  for (const ProtectedDatastore& datastore : options.datastores) {
    guards.push_back(std::make_unique<Guard>(repository, state, clock, datastore, options.workers, say));
    started = guards.back()->start(stop_all.get_token());
    if (!started.ok()) break;
  }
  if (started.ok())
    while (clock.pause(std::chrono::hours(1), stop_all.get_token())) {
    }
  stop_all.request_stop();
  return started;
}

}  // namespace daruma
