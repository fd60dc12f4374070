#include "run/run_place.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "os/environment.h"
#include "os/files.h"
#include "os/users.h"

namespace daruma::run {
namespace {

constexpr const char* kTaken = "target_taken";
constexpr const char* kLever = "lever";
constexpr const char* kPulled = "lever_pulled";
constexpr const char* kReleased = "lever_released";

std::string target_stream(Target target) { return fmt::format("target/{}", to_string(target)); }

}  // namespace

Result<RunPlace> RunPlace::open(FileSystem& fs, Clock& clock, const Path& state) {
  DR_OK(create_dirs(fs, state / "runs", 0700));
  DR_TRY(auto journal, open_journal(fs, clock, state / kJournalFile));
  return RunPlace(fs, clock, state, std::move(journal));
}

Path RunPlace::attempt(const std::string& run, const std::string& step, uint32_t number) const {
  std::string name = step;
  std::ranges::replace(name, '/', ':');
  return directory(run) / fmt::format("{}.{}", name, number);
}

Result<RunPlace::Taking> RunPlace::last_taking(Target target) {
  DR_TRY(const auto events, journal_->read(target_stream(target), 1));
  if (events.empty()) return Taking{};
  return Taking{events.back().position, events.back().body.text_at("run")};
}

Result<std::optional<Holder>> RunPlace::holder(Target target, const FindType& find_type) {
  DR_TRY(const Taking taking, last_taking(target));
  if (taking.run.empty()) return std::optional<Holder>();
  const auto state = load_run(*journal_, taking.run, find_type);
  // A run that was about to be created when its creator died: it never began.
  if (state.is(Errc::kNotFound)) return std::optional<Holder>();
  DR_OK(state);
  if (state->phase() == RunPhase::kEnded) return std::optional<Holder>();
  return std::optional<Holder>({taking.run, state->started_at(), state->created().by.name});
}

Result<RunCreated> RunPlace::keep_config(const std::string& run, RunCreated created,
                                         const std::string& config) {
  if (config.empty()) return created;
  DR_OK(create_dirs(*fs_, directory(run), 0700));
  DR_OK(replace_file(*fs_, directory(run) / kRunConfig, as_bytes(config)));
  created.config_hash = sha256_hex(config);
  return created;
}

Result<std::string> RunPlace::create(const RunCreated& created, const FindType& find_type,
                                     const std::string& config) {
  DR_TRY(const Taking taking, last_taking(created.target));
  DR_TRY(const auto held, holder(created.target, find_type));
  const std::string_view target = to_string(created.target);
  if (held)
    return Error{
        Errc::kRefused,
        fmt::format("{} is held by run {} since {}, started by {}", target, held->run,
                    to_rfc3339(held->since), held->by),
        fmt::format(
            "watch it: daruma runs {0}; go on with it: daruma resume {0}; give it up: daruma abort {0}",
            held->run)};
  const std::string base =
      fmt::format("{}-{}", to_rfc3339(clock_->now()).substr(0, 10), created.plan.plan.name);
  for (int number = 1;; ++number) {
    const std::string id = fmt::format("{}-{}", base, number);
    DR_TRY(const auto there, journal_->read(stream_of(id), 1));
    if (!there.empty()) continue;
    const auto taken =
        journal_->append(target_stream(created.target), taking.position, {{kTaken, Value().set("run", id)}});
    if (taken.is(Errc::kRefused))
      return Error{Errc::kRefused, fmt::format("somebody else took {} at this moment", target),
                   "see who: daruma runs"};
    DR_OK(taken);
    DR_TRY(const RunCreated whole, keep_config(id, created, config));
    DR_OK(journal_->append(stream_of(id), 0, {to_event(whole)}));
    return id;
  }
}

Error RunPlace::carried_by_another(const std::string& run) {
  Error error{Errc::kRefused, fmt::format("run {} is being carried out by another daruma", run),
              fmt::format("watch it: daruma runs {}", run)};
  const auto bytes = read_file(*fs_, carrier(run), 4096);
  const auto who = bytes.ok() ? parse_json(as_text(*bytes)) : Result<Value>(bytes.error());
  if (!who.ok()) return error;
  const int64_t pid = who->integer_at("pid");
  error.what += fmt::format(": process {} of {} since {}", pid, who->text_at("user"), who->text_at("since"));
  error.hint += fmt::format(
      "; if process {0} hangs: kill -9 {0} (what acts goes on to its end), then daruma resume {1}", pid, run);
  return error;
}

Result<Seat> RunPlace::take(const RunState& run) {
  DR_OK(create_dirs(*fs_, directory(run.id()), 0700));
  auto lock = fs_->lock(directory(run.id()) / "engine.lock");
  if (lock.is(Errc::kRefused)) return carried_by_another(run.id());
  DR_OK(lock);
  const Value us =
      Value().set("pid", this_pid()).set("user", this_user().name).set("since", to_rfc3339(clock_->now()));
  DR_OK(replace_file(*fs_, carrier(run.id()), as_bytes(to_json(us))));
  const Target target = run.created().target;
  DR_TRY(const Taking taking, last_taking(target));
  if (taking.run != run.id())
    return Error{
        Errc::kRefused,
        fmt::format("{} belongs to run {} by now, not to {}", to_string(target), taking.run, run.id()),
        fmt::format("see it: daruma runs {}", taking.run)};
  DR_TRY(const auto taken,
         journal_->append(target_stream(target), taking.position, {{kTaken, Value().set("run", run.id())}}));
  if (const Status gone = fs_->remove_file(left_mark(run.id())); !gone.ok() && !gone.is(Errc::kNotFound))
    return gone.error();
  return Seat{*std::move(lock), taken.back().position};
}

Status RunPlace::leave(const std::string& run) { return replace_file(*fs_, left_mark(run), {}); }

Result<std::vector<Standing>> RunPlace::standing(const FindType& find_type) {
  DR_TRY(const auto halt, halted());
  std::vector<Standing> out;
  for (const Target target : {Target::kProduction, Target::kStaging, Target::kSandbox}) {
    DR_TRY(const auto held, holder(target, find_type));
    if (!held) continue;
    DR_TRY(const bool carried, is_carried(held->run));
    if (carried) continue;
    DR_TRY(const RunState state, load_run(*journal_, held->run, find_type));
    DR_TRY(const bool left, exists(*fs_, left_mark(held->run)));
    out.push_back({held->run, state.abort() ? "it is being aborted"
                              : left        ? "it was left on purpose"
                                            : halt.value_or("")});
  }
  return out;
}

Result<bool> RunPlace::is_carried(const std::string& run) {
  const auto lock = fs_->lock(directory(run) / "engine.lock");
  if (lock.ok() || lock.is(Errc::kNotFound)) return false;
  if (lock.is(Errc::kRefused)) return true;
  return lock.error();
}

Result<std::optional<std::string>> RunPlace::halted() {
  DR_TRY(const auto events, journal_->read(kLever, 1));
  if (events.empty() || events.back().kind != kPulled) return std::optional<std::string>();
  const Value& body = events.back().body;
  return std::optional<std::string>(fmt::format("halted by {} since {}: {}", body.text_at("by"),
                                                to_rfc3339(events.back().at), body.text_at("reason")));
}

Status RunPlace::halt(bool pull, const Person& by, const std::string& reason) {
  if (pull && reason.empty())
    return Error{Errc::kInvalid, "halting everything needs a reason", "give it with --reason"};
  DR_TRY(const auto events, journal_->read(kLever, 1));
  const bool pulled = !events.empty() && events.back().kind == kPulled;
  if (pulled == pull) {
    DR_TRY(const auto now, halted());
    return Error{Errc::kRefused, now ? "already " + *now : std::string("nothing is halted")};
  }
  Value body;
  body.set("by", by.name).set("uid", by.uid).set("reason", reason);
  DR_OK(journal_->append(kLever, events.size(), {{pull ? kPulled : kReleased, std::move(body)}}));
  return {};
}

Result<std::vector<std::string>> RunPlace::runs(size_t limit) {
  DR_TRY(auto streams, journal_->streams("run/", limit));
  for (std::string& stream : streams) stream.erase(0, 4);
  return streams;
}

Result<std::vector<std::string>> RunPlace::newest_and_open(size_t newest, const FindType& find_type) {
  DR_TRY(auto ids, runs(newest));
  for (const Target target : {Target::kProduction, Target::kStaging, Target::kSandbox}) {
    DR_TRY(const auto held, holder(target, find_type));
    if (held && std::ranges::find(ids, held->run) == ids.end()) ids.push_back(held->run);
  }
  return ids;
}

}  // namespace daruma::run
