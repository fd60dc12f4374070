#include <fmt/format.h>

#include "base/table.h"
#include "cli/alarm.h"
#include "cli/asked_view.h"
#include "cli/commands.h"
#include "cli/run_session.h"
#include "cli/run_view.h"
#include "os/terminal.h"

namespace daruma {
namespace {

using namespace run;

constexpr size_t kListed = 20, kCounted = 100'000;
constexpr Duration kAnswerWithin = 10s;

std::string state_word(RunPlace& place, const RunState& state) {
  if (state.end()) return std::string(to_string(state.end()->outcome));
  if (!waits_for(state).empty()) return "waits for a person";
  const auto carried = place.is_carried(state.id());
  return carried.ok() && *carried ? "runs" : "stands still";
}

Value as_value(RunPlace& place, const RunState& state) {
  Value value;
  value.set("run", state.id())
      .set("plan", state.created().plan.plan.name)
      .set("state", state_word(place, state));
  value.set("target", std::string(to_string(state.created().target)))
      .set("started_at", to_rfc3339(state.started_at()));
  value.set("by", state.created().by.name);
  if (state.ended_at()) value.set("ended_at", to_rfc3339(*state.ended_at()));
  Value::List steps;
  for (const Step& step : state.steps()) {
    const StepState& at = state.at(step.id);
    Value entry;
    entry.set("step", step.id).set("do", step.action.type).set("state", std::string(to_string(at.phase)));
    entry.set("attempts", at.attempts.size())
        .set("undone", at.undone)
        .set("undo_failed", at.undo_failed)
        .set("outputs", at.outputs)
        .set("error", at.error);
    steps.push_back(std::move(entry));
  }
  return value.set("steps", std::move(steps));
}

Result<int> show_one(App& app, const std::string& id) {
  auto place = open_runs(app);
  if (place.is(Errc::kRefused)) {  // of somebody else's run we see what it asks of us, and nothing else
    DR_TRY(const Value asked, asked_here(app, id));
    app.out.write(app.json ? to_json(asked) + "\n" : describe_asked(asked, true));
    return kDone;
  }
  DR_OK(place);
  DR_TRY(const RunState state, load_run(place->journal(), id, find_step_type));
  app.out.write(app.json ? to_json(as_value(*place, state)) + "\n" : describe(app, state));
  return kDone;
}

Result<int> list(App& app, RunPlace& place) {
  DR_TRY(const auto ids, place.newest_and_open(kListed, find_step_type));
  DR_TRY(const auto every, place.runs(kCounted));
  Value::List all;
  Table table({{"run"}, {"target"}, {"started"}, {"by"}, {"state"}});
  for (const std::string& id : ids) {
    DR_TRY(const RunState state, load_run(place.journal(), id, find_step_type));
    all.push_back(as_value(place, state));
    table.row({id, std::string(to_string(state.created().target)),
               to_rfc3339(state.started_at()).substr(0, 19) + "Z", state.created().by.name,
               state_word(place, state) + (state.remains().empty() ? "" : ", something remains")});
  }
  if (app.json)
    app.out.write(to_json(Value().set("runs", std::move(all))) + "\n");
  else
    app.out.write(ids.empty() ? "no plan has been run yet; daruma plan list shows what could be\n"
                              : table.text());
  if (!app.json && every.size() > ids.size())
    app.out.write(fmt::format("and {} older, which have all ended\n", every.size() - ids.size()));
  return kDone;
}

// Over the socket of whoever carries the run out; else into the journal ourselves.
Status ask(App& app, const std::string& id, const Request& request) {
  const Status asked = ask_control(app.config->state, id, request, kAnswerWithin);
  if (!asked.is(Errc::kUnavailable) && !asked.is(Errc::kNotFound)) return asked;
  DR_TRY(RunPlace place, open_runs_of(app, id));
  DR_TRY(const RunState state, load_run(place.journal(), id, find_step_type));
  DR_TRY(const bool carried, place.is_carried(id));
  if (carried) return asked;  // somebody does, and does not answer
  const RunnerWorld world = runner_world(app);
  const auto hands = runner_hands(world, place, id, config_file(app));
  EngineParts parts{
      .journal = place.journal(), .clock = app.clock, .hands = *hands, .find_type = find_step_type};
  parts.on_event = [&](const RunState& run, const JournalEvent& event) {
    tell_of_broken_glass(app, *app.config, run, event);
  };
  return post_letter(parts, id, event_of(request, person_of(this_user())));
}

// At a terminal, to agree to what destroys takes typing the step's name: nobody does that out of habit.
Status confirm(App& app, const std::string& id, const Request& request) {
  if (!request.yes || app.json || !at_terminal()) return {};
  DR_TRY(Value asked, asked_here(app, id));
  Value::List of_step;
  for (const Value& ask : *asked.find("asks")->list())
    if (ask.text_at("step") == request.step &&
        (ask.text_at("effect") == to_string(Effect::kDestroy) || ask.text_at("do") == "approve"))
      of_step.push_back(ask);
  if (of_step.empty() || of_step.front().text_at("kind") != "approval") return {};
  forget_typed();  // what was typed before the question; never after it, when somebody may be typing already
  app.out.write(describe_asked(asked.set("asks", std::move(of_step)), true) +
                "\nto agree, type the name of the step: ");
  app.out.flush();
  const auto line = wait_for_line(app.clock, app.stop);
  if (line && *line == request.step) return {};
  return Error{Errc::kRefused,
               fmt::format("'{}' is not '{}': nothing was approved", line.value_or(""), request.step)};
}

int tell(App& app, const Status& status, const std::string& done) {
  if (!status.ok()) return report_error(app, status.error());
  if (app.json)
    app.out.write(to_json(Value().set("ok", true)) + "\n");
  else
    app.out.write(done + "\n");
  return kDone;
}

}  // namespace

int run_runs(App& app, const Invocation& invocation) {
  const auto show = [&]() -> Result<int> {
    if (!invocation.arguments.empty()) return show_one(app, invocation.arguments[0]);
    DR_TRY(RunPlace place, open_runs(app));
    return list(app, place);
  };
  const Result<int> code = show();
  return code.ok() ? *code : report_error(app, code.error());
}

int run_approve(App& app, const Invocation& invocation) {
  const std::string& id = invocation.arguments.at(0);
  Request request{.step = invocation.arguments.at(1)};
  request.yes = !invocation.has("--reject");
  request.break_glass = invocation.has("--break-glass");
  request.reason = invocation.value("--reason").value_or("");
  if (const Status confirmed = confirm(app, id, request); !confirmed.ok())
    return report_error(app, confirmed.error());
  // Whether the step waits for an approval or for an answer, only its run knows.
  Status asked = ask(app, id, request);
  if (asked.is(Errc::kRefused) &&
      asked.error().what.find("does not wait for an approval") != std::string::npos) {
    request.kind = Request::Kind::kAnswer;
    asked = ask(app, id, request);
  }
  return tell(app, asked,
              fmt::format("{} {} of {}", request.yes ? "approved" : "rejected", request.step, id));
}

int run_halt(App& app, const Invocation& invocation) {
  const bool release = invocation.has("--release");
  const auto halt = [&]() -> Status {
    DR_TRY(RunPlace place, open_runs(app));
    return place.halt(!release, person_of(this_user()), invocation.value("--reason").value_or(""));
  };
  return tell(app, halt(),
              release ? "runs may act again" : "no run changes anything until: daruma halt --release");
}

int run_abort(App& app, const Invocation& invocation) {
  const std::string& id = invocation.arguments.at(0);
  Request request{.kind = Request::Kind::kAbort, .step = ""};
  request.reason = invocation.value("--reason").value_or("");
  return tell(app, ask(app, id, request),
              fmt::format("{} is being aborted: what can be undone is undone, newest first\n"
                          "where nobody carries it out, do so: daruma resume {}",
                          id, id));
}

}  // namespace daruma
