#include "cli/run_session.h"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>

#include "base/digest.h"
#include "cli/alarm.h"
#include "cli/ask_here.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "journal/anchor.h"
#include "os/environment.h"
#include "os/files.h"
#include "run/asked.h"
#include "run/safety_world.h"
#include "run/worker.h"

namespace daruma {

using namespace run;

Result<Library> open_library(const App& app) {
  return load_library(app.fs,
                      app.config->file.empty() ? app.working_directory : app.config->file.parent_path(),
                      app.config->plans);
}

Result<Plan> find_plan(const App& app, const Library& library, const std::string& word) {
  if (word.find('/') == std::string::npos && !word.ends_with(".yaml")) return library.find(word);
  return load_plan(app.fs, (app.working_directory / word).lexically_normal());
}

namespace {

// A new journal beside the runs of another would deny them all.
Status refuse_lost_journal(const App& app, const Path& state) {
  const auto there = exists(app.fs, state / kJournalFile);
  if (!there.ok() || *there) return {};
  const auto runs = app.fs.list_dir(state / "runs");
  if (!runs.ok() || runs->empty()) return {};
  return Error{Errc::kRefused,
               fmt::format("{} is gone, though {} holds {} runs", (state / kJournalFile).string(),
                           (state / "runs").string(), runs->size()),
               fmt::format("bring it back from a copy of {0}; where there is none, set the runs aside: mv "
                           "{0}/runs {0}/runs.without-journal",
                           state.string())};
}

}  // namespace

Result<RunPlace> open_runs(const App& app) {
  const Path& state = app.config->state;
  DR_OK(refuse_lost_journal(app, state));
  auto place = RunPlace::open(app.fs, app.clock, state);
  if (place.is(Errc::kRefused) && app.fs.list_dir(state / "runs").is(Errc::kRefused))
    return Error{
        Errc::kRefused,
        fmt::format("the runs in {} are another user's; you are {}", state.string(), this_user().name),
        "what a run asks of you: daruma runs RUN, daruma approve RUN STEP; all else as that user"};
  const auto room = app.fs.free_bytes(state);
  if (!place.ok() && (place.is(Errc::kNoSpace) || (room.ok() && *room == 0)))
    return Error{Errc::kRefused,
                 fmt::format("no space left on the disk of {}: {}", state.string(), place.error().what),
                 "make room there, then type the same again; nothing was begun"};
  return place;
}

StepTimes usual_times_here(const App& app, const std::string& plan) {
  const auto times = [&]() -> Result<StepTimes> {
    DR_TRY(const bool ran, exists(app.fs, app.config->state / kJournalFile));
    if (!ran) return StepTimes{};
    DR_TRY(RunPlace place, open_runs(app));
    return usual_times(place.journal(), plan, find_step_type);
  }();
  return times.ok() ? *times : StepTimes{};
}

RunnerWorld runner_world(const App& app) { return {app.fs, app.clock, app.processes, this_program()}; }

Path config_file(const App& app) { return app.config->file; }

Result<Target> target_of(const App& app, const std::optional<std::string>& word) {
  const std::string name = word.value_or("production");
  const auto known = std::ranges::find(app.config->targets, name, &TargetConfig::name);
  if (word && known == app.config->targets.end())
    return Error{Errc::kRefused, fmt::format("daruma.yaml has no target '{}'", name),
                 "name it under `targets:`"};
  return target_named(name).value_or(Target::kProduction);
}

namespace {

// The journal's head goes into the repository before anything is destroyed: a chain alone cannot show that
// its end was cut. Where no repository was ever made, there is nothing to put it into, and that is said.
Status anchor(App& app, RunPlace& place) {
  const auto session = open_session(app);
  if (session.is(Errc::kNotFound)) {
    app.err.write("the journal's head is not anchored: there is no repository (daruma init makes it)\n");
    return {};
  }
  const Status anchored = [&]() -> Status {
    DR_OK(session);
    DR_TRY(const StateDirectory state, open_state(app));
    DR_TRY(const JournalHead head, place.journal().head());
    return put_journal_anchor(*session->repository, state.writer(), head);
  }();
  if (anchored.ok()) return {};
  return Error{anchored.error().code, "the journal's head cannot be anchored: " + anchored.error().what,
               anchored.error().hint};
}

// What an event asks of people; when a run is taken over, everything that waits for them.
std::vector<std::pair<std::string, AskHere::What>> asked_by(const RunState& state,
                                                            const JournalEvent& event) {
  using What = AskHere::What;
  const auto body = event_of(event);
  if (!body.ok()) return {};
  if (const auto* asked = std::get_if<ApprovalAsked>(&*body)) return {{asked->step, What::kMayItGoOn}};
  if (const auto* asked = std::get_if<PersonAsked>(&*body))
    return {{asked->step, asked->attempt == 0 ? What::kIsItDone : What::kDidItHappen}};
  std::vector<std::pair<std::string, What>> all;
  if (!std::holds_alternative<EngineTook>(*body)) return all;
  for (const Step& step : state.steps()) {
    const StepState& at = state.at(step.id);
    if (at.phase == StepPhase::kAsking && at.approval && !at.approval->granted)
      all.emplace_back(step.id, What::kMayItGoOn);
    if (at.phase == StepPhase::kPerson)
      all.emplace_back(step.id, at.attempts.empty() ? What::kIsItDone : What::kDidItHappen);
  }
  return all;
}

}  // namespace

namespace {

// What the run's steps act by.
Result<Config> kept_config(const App& app, const RunPlace& place, const RunState& run) {
  const RunCreated& created = run.created();
  if (created.config_hash.empty()) return *app.config;
  Assignment assignment;
  assignment.config = created.config_file;
  assignment.config_hash = created.config_hash;
  assignment.run_directory = place.directory(run.id());
  return config_of(app.fs, assignment);
}

void say_where_config_changed(App& app, const RunPlace& place, const RunState& run) {
  const RunCreated& created = run.created();
  if (created.config_hash.empty()) return;
  const auto now = read_file(app.fs, created.config_file, kLargestRunConfig);
  if (now.ok() && sha256_hex(as_text(*now)) == created.config_hash) return;
  app.err.write(fmt::format("{} is not what this run began with; its steps act by {}\n", created.config_file,
                            (place.directory(run.id()) / kRunConfig).string()));
}

}  // namespace

Result<std::string> config_text(const App& app) {
  if (config_file(app).empty()) return std::string();
  DR_TRY(const Bytes bytes, read_file(app.fs, config_file(app), kLargestRunConfig));
  return std::string(as_text(bytes));
}

Result<RunState> carry_out_here(App& app, RunPlace& place, const std::string& id, bool confirms, bool wait) {
  DR_TRY(const RunState before, load_run(place.journal(), id, find_step_type));
  DR_TRY(const Seat seat, place.take(before));
  DR_TRY(const auto control, serve_control(app.fs, app.config->state, id));
  const RunnerWorld world = runner_world(app);
  DR_TRY(const Config config, kept_config(app, place, before));
  const std::string& hash = before.created().config_hash;
  const Path file = hash.empty() ? config_file(app) : Path(before.created().config_file);
  const auto hands = runner_hands(world, place, id, file, hash);
  say_where_config_changed(app, place, before);
  RunView view(app, place, usual_times_here(app, before.created().plan.plan.name));
  if (app.json && before.position() == 1) {  // nobody has seen how it began
    DR_TRY(const auto events, place.journal().read("run/" + id));
    view.show(before, events.front());
  }
  EngineParts parts{
      .journal = place.journal(), .clock = app.clock, .hands = *hands, .find_type = find_step_type};
  parts.wait_for_people = wait;
  parts.safety = real_safety_world(world, config);
  const Person us = person_of(this_user());
  AskHere here(app.out, real_keyboard(), [&](const Request& request) { control->put(request, us); });
  const bool may_answer = wait && !app.json;
  const bool may_agree = may_answer && before.created().by_starter;
  parts.letter = [&] {
    here.listen();
    if (!here.waits()) view.tick();  // or what is being typed is wiped away
    return control->letter();
  };
  parts.before_destroying = [&](const RunState&, const Step&) { return anchor(app, place); };
  bool told = false;
  parts.stopped = [&]() -> std::optional<std::string> {
    const auto halted = place.halted();
    const std::optional<std::string> why = halted.ok() ? *halted : halted.error().what;
    if (why && !std::exchange(told, true))
      app.err.write(*why + "; let runs act again with: daruma halt --release\n");
    return why;
  };
  control->show(asked_of(before));
  parts.on_event = [&](const RunState& state, const JournalEvent& event) {
    view.show(state, event);
    control->show(asked_of(state));
    tell_of_broken_glass(app, config, state, event);
    here.follow(state);
    for (const auto& [step, what] : asked_by(state, event)) {
      const bool approval = what == AskHere::What::kMayItGoOn;
      if (approval && confirms && state.created().by_starter)
        control->put({.step = step, .reason = "--yes"}, us);
      else if (approval ? may_agree : may_answer)
        here.ask(step, what);
    }
  };
  auto state = carry_out(parts, id, seat.epoch, this_pid(), app.stop);
  // Ctrl-C is a person's word; SIGTERM is also what a machine says that goes down.
  if (state.ok() && !state->end() && (!wait || stop_signal() == SIGINT)) DR_OK(place.leave(id));
  return state;
}

}  // namespace daruma
