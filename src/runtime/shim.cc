#include "runtime/shim.h"

#include <signal.h>

#include <algorithm>

#include <fmt/format.h>

#include "os/environment.h"
#include "os/files.h"
#include "os/offspring.h"
#include "os/unix_socket.h"
#include "runtime/instance.h"
#include "runtime/leftovers.h"
#include "runtime/output_log.h"
#include "runtime/shim_talk.h"

namespace daruma::runtime {
namespace {

using Phase = Instance::Phase;

constexpr Duration kGraceOfSignal = 10s;    // between a SIGTERM to us and our SIGKILL
constexpr Duration kGraceOfLeftovers = 3s;  // of a shim that was killed
constexpr Duration kLongestGrace = 10min;   // where nobody says how long
constexpr Duration kAnswerMargin = 1s;      // kept of somebody's patience for the SIGKILL and our answer
constexpr Duration kBetweenLooks = 50ms;    // at what is being ended: not every death is told to us
constexpr Duration kLockPatience = 100ms;   // for the lock of a shim that is ending
constexpr Duration kBetweenTries = 5ms;
constexpr uint32_t kInstancesMax = 64;
constexpr size_t kCallersMax = 64;

struct ShimTag;

// Somebody who is answered when it is so.
struct Waiter {
  enum class For : uint8_t { kStopped, kRestarted, kScaled };
  Descriptor channel;
  For what;
};

class Shim {
 public:
  Shim(const ShimWorld& world, ServiceFolder folder, ServiceConfig service)
      : fs_(world.fs),
        clock_(world.clock),
        folder_(std::move(folder)),
        service_(std::move(service)),
        log_(fs_, folder_.output()) {
    record_.id = world.random.id<Id<ShimTag>>().hex();
    record_.boot = boot_id();
    if (const auto own = process_info(this_pid())) record_.shim = own->id;
    record_.since = clock_.now();
  }

  // Ready to start and to take orders. The record is there before anything is started.
  Status open() {
    DR_OK(adopt_orphans());
    DR_TRY(inbox_, SignalInbox::open());
    DR_TRY(output_, make_output_pipe());
    record_.output_pipe = output_.inode;
    DR_OK(put_text(fs_, folder_.status(), to_json(to_value(current_record()))));
    DR_OK(put_text(fs_, folder_.pid(), fmt::format("{}\n", record_.shim.pid)));
    DR_TRY(listener_, listen_at(folder_.socket()));
    return {};
  }

  Status start_first() {
    const Status started = scale_up(1);
    if (!started.ok()) failure_ = started.error().what;
    publish();
    return started;
  }

  // Until nothing is to be kept running any more.
  void run() {
    while (!over()) {
      const std::vector<int> readable = wait_readable(watched(), patience());
      drain_output();
      obey_signals();
      for (const ChildEnd& end : reap_children()) child_ended(end);
      hear(readable);
      advance();
      publish();
    }
  }

  // The last words; then `lock` is free, and only then those who wait are told.
  void close(std::unique_ptr<FileLock> lock) {
    while (drain_output()) {
    }
    publish();
    static_cast<void>(fs_.remove_file(folder_.socket()));
    static_cast<void>(fs_.remove_file(folder_.pid()));
    listener_.reset();
    lock.reset();
    answer(Waiter::For::kStopped, {});
    for (const Waiter::For what : {Waiter::For::kRestarted, Waiter::For::kScaled})
      answer(what, Error{Errc::kFailed, fmt::format("'{}' was stopped meanwhile", service_.name)});
  }

 private:
  bool over() const { return count(Phase::kEnded) == std::ssize(instances_) && !has_children() && !restart_; }

  std::ptrdiff_t count(Phase phase) const {
    return std::ranges::count_if(instances_, [&](const Instance& one) { return one.phase() == phase; });
  }

  std::vector<int> watched() const {
    std::vector<int> all{inbox_->descriptor(), listener_.get(), output_.read_end.get()};
    for (const Descriptor& caller : callers_) all.push_back(caller.get());
    return all;
  }

  std::optional<Duration> patience() const {
    std::optional<Duration> least;
    const auto at_most = [&](Duration duration) { least = least ? std::min(*least, duration) : duration; };
    for (const Instance& one : instances_) {
      if (const auto due = one.due()) at_most(std::max(*due - clock_.mono(), Duration(0)));
      if (one.phase() == Phase::kEnding) at_most(kBetweenLooks);
    }
    return least;
  }

