#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/run_session.h"
#include "cli/run_view.h"
#include "os/environment.h"
#include "os/files.h"
#include "run/check.h"
#include "run/step_inputs.h"
#include "run/worker.h"

namespace daruma {
namespace {

using namespace run;

Value::Map arguments_of(const Invocation& invocation) {
  Value::Map arguments;
  for (const auto& [name, value] : invocation.pairs("--param"))
    arguments.insert_or_assign(name, Value(value));
  return arguments;
}

Status refuse_broken(const App& app, const Plan& plan, const Library& library) {
  CheckWorld world{.types = step_types(), .config = &*app.config};
  world.find_plan = library.finder();
  std::string errors;
  for (const run::Finding& finding : check_plan(plan, world))
    if (finding.severity == Severity::kError) errors += "\n  " + to_line(finding, plan.file);
  if (errors.empty()) return {};
  return Error{Errc::kRefused, fmt::format("plan '{}' would not do what it says:{}", plan.name, errors),
               fmt::format("mend it; daruma plan check {} shows this too", plan.name)};
}

// A precondition acts in a process of its own, as a step does: it may print and hang, and is ended in time.
Status meet(App& app, const FrozenPlan& plan, const Action& action, Target target, const Path& folder) {
  const StepType* type = find_step_type(action.type);
  if (!type || !type->act || type->effect != Effect::kObserve)
    return Error{Errc::kRefused,
                 fmt::format("precondition '{}' is not a step that only observes", action.type)};
  Step step;
  step.action = action;
  DR_TRY(const Value with,
         fill(Value(action.with), lookup_for(plan, step, [](std::string_view) { return std::nullopt; })));
  DR_TRY(const Value::Map inputs, step_inputs(*type, *with.map()));
  Assignment assignment;
  assignment.order.type = type->name;
  assignment.order.with = Value(inputs);
  assignment.order.timeout = type->timeout;
  assignment.order.target = target;
  assignment.config = config_file(app);
  assignment.run_directory = folder;
  DR_OK(write_assignment(app.fs, folder, assignment));
  const auto ended = app.processes.run({.argv = {this_program().string(), "__act", folder.string()}},
                                       app.clock.after(type->timeout + 5s));
  const auto answer = ended.ok() ? read_answer(app.fs, folder) : Result<Value>(ended.error());
  DR_OK(remove_tree(app.fs, folder));
  if (answer.ok()) return {};
  return Error{Errc::kRefused,
               fmt::format("precondition '{}' is not met: {}", action.type, answer.error().what),
               answer.error().hint};
}

// What is added to a journal that does not verify, nobody may believe.
Status refuse_damaged(const App& app) {
  const Path file = app.config->state / kJournalFile;
  const auto checked = check_journal(app.fs, file, std::nullopt);
  if (!checked.is(Errc::kCorrupt)) return {};
  return Error{Errc::kRefused, "the journal is damaged: " + checked.error().what,
               fmt::format("set it aside with its runs, then type the same again: mkdir {0}/damaged && mv "
                           "{0}/journal.db* {0}/runs {0}/damaged/",
                           app.config->state.string())};
}

// What must be so before the first step (requirement A24).
Status check_preconditions(App& app, const FrozenPlan& plan, Target target) {
  for (const Action& action : plan.plan.preconditions) {
    const std::string name = app.random.id<Id<struct FolderTag, 8>>().hex();
    DR_OK(meet(app, plan, action, target, app.config->state / "preconditions" / name));
  }
  return {};
}

Result<RunCreated> created_of(const App& app, FrozenPlan plan, Target target, const Invocation& invocation) {
  RunCreated created;
  created.plan = std::move(plan);
  created.target = target;
  created.by = person_of(this_user());
  created.config_file = config_file(app).string();
  created.reason = invocation.value("--reason").value_or("");
  for (const TargetConfig& config : app.config->targets)
    if (config.name == to_string(target) && config.approval) {
      created.policy.count = config.approval->count;
      created.policy.groups = config.approval->groups;
      created.by_starter = config.approval->by_starter;
      created.expires = config.approval->expires;
    }
  return created;
}

int finish(App& app, const Result<RunState>& state) {
  if (!state.ok()) return report_error(app, state.error());
  if (!app.json) {
    if (state->end())
      app.out.write("\n" + state->summary(japanese_terminal()) + "\n");
    else
      app.out.write(fmt::format("\nthe run stands still; go on with it: daruma resume {}\n", state->id()));
  }
  return exit_of(*state);
}

}  // namespace

int run_recover(App& app, const Invocation& invocation) {
  const auto start = [&]() -> Result<int> {
    DR_TRY(const Library library, open_library(app));
    DR_TRY(const Plan plan, find_plan(app, library, invocation.arguments.at(0)));
    DR_TRY(const Target target, target_of(app, invocation.value("--target")));
    DR_TRY(FrozenPlan frozen, freeze(plan, arguments_of(invocation), library.finder()));
    DR_OK(check_arguments(frozen, *app.config));
    DR_OK(refuse_broken(app, plan, library));
    if (invocation.has("--dry-run"))
      return dry_run(app, frozen, target, [&](const Action& action, const Path& folder) {
        return meet(app, frozen, action, target, folder);
      });
    DR_OK(check_preconditions(app, frozen, target));
    DR_TRY(RunPlace place, open_runs(app));
    DR_OK(refuse_damaged(app));
    DR_TRY(const RunCreated created, created_of(app, std::move(frozen), target, invocation));
    DR_TRY(const std::string config, config_text(app));
    DR_TRY(const std::string id, place.create(created, find_step_type, config));
    if (!app.json)
      app.out.write(fmt::format("{}  {}\non {}; watch it from elsewhere: daruma runs {}\n\n",
                                paint(app.out, Colour::kBold, id), in_our_language(plan.title, plan.name),
                                to_string(target), id));
    return finish(app, carry_out_here(app, place, id, invocation.has("--yes"), !invocation.has("--no-wait")));
  };
  const Result<int> code = start();
  return code.ok() ? *code : report_error(app, code.error());
}

int run_resume(App& app, const Invocation& invocation) {
  const std::string& id = invocation.arguments.at(0);
  const auto resume = [&]() -> Result<int> {
    DR_TRY(RunPlace place, open_runs(app));
    DR_TRY(const RunState state, load_run(place.journal(), id, find_step_type));
    if (state.end()) {
      if (!app.json) app.out.write(describe(app, state));
      return exit_of(state);
    }
    if (!app.json) app.out.write(describe(app, state) + "\ngoing on\n");
    return finish(app, carry_out_here(app, place, id, invocation.has("--yes"), !invocation.has("--no-wait")));
  };
  const Result<int> code = resume();
  return code.ok() ? *code : report_error(app, code.error());
}

}  // namespace daruma
