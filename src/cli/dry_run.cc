#include "cli/dry_run.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/run_session.h"
#include "cli/run_view.h"
#include "run/graph.h"
#include "run/plan_links.h"
#include "run/safety_world.h"
#include "run/step_inputs.h"
#include "run/worker.h"

namespace daruma {
namespace {

using namespace run;

constexpr std::string_view kAgainst = "now ";  // what a preview says before it

// What is known of one step before anything runs.
struct Foreseen {
  std::optional<bool> runs;  // by its `when`; nullopt: decided when it runs
  std::string against;       // why it could not begin now; "": nothing is seen
  bool observed = false;     // whether it could begin now was looked at
  std::vector<std::string> would, by_hand;
};

class DryRun {
 public:
  DryRun(App& app, const FrozenPlan& plan, Target target)
      : app_(app),
        plan_(plan),
        target_(target),
        world_(runner_world(app)),
        graph_(plan.plan.steps),
        usual_(usual_times_here(app, plan.plan.name)) {}

  // In the order in which steps may run, so that what is skipped is known to those after it.
  void foresee() {
    for (const size_t at : graph_.order()) foreseen_[at] = foresee(plan_.plan.steps[at]);
  }

  void print() const {
    for (size_t at = 0; at < plan_.plan.steps.size(); ++at) print(at);
    const auto whole = forecast(plan_.plan.steps, usual_);
    app_.out.write(
        whole ? fmt::format("\n  takes about {}, as the last runs here did, without waiting for people\n",
                            human_duration(*whole))
              : "\n  no basis for a forecast: this plan has not yet succeeded here\n");
  }

  // Steps that will be reached, could not begin, and have nothing before them that could change that.
  std::vector<std::string> obstacles() const {
    std::vector<std::string> out;
    for (const auto& [at, seen] : foreseen_)
      if (seen.runs == true && !seen.against.empty() && !may_change_before(at))
        out.push_back(plan_.plan.steps[at].id);
    return out;
  }

  Value::List values() const {
    Value::List out;
    for (size_t at = 0; at < plan_.plan.steps.size(); ++at) out.push_back(value_of(at));
    return out;
  }

 private:
  // Of an earlier step only whether it is skipped is known.
  std::optional<Value> known(std::string_view name) const {
    const auto reference = step_reference(name);
    const auto found = reference ? graph_.find(reference->step) : std::nullopt;
    const auto foreseen = found ? foreseen_.find(*found) : foreseen_.end();
    if (foreseen == foreseen_.end() || foreseen->second.runs != false) return std::nullopt;
    const std::string_view end = reference->name;
    if (end == "skipped") return Value(true);
    return end == "failed" || end == "succeeded" ? Value(false) : Value();
  }

  Lookup lookup(const Step& step) const {
    return lookup_for(plan_, step, [this](std::string_view name) { return known(name); });
  }

  Foreseen foresee(const Step& step) const {
    Foreseen out;
    out.runs = step.when ? step.when->settled(lookup(step)) : std::optional(true);
    const StepType* type = find_step_type(step.action.type);
    if (out.runs == false || !type) return out;
    const auto filled = fill(Value(step.action.with), lookup(step));
    if (!filled.ok()) {
      out.would = {"depends on what earlier steps find: " + to_json(Value(step.action.with))};
      return out;
    }
    const auto inputs = step_inputs(*type, *filled->map());
    if (!inputs.ok())
      out.would = {inputs.error().what};
    else
      preview(*type, *inputs, out);
    return out;
  }

  void preview(const StepType& type, const Value::Map& inputs, Foreseen& out) const {
    if (!type.act) return;
    if (!type.preview) {
      out.would = {"cannot be previewed; nothing is done"};
      return;
    }
    StepContext context = context_to_look(type, inputs);
    const auto seen = type.preview(context);
    out.observed = true;
    if (!seen.ok()) {
      out.against = seen.error().what;
      return;
    }
    for (const std::string& line : seen->would)
      if (line.starts_with(kAgainst))
        out.against = line.substr(kAgainst.size());
      else
        out.would.push_back(line);
    out.by_hand = seen->by_hand;
    if (out.against.empty() && type.writers != Writers::kPromotes)  // that depends on what is done before it
      if (const Status safe =
              keep_one_writer(type, Verb::kAct, inputs, {}, real_safety_world(world_, *app_.config));
          !safe.ok())
        out.against = safe.error().what;
  }

  StepContext context_to_look(const StepType& type, const Value::Map& inputs) const {
    Assignment assignment;
    assignment.order.type = type.name;
    assignment.order.with = Value(inputs);
    assignment.order.timeout = type.timeout;
    assignment.order.target = target_;
    assignment.run_directory = app_.config->state / "runs" / "none";
    StepContext context = context_for(world_, *app_.config, assignment, assignment.run_directory, app_.stop);
    context.say = [](const std::string&) {};
    return context;
  }

  // Steps before it that change something, and so what stands against it.
  bool may_change_before(size_t at) const {
    const std::vector<bool> before = graph_.ancestors(at);
    for (size_t other = 0; other < before.size(); ++other) {
      const StepType* type = before[other] ? find_step_type(plan_.plan.steps[other].action.type) : nullptr;
      if (type && type->effect != Effect::kObserve && foreseen_.at(other).runs != false) return true;
    }
    return false;
  }