  // One piece at a time: a service that prints without end must not keep us from orders.
  bool drain_output() {
    const std::string text = read_available(output_.read_end);
    if (!text.empty()) log_.append(text);
    return !text.empty();
  }

  void obey_signals() {
    while (const auto signal = inbox_->next())
      if (*signal != SIGCHLD) stop_all(kGraceOfSignal);
  }

  void child_ended(const ChildEnd& end) {
    for (Instance& one : instances_) one.child_ended(end, clock_.mono());
  }

  // Whoever has come, and what those who came say.
  void hear(const std::vector<int>& readable) {
    for (size_t i = 0; i < callers_.size();) {
      const bool spoke = std::ranges::find(readable, callers_[i].get()) != readable.end();
      if (!spoke) {
        ++i;
        continue;
      }
      Descriptor caller = std::move(callers_[i]);
      callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(i));
      const auto message = receive_message(caller.get());
      if (message && !message->text.empty()) obey(message->text, std::move(caller));
    }
    while (auto caller = accept_from(listener_)) {
      if (callers_.size() >= kCallersMax) callers_.erase(callers_.begin());
      callers_.push_back(*std::move(caller));
    }
  }

  void obey(const std::string& text, Descriptor caller) {
    const auto request = parse_request(text);
    const int channel = caller.get();
    if (!request.ok()) {
      send_message(channel, encode(Status(request.error())));
    } else if (request->order == Order::kStatus) {
      send_message(channel, encode(current_record()));
    } else if (request->order == Order::kStart) {
      send_message(channel, encode(start_now()));
    } else if (request->order == Order::kReload) {
      send_message(channel, encode(reload()));
    } else if (request->order == Order::kStop) {
      restart_ = false;
      stop_all(grace_of(request->patience));
      waiters_.push_back({std::move(caller), Waiter::For::kStopped});
    } else if (stopping_) {
      send_message(channel, encode(Status(ending())));
    } else if (request->order == Order::kRestart) {
      restart_ = true;
      stop_all(grace_of(request->patience));
      waiters_.push_back({std::move(caller), Waiter::For::kRestarted});
    } else {
      begin_scale(*request, std::move(caller));
    }
  }

  Error ending() const { return {Errc::kUnavailable, fmt::format("'{}' is being stopped", service_.name)}; }

  static Duration grace_of(Duration patience) {
    return std::min(patience - std::min(patience / 4, kAnswerMargin), kLongestGrace);
  }

  void stop_all(Duration grace) {
    stopping_ = true;
    kill_at_ = clock_.mono() + grace;
    for (Instance& one : instances_) one.end(kill_at_);
  }

  Status start_now() {
    if (stopping_ || count(Phase::kEnding) > 0) return ending();
    for (Instance& one : instances_) {
      if (one.phase() == Phase::kRunning) continue;
      one.forget_failures();
      record_.restarts = 0;
      if (Status started = one.start(plan()); !started.ok()) {
        one.start_failed(started.error(), clock_.mono());
        return started;
      }
    }
    return {};
  }

  Status reload() {
    std::vector<ProcessId> mains;
    for (const Instance& one : instances_) {
      if (one.phase() != Phase::kRunning)
        return Error{Errc::kFailed, fmt::format("'{}' cannot reload: it {}, and is not running",
                                                service_.name, one.last_end())};
      if (!handles_signal(one.main().pid, SIGHUP))
        return Error{Errc::kRefused,
                     fmt::format("'{}' (process {}) has no handler for SIGHUP: a reload would end it",
                                 service_.name, one.main().pid),
                     "restart it instead"};
      mains.push_back(one.main());
    }
    for (const ProcessId& main : mains) send_signal(main, SIGHUP);
    return {};
  }

