#include "service/supervisor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "os/environment.h"
#include "os/errno.h"
#include "os/files.h"
#include "service/handover.h"
#include "service/inheritance.h"
#include "service/server.h"
#include "service/slots.h"
#include "service/worker.h"

namespace daruma::service {
namespace {

constexpr const char* kInheritVariable = "DARUMA_SERVICE_INHERITANCE";
constexpr const char* kTrialVariable = "DARUMA_SERVICE_TRIAL";
constexpr Duration kBindTime = 2s;         // for a predecessor to let go of the port
constexpr Duration kTrialTime = 10s;       // to read the settings
constexpr Duration kKillAfter = 3s;        // beyond `drain`
constexpr Duration kSteadyAfter = 10s;     // a worker that lived so long did not die of its start
constexpr Duration kBackOffFirst = 100ms;  // doubled with each death, up to …
constexpr Duration kBackOffMax = 10s;
constexpr Duration kLookForDeadEvery = 5s;
// A region has its layout in its name: a reload to another layout does not meet the old one.
constexpr std::string_view kRegionSuffix = ".v1.region";

struct Child {
  int pid = 0;
  Descriptor control;
  size_t slot = 0;
  MonoInstant started{};
  bool ours = true;  // our child, so that we hear of its death
  bool ready = false;
  bool retired = false;  // told to end, or of the generation before
  MonoInstant kill_at{Duration::max()};
};

sigset_t supervised_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) sigaddset(&set, number);
  return set;
}

void default_signals() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

std::string address_of(int listener) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char host[INET6_ADDRSTRLEN] = "";
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return fmt::format("{}:{}", host, ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
  return fmt::format("[{}]:{}", host, ntohs(v6.sin6_port));
}