  std::string now_words(size_t at) const {
    const Foreseen& seen = foreseen_.at(at);
    if (!seen.against.empty())
      return "not now: " + seen.against + (may_change_before(at) ? " (steps before it may change that)" : "");
    return seen.observed ? "could begin now" : "whether it can begin is decided when it runs";
  }

  void print(size_t at) const {
    const Step& step = plan_.plan.steps[at];
    const Foreseen& seen = foreseen_.at(at);
    const StepType* type = find_step_type(step.action.type);
    const Effect effect = type ? type->effect : Effect::kObserve;
    const Colour colour = effect == Effect::kDestroy  ? Colour::kRed
                          : effect == Effect::kChange ? Colour::kYellow
                                                      : Colour::kFaint;
    const auto usual = usual_.find(step.id);
    const bool worth_saying = usual != usual_.end() && usual->second >= std::chrono::seconds(1);
    app_.out.write(fmt::format("  {}  {}  {}{}\n",
                               paint(app_.out, Colour::kBold, in_our_language(step.title, step.id)),
                               step.action.type, paint(app_.out, colour, to_string(effect)),
                               worth_saying ? ", usually " + human_duration(usual->second) : ""));
    if (step.when)
      app_.out.write(fmt::format("       when {}: {}\n", step.when->text(),
                                 !seen.runs   ? "decided when it runs"
                                 : *seen.runs ? "holds"
                                              : "does not hold, so it is skipped"));
    if (seen.runs == false) return;
    if (step.approve || step.action.type == "approve") app_.out.write("       asks for an approval\n");
    if (type && type->act) app_.out.write(fmt::format("       {}\n", now_words(at)));
    for (const std::string& line : seen.would) app_.out.write(fmt::format("       → {}\n", line));
    for (const std::string& line : seen.by_hand) app_.out.write(fmt::format("       $ {}\n", line));
  }

  Value value_of(size_t at) const {
    const Step& step = plan_.plan.steps[at];
    const Foreseen& seen = foreseen_.at(at);
    const StepType* type = find_step_type(step.action.type);
    Value value;
    value.set("step", step.id).set("do", step.action.type);
    value.set("effect", std::string(to_string(type ? type->effect : Effect::kObserve)));
    value.set("runs", seen.runs ? Value(*seen.runs) : Value());
    value.set("can_begin_now", seen.observed ? Value(seen.against.empty()) : Value());
    value.set("against", seen.against);
    if (const auto usual = usual_.find(step.id); usual != usual_.end())
      value.set("usually_ms", std::chrono::duration_cast<std::chrono::milliseconds>(usual->second).count());
    value.set("would", Value::List(seen.would.begin(), seen.would.end()));
    value.set("by_hand", Value::List(seen.by_hand.begin(), seen.by_hand.end()));
    return value;
  }

  App& app_;
  const FrozenPlan& plan_;
  const Target target_;
  const RunnerWorld world_;
  const Graph graph_;
  const StepTimes usual_;
  std::map<size_t, Foreseen> foreseen_;  // by the step's place in the plan
};

bool all_met(const Value::List& preconditions) {
  return std::ranges::all_of(preconditions, [](const Value& each) { return each.boolean_at("met"); });
}

// What must be so before the first step, looked at now.
Value::List look_at_preconditions(App& app, const FrozenPlan& plan, const MeetPrecondition& meet) {
  Value::List out;
  for (const Action& action : plan.plan.preconditions) {
    const Path folder =
        std::filesystem::temp_directory_path() / ("daruma-" + app.random.id<Id<struct FolderTag, 8>>().hex());
    const Status met = meet(action, folder);
    out.push_back(
        Value().set("do", action.type).set("met", met.ok()).set("against", met.ok() ? "" : met.error().what));
    if (!app.json)
      app.out.write(fmt::format("  before the first step: {}: {}\n", action.type,
                                met.ok() ? "holds now" : met.error().what));
  }
  return out;
}

}  // namespace

int dry_run(App& app, const FrozenPlan& plan, Target target, const MeetPrecondition& meet) {
  if (!app.json)
    app.out.write(fmt::format("{} {} on {}: nothing is done\n\n", paint(app.out, Colour::kYellow, "DRY RUN"),
                              plan.plan.name, to_string(target)));
  const Value::List preconditions = look_at_preconditions(app, plan, meet);
  DryRun run(app, plan, target);
  run.foresee();
  const std::vector<std::string> obstacles = run.obstacles();
  const int code = all_met(preconditions) && obstacles.empty() ? kDone : kRefused;
  if (app.json) {
    Value all;
    all.set("dry_run", true).set("plan", plan.plan.name).set("preconditions", preconditions);
    all.set("obstacles", Value::List(obstacles.begin(), obstacles.end()));
    app.out.write(to_json(all.set("steps", run.values())) + "\n");
    return code;
  }
  run.print();
  if (!all_met(preconditions))
    app.out.write("\n  as things are, the run would be refused: a precondition is not met\n");
  if (!obstacles.empty())
    app.out.write(fmt::format("\n  as things are, the run would fail at: {}\n", fmt::join(obstacles, ", ")));
  app.out.write(fmt::format("\n{} nothing was done\n", paint(app.out, Colour::kYellow, "DRY RUN")));
  return code;
}

}  // namespace daruma