  void begin_scale(const ShimRequest& request, Descriptor caller) {
    if (request.instances == 0 || request.instances > kInstancesMax) {
      send_message(caller.get(),
                   encode(Status(
                       Error{Errc::kInvalid, fmt::format("'{}' cannot have {} instances: 1 to {}",
                                                         service_.name, request.instances, kInstancesMax)})));
      return;
    }
    if (const Status grown = scale_up(request.instances); !grown.ok()) {
      send_message(caller.get(), encode(grown));
      return;
    }
    for (size_t i = request.instances; i < instances_.size(); ++i)
      instances_[i].end(clock_.mono() + grace_of(request.patience));
    wanted_ = request.instances;
    waiters_.push_back({std::move(caller), Waiter::For::kScaled});
  }

  // On failure what was there before stays.
  Status scale_up(size_t wanted) {
    while (instances_.size() < wanted) {
      Instance one(service_.restart);
      if (Status started = one.start(plan()); !started.ok()) return started;
      instances_.push_back(std::move(one));
    }
    wanted_ = wanted;
    return {};
  }

  ChildPlan plan() const {
    ChildPlan plan;
    plan.argv = service_.command;
    plan.environment = service_.environment;
    plan.environment.emplace_back(kMark, record_.id);
    plan.directory = service_.directory;
    plan.limits = {service_.limits.memory, service_.limits.open_files, service_.limits.processes};
    plan.output = output_.write_end.get();
    return plan;
  }

  // Does what is due: ends, restarts, answers.
  void advance() {
    clear_ending();
    for (Instance& one : instances_)
      if (const auto due = one.due(); due && *due <= clock_.mono()) restart_one(one);
    while (instances_.size() > wanted_ && instances_.back().phase() == Phase::kEnded) instances_.pop_back();
    if (instances_.size() == wanted_) answer(Waiter::For::kScaled, {});
    if (count(Phase::kEnded) != std::ssize(instances_)) return;
    if (has_children() && !instances_.empty())  // what left every session
      instances_.front().end_rest(stopping_ ? kill_at_ : clock_.mono() + kGraceOfLeftovers);
    else if (restart_)
      begin_anew();
  }

  void clear_ending() {
    if (count(Phase::kEnding) == 0) return;
    std::vector<ProcessInfo> all;
    if (has_children()) all = descendants_of(record_.shim.pid, all_processes());
    for (Instance& one : instances_)
      if (one.phase() == Phase::kEnding) one.clear(rest_of(one, all), clock_.mono());
  }

  // What stems from this instance: its session. Of what left every session nobody knows whose it is; it goes
  // with the last one.
  std::vector<ProcessInfo> rest_of(const Instance& one, const std::vector<ProcessInfo>& all) const {
    const bool last = count(Phase::kEnded) + 1 == std::ssize(instances_);
    std::vector<ProcessInfo> rest;
    for (const ProcessInfo& process : all) {
      const bool somebodys = std::ranges::any_of(
          instances_, [&](const Instance& any) { return any.main().pid == process.session; });
      if (process.session == one.main().pid || (!somebodys && last)) rest.push_back(process);
    }
    return rest;
  }

  void restart_one(Instance& one) {
    ++record_.restarts;
    if (const Status started = one.start(plan()); !started.ok())
      one.start_failed(started.error(), clock_.mono());
  }

  // The second half of a restart: with what service.json says now.
  void begin_anew() {
    stopping_ = restart_ = false;
    const size_t wanted = wanted_;
    instances_.clear();
    record_.restarts = 0;
    if (auto service = read_service(fs_, folder_); service.ok()) service_ = *std::move(service);
    const Status started = scale_up(wanted);
    answer(Waiter::For::kRestarted, started);
    if (!started.ok()) failure_ = started.error().what;
  }

