#include "run/runner.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "base/digest.h"
#include "os/files.h"
#include "os/offspring.h"
#include "run/redactor.h"
#include "run/worker.h"

namespace daruma::run {
namespace {

constexpr Duration kGrace = 3s;       // between asking a worker to end and ending it
constexpr Duration kEndWithin = 10s;  // for what was killed to be gone

ProcessId process_of(const Value& value) {
  return {static_cast<int>(value.integer_at("pid")), static_cast<uint64_t>(value.integer_at("start_ticks"))};
}

Value value_of(const ProcessId& id) {
  Value value;
  value.set("pid", id.pid).set("start_ticks", id.start_ticks);
  return value;
}

// Everything in the worker's session: itself and what it started, but for what left on purpose (a service's
// shim).
std::vector<ProcessId> session_of(const ProcessId& worker) {
  std::vector<ProcessId> members;
  for (const ProcessInfo& process : all_processes())
    if (process.session == worker.pid && process.id.start_ticks >= worker.start_ticks)
      members.push_back(process.id);
  return members;
}

bool end_session(Clock& clock, const ProcessId& worker) {
  const Deadline deadline = clock.after(kEndWithin);
  for (;;) {
    const auto members = session_of(worker);
    if (members.empty()) return true;
    if (deadline.passed(clock.mono())) return false;
    for (const ProcessId& member : members) send_signal(member, SIGKILL);
    reap_children();
    clock.pause(10ms);
  }
}

// What the worker prints, on its way to the disk.
class OutputFile {
 public:
  static Result<OutputFile> create(FileSystem& fs, const Path& path,
                                   const std::vector<std::string>& secrets) {
    DR_TRY(auto file, fs.create(path));
    return OutputFile(std::move(file), Redactor(secrets));
  }

  void take(std::string_view bytes) {
    if (size_ < kOutputMost)
      write(redactor_.feed(bytes));
    else
      cut_ += bytes.size();
  }
  // The hash of what was written.
  std::string finish() {
    write(redactor_.flush());
    if (cut_ > 0) write(fmt::format("\n[{} more bytes were not kept]\n", cut_));
    if (file_) (void)file_->sync().ok();
    return sha256_hex(text_);
  }
  std::string last_line() const {
    std::string_view text = text_;
    while (text.ends_with('\n')) text.remove_suffix(1);
    return std::string(text.substr(text.rfind('\n') + 1).substr(0, 300));
  }

 private:
  OutputFile(std::unique_ptr<File> file, Redactor redactor)
      : file_(std::move(file)), redactor_(std::move(redactor)) {}

  // A full disk loses output, never the step.
  void write(const std::string& clean) {
    if (clean.empty() || !file_) return;
    if (!file_->write_at(size_, as_bytes(clean)).ok()) return file_.reset();
    size_ += clean.size();
    text_ += clean;
  }

  std::unique_ptr<File> file_;
  Redactor redactor_;
  std::string text_;
  uint64_t size_ = 0;
  uint64_t cut_ = 0;
};

class Runner {
 public:
  Runner(const RunnerWorld& world, Path attempt, Assignment assignment, std::vector<std::string> secrets)
      : world_(world),
        attempt_(std::move(attempt)),
        assignment_(std::move(assignment)),
        secrets_(std::move(secrets)) {}

  Status run() {
    DR_TRY(OutputFile output, OutputFile::create(world_.fs, attempt_ / "output", secrets_));
    DR_TRY(SignalInbox signals, SignalInbox::open());
    DR_TRY(OutputPipe pipe, make_output_pipe());
    DR_TRY(const auto self, own_id());
    DR_OK(write_value(world_.fs, attempt_ / "started.json", value_of(self)));
    auto worker = start_child({.argv = {world_.daruma_program.string(), "__act", attempt_.string()},
                               .environment = {},
                               .directory = {},
                               .limits = {},
                               .output = pipe.write_end.get()});
    pipe.write_end.reset();
    Ended ended;
    if (worker.ok()) {
      (void)write_value(world_.fs, attempt_ / "worker.json", value_of(*worker)).ok();
      ended = watch(*worker, signals, pipe, output);
    } else {
      ended = {Outcome::kFailed, false, worker.error().what, worker.error().hint, {}, {}, ""};
    }
    ended.output_hash = output.finish();
    return write_result(world_.fs, attempt_, clean(ended));
  }

 private:
  Result<ProcessId> own_id() {
    const auto info = process_info(::getpid());
    if (!info) return Error{Errc::kFailed, "cannot read my own entry in the table of processes"};
    return info->id;
  }

