// Makes of a plan, the plans it nests and its parameters the one flat thing that a run interprets.

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/closest.h"
#include "run/graph.h"
#include "run/parameter.h"
#include "run/plan.h"
#include "run/plan_links.h"
#include "run/plan_value.h"

namespace daruma::run {
namespace {

constexpr size_t kDeepest = 8;
constexpr size_t kStepsMost = 20000;

// The values of a plan's parameters. `given` may hold references; then `known` holds what can be told before
// the run, and the arguments keep the references.
struct Arguments {
  Value::Map arguments;
  Value::Map known;
};

Status check_names(const Plan& plan, const Value::Map& given) {
  std::vector<std::string> names;
  for (const Parameter& parameter : plan.parameters) names.push_back(parameter.name);
  for (const auto& [name, value] : given)
    if (std::ranges::find(names, name) == names.end())
      return Error{Errc::kInvalid,
                   names.empty() ? fmt::format("plan '{}' has no parameters, so no '{}'", plan.name, name)
                                 : fmt::format("plan '{}' has no parameter '{}'{}", plan.name, name,
                                               suggestion(name, names))};
  return {};
}

Error missing(const Plan& plan, const Parameter& parameter) {
  return {Errc::kInvalid,
          fmt::format("plan '{}': parameter '{}' ({}) is missing", plan.name, parameter.name,
                      to_string(parameter.type)),
          fmt::format("give it with --param {}=VALUE", parameter.name)};
}

std::string joined(const std::string& group, const std::string& id) {
  return group.empty() ? id : group + "/" + id;
}

class Freezer {
 public:
  explicit Freezer(const FindPlan& find) : find_(find) {}

  Result<FrozenPlan> run(const Plan& plan, const Value::Map& given) {
    DR_OK(check_names(plan, given));
    Value::Map values;
    for (const Parameter& parameter : plan.parameters) {
      const auto found = given.find(parameter.name);
      if (found == given.end() && !parameter.standard) return missing(plan, parameter);
      DR_TRY(Value value,
             parameter_value(parameter, found == given.end() ? *parameter.standard : found->second));
      values.emplace(parameter.name, std::move(value));
    }
    out_.plan = plan;
    out_.plan.steps.clear();
    out_.scopes.push_back({.group = "", .arguments = values});
    DR_OK(add(plan, "", values, Inherited{}));
    out_.hash = hash_of(out_);
    return std::move(out_);
  }

 private:
  // What a nested plan takes over from the step that nests it.
  struct Inherited {
    bool conditional = false;  // that step may be skipped
    OnFailure on_failure = OnFailure::kFail;
    std::string raise = {};
    std::vector<std::string> roots = {};  // what its first steps need
  };

  // Appends the steps of `plan`. Returns the ids of those that nothing in it waits for.
  Result<std::vector<std::string>> add(const Plan& plan, const std::string& group, const Value::Map& known,
                                       const Inherited& inherited) {
    if (std::ranges::find(open_, plan.name) != open_.end())
      return Error{Errc::kInvalid, fmt::format("plan '{}' nests itself: {}, {}", plan.name,
                                               fmt::join(open_, ", "), plan.name)};
    if (open_.size() == kDeepest)
      return Error{Errc::kInvalid,
                   fmt::format("plans are nested deeper than {}: {}", kDeepest, fmt::join(open_, ", "))};
    const Graph graph(plan.steps);
    if (!graph.cycle().empty())
      return Error{Errc::kInvalid, fmt::format("plan '{}': step '{}' waits for itself", plan.name,
                                               plan.steps[graph.cycle()[0]].id)};
    open_.push_back(plan.name);
    std::map<std::string, std::vector<std::string>> ends;  // of each step, by its own id: who must have ended
    std::vector<size_t> places;
    for (const Step& step : plan.steps) {
      if (out_.plan.steps.size() == kStepsMost)
        return Error{Errc::kInvalid, fmt::format("the plan has more than {} steps", kStepsMost)};
      places.push_back(out_.plan.steps.size());
      DR_TRY(Step frozen, frozen_step(step, group, inherited));
      out_.plan.steps.push_back(frozen);
      ends[step.id] = {frozen.id};
      if (step.action.type != kNest) continue;
      DR_TRY(ends[step.id], nest(plan, step, frozen, known));
    }
    for (size_t i = 0; i < plan.steps.size(); ++i)
      out_.plan.steps[places[i]].needs = needs_of(plan.steps[i], ends, inherited);
    open_.pop_back();
    std::vector<std::string> last;
    for (size_t i = 0; i < plan.steps.size(); ++i)
      if (graph.needed_by(i).empty()) std::ranges::copy(ends[plan.steps[i].id], std::back_inserter(last));
    return last;
  }

  static std::vector<std::string> needs_of(const Step& step,
                                           const std::map<std::string, std::vector<std::string>>& ends,
                                           const Inherited& inherited) {
    if (step.needs.empty()) return inherited.roots;
    std::vector<std::string> needs;
    for (const std::string& need : step.needs)
      if (const auto found = ends.find(need); found != ends.end())
        std::ranges::copy(found->second, std::back_inserter(needs));
    return needs;
  }

  static Result<Step> frozen_step(const Step& step, const std::string& group, const Inherited& inherited) {
    Step frozen = step;
    frozen.id = joined(group, step.id);
    frozen.group = group;
    if (inherited.on_failure == OnFailure::kUndo && step.on_failure == OnFailure::kFail)
      frozen.on_failure = OnFailure::kUndo;
    if (frozen.raise.empty()) frozen.raise = inherited.raise;
    if (!inherited.conditional) return frozen;
    const std::string own = step.when ? fmt::format(" and ({})", step.when->text()) : "";
    DR_TRY(frozen.when, Expression::parse("group.succeeded" + own));
    return frozen;
  }

