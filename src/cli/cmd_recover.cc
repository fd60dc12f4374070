#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/run_session.h"
#include "cli/run_view.h"
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

// The context of a step that only observes, in this process.
StepContext context_to_look(App& app, const RunnerWorld& world, const StepType& type, const Value& with,
                            Target target) {
  Assignment assignment;
  assignment.order.type = type.name;
  assignment.order.with = with;
  assignment.order.timeout = type.timeout;
  assignment.order.target = target;
  assignment.run_directory = app.config->state / "runs" / "none";
  StepContext context = context_for(world, *app.config, assignment, assignment.run_directory, app.stop);
  context.say = [](const std::string&) {};
  return context;
}

// A precondition acts in a process of its own, as a step does: it may print and hang, and is ended in time.
Result<Value> meet(App& app, const RunnerWorld& world, const StepType& type, const Value& with,
                   Target target) {
  const Path folder = app.config->state / "preconditions" / app.random.id<Id<struct FolderTag, 8>>().hex();
  Assignment assignment;
  assignment.order.type = type.name;
  assignment.order.with = with;
  assignment.order.timeout = type.timeout;
  assignment.order.target = target;
  assignment.config = config_file(app);
  assignment.run_directory = folder;
  DR_OK(write_assignment(app.fs, folder, assignment));
  const auto ended = app.processes.run({.argv = {world.daruma_program.string(), "__act", folder.string()}},
                                       app.clock.after(type.timeout + 5s));
  const auto answer = ended.ok() ? read_answer(app.fs, folder) : Result<Value>(ended.error());
  DR_OK(remove_tree(app.fs, folder));
  return answer;
}

// What must be so before the first step (requirement A24).
Status check_preconditions(App& app, const FrozenPlan& plan, Target target) {
  const RunnerWorld world = runner_world(app);
  for (const Action& action : plan.plan.preconditions) {
    const StepType* type = find_step_type(action.type);
    if (!type || !type->act || type->effect != Effect::kObserve)
      return Error{Errc::kRefused,
                   fmt::format("precondition '{}' is not a step that only observes", action.type)};
    Step step;
    step.action = action;
    DR_TRY(const Value with,
           fill(Value(action.with), lookup_for(plan, step, [](std::string_view) { return std::nullopt; })));
    DR_TRY(const Value::Map inputs, step_inputs(*type, *with.map()));
    const auto met = meet(app, world, *type, Value(inputs), target);
    if (!met.ok())
      return Error{Errc::kRefused,
                   fmt::format("precondition '{}' is not met: {}", action.type, met.error().what),
                   met.error().hint};
  }
  return {};
}

// --- the dry run: what would be done, to what

void print_lines(App& app, std::string_view mark, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) app.out.write(fmt::format("       {} {}\n", mark, line));
}

void preview_step(App& app, const FrozenPlan& plan, const Step& step, Target target, Value::List& out) {
  const StepType* type = find_step_type(step.action.type);
  Value shown;
  shown.set("step", step.id).set("do", step.action.type);
  std::vector<std::string> would, by_hand;
  const auto known =
      fill(Value(step.action.with), lookup_for(plan, step, [](std::string_view) { return std::nullopt; }));
  if (!type->preview && type->act) would = {"cannot be previewed; nothing is done"};
  if (!known.ok()) would = {"depends on what earlier steps find: " + to_json(Value(step.action.with))};
  const auto inputs = known.ok() ? step_inputs(*type, *known->map()) : Result<Value::Map>(known.error());
  if (type->preview && known.ok() && !inputs.ok()) would = {inputs.error().what};
  if (type->preview && inputs.ok()) {
    const RunnerWorld world = runner_world(app);
    StepContext context = context_to_look(app, world, *type, Value(*inputs), target);
    const auto preview = type->preview(context);
    if (preview.ok())
      would = preview->would, by_hand = preview->by_hand;
    else
      would = {"cannot be previewed now: " + preview.error().what};
  }
  shown.set("effect", std::string(to_string(type->effect)));
  shown.set("would", Value::List(would.begin(), would.end()))
      .set("by_hand", Value::List(by_hand.begin(), by_hand.end()));
  out.push_back(shown);
  if (app.json) return;
  const Colour colour = type->effect == Effect::kDestroy  ? Colour::kRed
                        : type->effect == Effect::kChange ? Colour::kYellow
                                                          : Colour::kFaint;
  app.out.write(fmt::format("  {}  {}  {}\n",
                            paint(app.out, Colour::kBold, in_our_language(step.title, step.id)),
                            step.action.type, paint(app.out, colour, to_string(type->effect))));
  if (step.when) app.out.write(fmt::format("       when {}\n", step.when->text()));
  if (step.approve || step.action.type == "approve") app.out.write("       asks for an approval\n");
  print_lines(app, "→", would);
  print_lines(app, "$", by_hand);
}

int dry_run(App& app, const FrozenPlan& plan, Target target) {
  Value::List steps;
  if (!app.json)
    app.out.write(fmt::format("{} {} on {}: nothing is done\n\n", paint(app.out, Colour::kYellow, "DRY RUN"),
                              plan.plan.name, to_string(target)));
  for (const Step& step : plan.plan.steps) preview_step(app, plan, step, target, steps);
  if (app.json)
    app.out.write(to_json(Value().set("dry_run", true).set("plan", plan.plan.name).set("steps", steps)) +
                  "\n");
  else
    app.out.write(fmt::format("\n{} nothing was done\n", paint(app.out, Colour::kYellow, "DRY RUN")));
  return kDone;
}

Result<RunCreated> created_of(const App& app, FrozenPlan plan, Target target, const Invocation& invocation) {
  RunCreated created;
  created.plan = std::move(plan);
  created.target = target;
  created.by = person_of(this_user());
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
    DR_OK(refuse_broken(app, plan, library));
    if (invocation.has("--dry-run")) return dry_run(app, frozen, target);
    DR_OK(check_preconditions(app, frozen, target));
    DR_TRY(RunPlace place, open_runs(app));
    DR_TRY(const RunCreated created, created_of(app, std::move(frozen), target, invocation));
    DR_TRY(const std::string id, place.create(created, find_step_type));
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