  Ended watch(const ProcessId& worker, SignalInbox& signals, OutputPipe& pipe, OutputFile& output) {
    std::string why;  // it was ended by force
    Deadline deadline = world_.clock.after(assignment_.order.timeout);
    bool asked = false, late = false;
    std::optional<ChildEnd> end;
    while (!end) {
      const Duration left = deadline.left(world_.clock.mono());
      (void)wait_readable({pipe.read_end.get(), signals.descriptor()}, left);
      output.take(read_available(pipe.read_end));
      while (const auto signal = signals.next())
        if (*signal != SIGCHLD && why.empty())
          why = "it was ended, because the run was aborted", deadline = {};
      for (const ChildEnd& child : reap_children())
        if (child.pid == worker.pid) end = child;
      if (end || (why.empty() && !deadline.passed(world_.clock.mono()))) continue;
      if (why.empty()) {
        why = fmt::format("it did not end within {}", human_duration(assignment_.order.timeout));
        late = true;
      }
      for (const ProcessId& member : session_of(worker)) send_signal(member, asked ? SIGKILL : SIGTERM);
      deadline = world_.clock.after(asked ? 100ms : kGrace);
      asked = true;
    }
    end_session(world_.clock, worker);
    for (std::string more = read_available(pipe.read_end); !more.empty();
         more = read_available(pipe.read_end))
      output.take(more);
    Ended ended = outcome(*end, why, output);
    if (ended.outcome == Outcome::kFailed && (late || why.empty())) ended.cut = cut_of(late);
    return ended;
  }

  // An answer tells how far it came, unless it is that it was stopped. What an abort ended is not repeated.
  Cut cut_of(bool late) const {
    const Result<Value> answer = read_value(world_.fs, attempt_ / "answer.json");
    const bool answered = answer.ok() && !answer->is_null();
    if (!answered) return late ? Cut::kLate : Cut::kDied;
    return read_answer(world_.fs, attempt_).is(Errc::kCancelled) ? Cut::kLate : Cut::kNot;
  }

  Ended outcome(const ChildEnd& end, const std::string& why, const OutputFile& output) {
    Ended ended;
    if (auto prepared = read_value(world_.fs, attempt_ / "prepared.json"); prepared.ok())
      ended.prepared = *prepared;
    const Result<Value> answer = read_answer(world_.fs, attempt_);
    if (answer.ok()) {  // it may have answered and then been slow to leave
      ended.outcome = Outcome::kSucceeded;
      ended.outputs = *answer;
      return ended;
    }
    ended.error = answer.error().what;
    ended.hint = answer.error().hint;
    ended.no_retry = answer.is(Errc::kRefused) || answer.is(Errc::kInvalid);
    const Result<bool> answered = exists(world_.fs, attempt_ / "answer.json");
    if (answered.ok() && *answered) return ended;
    if (end.signal != 0) ended.error = fmt::format("its process was ended by signal {}", end.signal);
    if (!why.empty()) ended.error = why;
    if (const std::string line = output.last_line(); !line.empty())
      ended.error += "; last it printed: " + line;
    return ended;
  }

  Ended clean(Ended ended) const {
    const Redactor redactor(secrets_);
    ended.error = redactor.clean(std::string_view(ended.error));
    ended.hint = redactor.clean(std::string_view(ended.hint));
    ended.outputs = redactor.clean(ended.outputs);
    ended.prepared = redactor.clean(ended.prepared);
    return ended;
  }

  const RunnerWorld& world_;
  Path attempt_;
  Assignment assignment_;
  std::vector<std::string> secrets_;
};

// The second half: alone in the world, until the outcome is recorded.
int run_detached(const RunnerWorld& world, const Path& attempt, Descriptor channel) {
  const auto refuse = [&](const std::string& why) {
    announce(std::move(channel), why);
    return 1;
  };
  auto assignment = read_assignment(world.fs, attempt);
  if (!assignment.ok()) return refuse(assignment.error().what);
  const auto lock = world.fs.lock(attempt / "lock");
  if (!lock.ok()) return refuse(lock.error().what);
  for (const char* mark : {"sealed", "started.json", "result.json"})
    if (const auto there = exists(world.fs, attempt / mark); !there.ok() || *there)
      return refuse(fmt::format("attempt {}: '{}' is there", attempt.string(), mark));
  const auto secrets = secrets_of(world.fs, *assignment);
  announce(std::move(channel), "acts");
  const Status ran = Runner(world, attempt, *std::move(assignment), secrets).run();
  return ran.ok() ? 0 : 1;
}

class RunnerHands final : public Hands {
 public:
  RunnerHands(const RunnerWorld& world, const RunPlace& place, std::string run, Path config,
              std::string config_hash)
      : world_(world),
        place_(place),
        run_(std::move(run)),
        config_(std::move(config)),
        config_hash_(std::move(config_hash)) {}