  Result<std::vector<std::string>> nest(const Plan& outer, const Step& step, const Step& frozen,
                                        const Value::Map& known) {
    const auto named = step.action.with.find(kNest);
    const std::string* name = named == step.action.with.end() ? nullptr : named->second.text();
    const std::string place = fmt::format("plan '{}', step '{}'", outer.name, step.id);
    if (!name) return Error{Errc::kInvalid, place + ": 'with: {plan: NAME}' is missing"};
    auto found = find_(*name);
    if (!found.ok()) return Error{Errc::kInvalid, found.error().what, found.error().hint}.in(place);
    auto arguments = arguments_of(*found, step.action.with, known);
    if (!arguments.ok()) return Error(arguments.error()).in(place);
    out_.scopes.push_back({.group = frozen.id, .arguments = arguments->arguments});
    for (const std::string& contact : found->contacts)
      if (std::ranges::find(out_.plan.contacts, contact) == out_.plan.contacts.end())
        out_.plan.contacts.push_back(contact);
    Inherited inherited{.conditional = frozen.when.has_value(),
                        .on_failure = frozen.on_failure,
                        .raise = frozen.raise,
                        .roots = {frozen.id}};
    DR_OK(add_preconditions(*found, frozen, arguments->known, inherited));
    return add(*found, frozen.id, arguments->known, inherited);
  }

  static Result<Arguments> arguments_of(const Plan& plan, Value::Map given, const Value::Map& known) {
    given.erase(std::string(kNest));
    DR_OK(check_names(plan, given));
    Arguments out;
    for (const Parameter& parameter : plan.parameters) {
      const auto found = given.find(parameter.name);
      if (found == given.end() && !parameter.standard) return missing(plan, parameter);
      Result<Value> filled = found == given.end() ? literally(*parameter.standard) : found->second;
      filled = fill(*filled, lookup_in(known));
      if (!filled.ok()) {  // only the run will tell
        out.arguments.emplace(parameter.name, found->second);
        continue;
      }
      DR_TRY(Value value, parameter_value(parameter, *filled));
      out.arguments.emplace(parameter.name, literally(value));
      out.known.emplace(parameter.name, std::move(value));
    }
    return out;
  }

  // A nested plan's preconditions are checked with the outermost's, before anything is touched, where their
  // values are known by then.
  Status add_preconditions(const Plan& plan, const Step& nesting, const Value::Map& known,
                           Inherited& inherited) {
    const std::vector<std::string> before = inherited.roots;
    for (size_t i = 0; i < plan.preconditions.size(); ++i) {
      const Action& action = plan.preconditions[i];
      const auto filled = fill(Value(action.with), lookup_in(known));
      if (filled.ok() && !inherited.conditional) {
        out_.plan.preconditions.push_back({action.type, *literally(*filled).map()});
        continue;
      }
      Step step;
      step.id = fmt::format("precondition-{}", i + 1);
      step.action = action;
      DR_TRY(Step frozen, frozen_step(step, nesting.id, inherited));
      if (std::ranges::any_of(plan.steps, [&](const Step& other) { return other.id == step.id; }))
        return Error{Errc::kInvalid,
                     fmt::format("plan '{}': a step cannot be named '{}'", plan.name, step.id)};
      frozen.needs = before;
      inherited.roots.push_back(frozen.id);
      out_.plan.steps.push_back(std::move(frozen));
    }
    return {};
  }

  static Lookup lookup_in(const Value::Map& known) {
    return [&known](std::string_view name) -> std::optional<Value> {
      const auto found = known.find(name);
      return found == known.end() ? std::nullopt : std::optional(found->second);
    };
  }

  const FindPlan& find_;
  FrozenPlan out_;
  std::vector<std::string> open_;  // the plans we are in, outermost first
};

Lookup lookup_in_group(const FrozenPlan& plan, const std::string& group, Lookup outer) {
  return [&plan, group, outer = std::move(outer)](std::string_view name) -> std::optional<Value> {
    if (name.starts_with("run.")) return outer(name);
    if (name.starts_with("steps.")) return outer("steps." + joined(group, std::string(name.substr(6))));
    if (name.starts_with("group.") && !group.empty())
      return outer(fmt::format("steps.{}{}", group, name.substr(5)));
    const auto scope = std::ranges::find(plan.scopes, group, &FrozenPlan::Scope::group);
    if (scope == plan.scopes.end()) return std::nullopt;
    const auto argument = scope->arguments.find(name);
    if (argument == scope->arguments.end()) return std::nullopt;
    if (group.empty()) return argument->second;  // as it was given, dollars and all
    const size_t slash = group.rfind('/');
    const std::string above = slash == std::string::npos ? "" : group.substr(0, slash);
    const auto filled = fill(argument->second, lookup_in_group(plan, above, outer));
    return filled.ok() ? std::optional(*filled) : std::nullopt;
  };
}

}  // namespace

Result<FrozenPlan> freeze(const Plan& plan, const Value::Map& arguments, const FindPlan& find) {
  return Freezer(find).run(plan, arguments);
}

Lookup lookup_for(const FrozenPlan& plan, const Step& step, Lookup outer) {
  return lookup_in_group(plan, step.group, std::move(outer));
}

}  // namespace daruma::run