  void answer(Waiter::For what, const Status& outcome) {
    for (const Waiter& waiter : waiters_)
      if (waiter.what == what) send_message(waiter.channel.get(), encode(outcome));
    std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.what == what; });
  }

  State state() const {
    const bool all_ended = count(Phase::kEnded) == std::ssize(instances_);
    if (stopping_) return all_ended && !restart_ ? State::kStopped : State::kStopping;
    if (count(Phase::kWaiting) + count(Phase::kEnding) > 0) return State::kStarting;
    if (instances_.empty() && failure_.empty()) return State::kStarting;
    return all_ended ? State::kFailed : State::kRunning;
  }

  std::string detail() const {
    std::vector<std::string> said;
    if (!failure_.empty()) said.push_back(failure_);
    for (const Instance& one : instances_) {
      if (one.last_end().empty()) continue;
      std::string text = one.last_end();
      if (one.phase() == Phase::kWaiting) text += ", waits to be started again";
      if (one.phase() == Phase::kEnded && one.gave_up())
        text += fmt::format(", given up after {} restarts within {}", service_.restart.limit,
                            human_duration(service_.restart.within));
      if (std::ranges::find(said, text) == said.end()) said.push_back(std::move(text));
    }
    return fmt::format("{}", fmt::join(said, "; ")).substr(0, 500);
  }

  const ServiceRecord& current_record() {
    const State now = state();
    if (now != record_.state) record_.since = clock_.now();
    record_.state = now;
    record_.mains.clear();
    for (const Instance& one : instances_)
      if (one.phase() == Phase::kRunning || one.phase() == Phase::kEnding)
        record_.mains.push_back(one.main());
    record_.detail = detail();
    return record_;
  }

  void publish() {
    const std::string text = to_json(to_value(current_record()));
    if (text == published_) return;
    published_ = text;
    if (put_text(fs_, folder_.status(), text).ok()) return;
    // A full disk has no room for a new file; the old one's own blocks may still do.
    if (const auto file = fs_.open_write(folder_.status()); file.ok())
      if ((*file)->write_at(0, as_bytes(text)).ok()) static_cast<void>((*file)->truncate(text.size()));
  }

  FileSystem& fs_;
  Clock& clock_;
  ServiceFolder folder_;
  ServiceConfig service_;
  OutputLog log_;
  ServiceRecord record_;
  std::string published_;
  std::string failure_;  // why it could not be started anew
  std::optional<SignalInbox> inbox_;
  OutputPipe output_;
  Descriptor listener_;
  std::vector<Descriptor> callers_;
  std::vector<Waiter> waiters_;
  std::vector<Instance> instances_;
  size_t wanted_ = 1;
  MonoInstant kill_at_{};  // of stopping
  bool stopping_ = false;
  bool restart_ = false;  // after it is stopped
};

Result<std::unique_ptr<FileLock>> take_lock(const ShimWorld& world, const ServiceFolder& folder) {
  const Deadline deadline = world.clock.after(kLockPatience);
  for (;; world.clock.pause(kBetweenTries)) {
    auto lock = world.fs.lock(folder.lock());
    if (!lock.is(Errc::kRefused)) return lock;
    if (deadline.passed(world.clock.mono()))
      return Error{Errc::kUnavailable, fmt::format("'{}' is held by another shim", folder.lock().native()),
                   "somebody starts or stops it at this moment: try again"};
  }
}

// In the shim's own process: to the end of everything.
void keep(const ShimWorld& world, const ServiceFolder& folder, Descriptor channel) {
  const auto fail = [&](const Error& error) { announce(std::move(channel), encode(Status(error))); };
  auto lock = take_lock(world, folder);
  if (!lock.ok()) return fail(lock.error());
  auto service = read_service(world.fs, folder);
  if (!service.ok()) return fail(service.error());
  // We have the lock, so whoever wrote the record is dead, even where the kernel still shows it.
  if (const auto last = read_record(world.fs, folder)) {
    const Status ended = end_leftovers(world.clock, *last, kGraceOfLeftovers, Deadline::never());
    if (!ended.ok()) return fail(ended.error());
  }
  Shim shim(world, folder, *std::move(service));
  if (const Status opened = shim.open(); !opened.ok()) return fail(opened.error());
  if (const Status started = shim.start_first(); !started.ok()) {
    shim.close(*std::move(lock));
    return fail(started.error());
  }
  announce(std::move(channel), encode(Status()));
  shim.run();
  shim.close(*std::move(lock));
}

}  // namespace

std::optional<std::string> run_shim(const ShimWorld& world, const Path& folder) {
  auto detached = detach();
  if (!detached.ok()) return encode(Status(detached.error()));
  if (detached->announced) {
    if (!detached->announced->empty()) return std::move(detached->announced);
    return encode(Status(Error{Errc::kFailed, fmt::format("the shim of '{}' ended before it said anything",
                                                          folder.filename().native())}));
  }
  keep(world, ServiceFolder{folder}, std::move(detached->channel));
  return std::nullopt;
}

}  // namespace daruma::runtime