std::string cause_of_death(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

class Supervisor {
 public:
  explicit Supervisor(const SupervisorStart& start)
      : start_(start),
        program_(start.program),
        settings_(start.settings),
        wanted_(static_cast<size_t>(settings_.number("workers"))),
        drain_(settings_.duration("drain")) {}

  int run() {
    if (const Status prepared = prepare(); !prepared.ok()) {
      complain(prepared.error());
      stop_all(kDrain);  // an inherited worker would wait for orders for ever
      return 1;
    }
    for (;;) {
      reap();
      if (phase_ == Phase::kStopping && children_.empty()) break;
      start_missing();
      if (all_ready()) announce();
      kill_overdue();
      wait();
    }
    if (door_) door_->close(start_.fs);
    return failed_ ? 1 : 0;
  }

 private:
  enum class Phase : uint8_t { kStarting, kServing, kLeaving, kStopping };

  // --- beginning

  Status prepare() {
    const sigset_t signals = supervised_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signals_ = Descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.valid()) return os_error(errno, "watch", "signals");
    raise_descriptor_limit();
    inherit();
    state_ = settings_.path("state");
    DR_OK(create_dirs(start_.fs, state_));
    DR_TRY(region_, SharedRegion::open(state_ / (program_.name + std::string(kRegionSuffix))));
    DR_TRY(slots_, Slots::of(*region_));
    slots_->give_back_dead();
    metrics_.emplace(*region_, 0);  // for counters: a supervisor has no gauges, so no slot
    DR_TRY(log_, Log::open({.directory = settings_.path("logs"), .service = program_.name}, 0, *clock_,
                           start_.fs, *metrics_));
    if (!listener_.valid()) DR_OK(find_listener());
    DR_TRY(door_, HandoverDoor::open(state_, program_.name, this_pid()));
    return {};
  }

  void inherit() {
    const auto text = take_environment_variable(kInheritVariable);
    const auto inherited = text ? Inheritance::parse(*text) : std::nullopt;
    if (!inherited) return;
    const auto ours = [](int number) {
      ::fcntl(number, F_SETFD, FD_CLOEXEC);
      return Descriptor(number);
    };
    listener_ = ours(inherited->listener);
    for (const InheritedWorker& worker : inherited->workers)
      children_.push_back({.pid = worker.pid,
                           .control = ours(worker.control),
                           .slot = worker.slot,
                           .started = clock_->mono(),
                           .ready = true,
                           .retired = true});
  }

  bool is_wanted(int listener) const {
    const int64_t port = settings_.number("port");
    const std::string address = address_of(listener);
    return port == 0 || address.ends_with(fmt::format(":{}", port));
  }

  Status find_listener() {
    listener_ = socket_of_systemd();
    if (listener_.valid()) return {};
    const Deadline deadline = clock_->after(kBindTime);
    for (;;) {
      peers_ = find_peers(start_.fs, state_, program_.name, this_pid());
      for (Peer& peer : peers_)
        if (!listener_.valid() && is_wanted(peer.listener.get())) listener_ = std::move(peer.listener);
      if (listener_.valid()) return {};
      auto bound = listen_on(settings_.text("host"), static_cast<int>(settings_.number("port")));
      if (bound.ok()) {
        listener_ = Descriptor(*bound);
        return {};
      }
      if (deadline.passed(clock_->mono())) return std::move(bound).error();
      clock_->pause(50ms);
    }
  }

  // --- workers

  size_t active() const {
    return static_cast<size_t>(std::ranges::count_if(children_, [](const Child& c) { return !c.retired; }));
  }

  void start_missing() {
    if (phase_ == Phase::kStopping || phase_ == Phase::kLeaving) return;
    while (active() < wanted_ && clock_->mono() >= next_start_) {
      if (const Status started = start_worker(); !started.ok()) {
        complain(started.error());
        back_off();
      }
    }
  }

  Status start_worker() {
    const auto slot = slots_->take(this_pid());
    if (!slot)
      return Error{Errc::kUnavailable,
                   fmt::format("all {} worker slots are taken", SharedRegion::kWorkersMax)};
    auto ends = socket_pair();
    const int pid = ends.ok() ? ::fork() : -1;
    if (pid < 0) {
      Error error = ends.ok() ? os_error(errno, "start", "a worker") : std::move(ends).error();
      slots_->give_back(*slot);
      return error;
    }
    if (pid == 0) {
      WorkerStart worker{program_, settings_, *region_, std::move(listener_), std::move(ends->second), *slot};
      ends->first.reset();
      let_go_in_child();
      run_worker(std::move(worker));
    }
    slots_->hand_to(*slot, pid);
    children_.push_back(
        {.pid = pid, .control = std::move(ends->first), .slot = *slot, .started = clock_->mono()});
    return {};
  }

  // What a child must not hold: the others would not notice that we are gone.
  void let_go_in_child() {
    children_.clear();
    peers_.clear();
    if (door_) door_->forget();
    signals_.reset();
    default_signals();
    std::signal(SIGHUP, SIG_IGN);  // for the supervisor; a terminal sends it to all
  }

  void reap() {
    int status = 0;
    int pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      const auto child = std::ranges::find(children_, pid, &Child::pid);
      if (child == children_.end()) continue;
      for (Child& known : children_)  // its last words, and who was ready before it died
        if (known.control.valid()) hear(known);
      const bool expected = child->retired || phase_ == Phase::kStopping;
      if (!expected) mourn(*child, status);
      slots_->give_back(child->slot);
      children_.erase(child);
    }
  }

  void mourn(const Child& child, int status) {
    const std::string text =
        fmt::format("worker {} (process {}) {}", child.slot, child.pid, cause_of_death(status));
    say(text);
    deaths_.push_back(text);
    if (clock_->mono() - child.started >= kSteadyAfter) failures_ = 0;
    if (phase_ == Phase::kStarting && std::ranges::none_of(children_, &Child::ready)) {
      failed_ = true;  // nobody serves, or did: whoever started us must hear of it
      return stop_all(kStop);
    }
    back_off();
  }

  void back_off() {
    const unsigned doublings = std::min(failures_++, 10u);
    const Duration pause =
        doublings == 0 ? Duration{0} : std::min(kBackOffFirst * (1 << (doublings - 1)), kBackOffMax);
    next_start_ = clock_->mono() + pause;
  }

  void retire(Child& child, std::string_view order) {
    child.retired = true;
    child.kill_at = std::min(child.kill_at, clock_->mono() + drain_ + kKillAfter);
    // One that cannot hear hears a signal.
    if (!child.control.valid() || !send_message(child.control.get(), std::string(order)))
      ::kill(child.pid, SIGTERM);
  }

  void kill_overdue() {
    const MonoInstant now = clock_->mono();
    for (Child& child : children_) {
      if (child.kill_at > now) continue;
      ::kill(child.pid, SIGKILL);
      child.kill_at = {Duration::max()};
    }
  }

  void hear(Child& child) {
    while (const auto message = receive_message(child.control.get())) {
      if (message->text == kReady) child.ready = true;
      if (message->text.starts_with(kFailed))
        complain({Errc::kFailed, "a worker cannot start: " + message->text.substr(kFailed.size())});
      if (message->text.empty()) {
        child.control.reset();
        return;
      }
    }
  }

  // Not our children: their end shows only here.
  void forget_ended() {
    std::erase_if(children_, [&](const Child& child) {
      if (child.ours || child.control.valid()) return false;
      slots_->give_back(child.slot);
      return true;
    });
  }

  // --- serving

  bool all_ready() const {
    if (phase_ == Phase::kStopping || phase_ == Phase::kLeaving || active() < wanted_) return false;
    return std::ranges::all_of(children_, [](const Child& child) { return child.ready || child.retired; });
  }

  void announce() {
    for (const std::string& death : std::exchange(deaths_, {}))
      report(Severity::kError, death, "by a new worker");
    if (phase_ == Phase::kServing) return;
    phase_ = Phase::kServing;
    took_over(peers_);
    for (Child& child : children_)
      if (child.retired && child.kill_at.since_start == Duration::max()) retire(child, kDrain);
    fmt::print("{}: serving on http://{} (process {}, {} worker{})\n", program_.name,
               address_of(listener_.get()), this_pid(), wanted_, wanted_ == 1 ? "" : "s");
    std::fflush(stdout);
    systemd_.say("READY=1");
  }

  void wait() {
    std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}};
    if (door_)
      for (const int descriptor : door_->watched()) watched.push_back({descriptor, POLLIN, 0});
    for (const Child& child : children_)
      if (child.control.valid()) watched.push_back({child.control.get(), POLLIN, 0});
    const Duration left = Deadline{next_due()}.left(clock_->mono());
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    ::poll(watched.data(), watched.size(), static_cast<int>(wait_ms));

    for (Child& child : children_)
      if (child.control.valid()) hear(child);
    forget_ended();
    if (door_ && listener_.valid() && door_->answer(listener_.get(), phase_ == Phase::kLeaving) &&
        phase_ == Phase::kLeaving)
      stop_all(kDrain);
    obey_signals();
    const MonoInstant now = clock_->mono();
    if (phase_ == Phase::kLeaving && now >= leave_until_) stop_all(kStop);
    if (now - looked_for_dead_ < kLookForDeadEvery) return;
    looked_for_dead_ = now;
    slots_->give_back_dead();
  }

  MonoInstant next_due() const {
    MonoInstant due = looked_for_dead_ + kLookForDeadEvery;
    if (phase_ == Phase::kLeaving) due = std::min(due, leave_until_);
    if (phase_ != Phase::kStopping && active() < wanted_) due = std::min(due, next_start_);
    for (const Child& child : children_) due = std::min(due, child.kill_at);
    return due;
  }

  void obey_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
          stop();
          break;
        case SIGHUP:
          reload();
          break;
        case SIGUSR1:
          reopen_logs();
          break;
        default:
          break;  // SIGCHLD: reap() comes next
      }
    }
  }

  void reopen_logs() {
    log_->reopen();
    for (const Child& child : children_)
      if (child.control.valid()) send_message(child.control.get(), std::string(kReopen));
  }

  // --- ending

  void stop() {
    if (phase_ == Phase::kStopping) {  // asked twice: now
      for (Child& child : children_) child.kill_at = clock_->mono();
      return;
    }
    if (phase_ == Phase::kServing && settings_.duration("handover") > Duration{0} && !others_serve() &&
        leave())
      return;
    stop_all(kStop);
  }

  void stop_all(std::string_view order) {
    phase_ = Phase::kStopping;
    systemd_.say("STOPPING=1");
    for (const std::string& death : std::exchange(deaths_, {})) report(Severity::kError, death, "");
    if (door_) door_->close(start_.fs);
    listener_.reset();  // when the workers have closed theirs as well, nobody is let in to wait in vain
    for (Child& child : children_) retire(child, order);
  }

  bool others_serve() const {
    const auto peers = find_peers(start_.fs, state_, program_.name, this_pid());
    return std::ranges::any_of(peers, [](const Peer& peer) { return !peer.leaving; });
  }

  // Ends this process, and goes on in a child that keeps socket and workers. False: no child could be made.
  bool leave() {
    auto ends = socket_pair();
    const int pid = ends.ok() ? ::fork() : -1;
    if (pid < 0) return false;
    if (pid > 0) {
      ends->second.reset();
      const auto word = receive_message(ends->first.get(), kBindTime);
      if (!word || word->text != kReady) {
        ::kill(pid, SIGKILL);
        return false;
      }
      door_->close(start_.fs);
      systemd_.say("STOPPING=1");
      ::_exit(0);
    }
    ::setsid();  // who ends our group does not mean us
    door_->forget();
    door_.reset();
    auto door = HandoverDoor::open(state_, program_.name, this_pid());
    if (!door.ok()) ::_exit(1);
    door_.emplace(*std::move(door));
    for (Child& child : children_) child.ours = false;
    phase_ = Phase::kLeaving;
    leave_until_ = clock_->mono() + settings_.duration("handover");
    send_message(ends->second.get(), std::string(kReady));
    return true;
  }

  // --- reload

  void reload() {
    if (phase_ == Phase::kStopping || phase_ == Phase::kLeaving) return;
    std::vector<std::string> trial{std::string(kTrialVariable) + "=1"};
    if (const std::string why = run_trial(trial); !why.empty()) {
      report(Severity::kError, "reload refused, everything stays as it was: " + why, "");
      return say("reload refused, everything stays as it was: " + why);
    }
    systemd_.say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", clock_->mono().since_start / 1us));
    Inheritance inheritance{.listener = listener_.get(), .workers = {}};
    for (const Child& child : children_)
      if (child.control.valid()) inheritance.workers.push_back({child.pid, child.control.get(), child.slot});
    set_inherited(true);
    execute({std::string(kInheritVariable) + "=" + inheritance.text()});
    const Error error = os_error(errno, "execute", program_file_);
    set_inherited(false);
    complain(error);
    systemd_.say("READY=1");
  }

  void set_inherited(bool inherited) {
    const int flag = inherited ? 0 : FD_CLOEXEC;
    ::fcntl(listener_.get(), F_SETFD, flag);
    for (const Child& child : children_)
      if (child.control.valid()) ::fcntl(child.control.get(), F_SETFD, flag);
  }

  // Returns only when it fails.
  void execute(std::vector<std::string> added) {
    std::vector<std::string> arguments = start_.argv;
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::vector<char*> variables;
    for (std::string& variable : added) variables.push_back(variable.data());
    for (char** variable = environ; *variable; ++variable) variables.push_back(*variable);
    variables.push_back(nullptr);
    ::execve(program_file_.c_str(), argv.data(), variables.data());
  }

  // "" when the program, as it would be executed, can read its settings.
  std::string run_trial(const std::vector<std::string>& variables) {
    const int pid = ::fork();
    if (pid < 0) return std::strerror(errno);
    if (pid == 0) {
      default_signals();
      execute(variables);
      ::_exit(127);
    }
    const Deadline deadline = clock_->after(kTrialTime);
    int status = 0;
    while (::waitpid(pid, &status, WNOHANG) == 0) {
      if (deadline.passed(clock_->mono())) ::kill(pid, SIGKILL);
      clock_->pause(5ms);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : "its trial run " + cause_of_death(status);
  }

  // --- words

  void say(const std::string& text) const { fmt::print(stderr, "{}: {}\n", program_.name, text); }
  void report(Severity severity, std::string_view message, std::string_view recovered) {
    if (!log_) return;
    log_->error({.severity = severity,
                 .request_id = "",
                 .dependency = "",
                 .message = message,
                 .recovered = recovered});
  }
  void complain(const Error& error) {
    say(error.what + (error.hint.empty() ? "" : "\n  " + error.hint));
    report(Severity::kError, error.what, "");
  }

  const SupervisorStart start_;
  const Program& program_;
  const Settings& settings_;
  const Path program_file_ = this_program();
  const std::unique_ptr<Clock> clock_ = real_clock();
  const SystemdNotice systemd_;
  const size_t wanted_;
  const Duration drain_;
  Path state_;

  Descriptor signals_;
  Descriptor listener_;
  std::unique_ptr<SharedRegion> region_;
  std::optional<Slots> slots_;
  std::optional<Metrics> metrics_;
  std::unique_ptr<Log> log_;
  std::optional<HandoverDoor> door_;
  std::vector<Peer> peers_;  // until we are ready

  Phase phase_ = Phase::kStarting;
  std::vector<Child> children_;
  std::vector<std::string> deaths_;  // not yet made good
  unsigned failures_ = 0;
  MonoInstant next_start_{};
  MonoInstant leave_until_{};
  MonoInstant looked_for_dead_ = clock_->mono();
  bool failed_ = false;
};

}  // namespace

int supervise(const SupervisorStart& start) { return Supervisor(start).run(); }

bool is_trial_run() { return take_environment_variable(kTrialVariable).has_value(); }

}  // namespace daruma::service