  Status begin(const Order& order) override {
    const Path attempt = place_.attempt(run_, order.step, order.attempt);
    DR_OK(write_assignment(world_.fs, attempt, {order, run_, config_, place_.directory(run_), config_hash_}));
    DR_TRY(const ProcessExit exit,
           world_.processes.run({.argv = {world_.daruma_program.string(), "__step", attempt.string()}},
                                world_.clock.after(30s)));
    // Whatever it said: only what is on the disk tells whether it acts.
    if (exit.code != 0) {
      DR_TRY(const Remains remains, look_at(world_.fs, attempt));
      if (remains.left == Left::kNeverBegan)
        return Error{Errc::kFailed, fmt::format("the step's process did not start: {}", exit.output)};
    }
    watched_.push_back({order.step, order.attempt, attempt});
    return {};
  }

  std::optional<Finished> next(Deadline deadline) override {
    for (;;) {
      for (size_t i = 0; i < watched_.size(); ++i)
        if (auto finished = look(watched_[i])) {
          watched_.erase(watched_.begin() + static_cast<ptrdiff_t>(i));
          return finished;
        }
      if (deadline.passed(world_.clock.mono())) return std::nullopt;
      world_.clock.pause(std::min<Duration>(10ms, deadline.left(world_.clock.mono())));
    }
  }

  Result<Remains> remains(const Order& order) override {
    const Path attempt = place_.attempt(run_, order.step, order.attempt);
    DR_TRY(Remains remains, look_at(world_.fs, attempt));
    if (remains.left == Left::kRuns) watched_.push_back({order.step, order.attempt, attempt});
    if (remains.left == Left::kVanished) DR_OK(end_leftovers(attempt));
    return remains;
  }

  void end(const std::string& step, uint32_t number) override {
    const auto started = read_value(world_.fs, place_.attempt(run_, step, number) / "started.json");
    if (started.ok() && !started->is_null()) send_signal(process_of(*started), SIGTERM);
  }

 private:
  struct Watched {
    std::string step;
    uint32_t number = 0;
    Path attempt;
  };

  std::optional<Finished> look(const Watched& watched) {
    const auto ended = read_result(world_.fs, watched.attempt);
    if (ended.ok() && *ended) return Finished{watched.step, watched.number, **ended};
    const auto lock = world_.fs.lock(watched.attempt / "lock");
    if (!lock.ok()) return std::nullopt;
    // Nobody holds it: the runner has ended, perhaps between our two looks.
    const auto again = read_result(world_.fs, watched.attempt);
    if (again.ok() && *again) return Finished{watched.step, watched.number, **again};
    if (!end_leftovers(watched.attempt).ok()) return std::nullopt;
    const auto prepared = read_value(world_.fs, watched.attempt / "prepared.json");
    if (!prepared.ok()) return std::nullopt;
    return Finished{watched.step, watched.number, std::nullopt, *prepared};
  }

  // The worker dies with its runner; what it started may not have.
  Status end_leftovers(const Path& attempt) {
    DR_TRY(const Value worker, read_value(world_.fs, attempt / "worker.json"));
    if (worker.is_null() || end_session(world_.clock, process_of(worker))) return {};
    return Error{Errc::kFailed, fmt::format("processes of {} do not end", attempt.string()),
                 "end them by hand, then resume the run"};
  }

  const RunnerWorld& world_;
  const RunPlace& place_;
  std::string run_;
  Path config_;
  std::string config_hash_;
  std::vector<Watched> watched_;
};

}  // namespace

int run_step(const RunnerWorld& world, const Path& attempt) {
  auto half = detach();
  if (!half.ok()) {
    fmt::print(stderr, "{}\n", half.error().what);
    return 1;
  }
  if (!half->announced) return run_detached(world, attempt, std::move(half->channel));
  if (*half->announced == "acts") return 0;
  fmt::print("{}", *half->announced);
  return 1;
}

std::unique_ptr<Hands> runner_hands(const RunnerWorld& world, const RunPlace& place, std::string run,
                                    Path config, std::string config_hash) {
  return std::make_unique<RunnerHands>(world, place, std::move(run), std::move(config),
                                       std::move(config_hash));
}

}  // namespace daruma::run
