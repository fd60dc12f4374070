#include "run/plan_links.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/closest.h"
#include "run/graph.h"

namespace daruma::run {
namespace {

using settings::Reader;

constexpr std::array<std::string_view, 4> kRunNames{"id", "target", "started_at", "plan"};

// Which names a value may hold.
enum class Scope : uint8_t { kParameters, kSteps };

class Linker {
 public:
  Linker(Reader& reader, const YAML::Node& node, Plan& plan) : reader_(reader), node_(node), plan_(plan) {
    for (const Parameter& parameter : plan.parameters) parameters_.push_back(parameter.name);
    for (const Step& step : plan.steps) ids_.push_back(step.id);
    known_ids_.insert(ids_.begin(), ids_.end());
    if (!node["steps"] || !node["steps"].IsMap()) return;
    for (const auto& entry : node["steps"])
      if (entry.first.IsScalar()) nodes_.emplace(entry.first.Scalar(), entry.second);
  }

  void run() {
    reader_.enter("preconditions");
    if (node_["preconditions"] && node_["preconditions"].IsSequence())
      for (const YAML::Node& item : node_["preconditions"])
        if (item.IsMap()) link_texts(item["with"], Scope::kParameters, nullptr);
    reader_.leave();
    reader_.enter("steps");
    for (Step& step : plan_.steps) {
      const YAML::Node at = nodes_.at(step.id);
      if (!at.IsMap()) continue;
      reader_.enter(step.id);
      link_step(at, step);
      reader_.leave();
    }
    check_cycles();
    reader_.leave();
  }

 private:
  void link_step(const YAML::Node& at, Step& step) {
    if (at["needs"] && at["needs"].IsSequence())
      for (const YAML::Node& need : at["needs"])
        if (need.IsScalar()) check_need(need, step);
    link_texts(at["with"], Scope::kSteps, &step);
    if (step.when)
      for (const std::string& name : step.when->names()) link_name(at["when"], name, Scope::kSteps, &step);
    // An undo acts when all is over, so it waits for nothing, but it may use what its own step returned.
    if (at["undo"] && at["undo"].IsMap()) link_texts(at["undo"]["with"], Scope::kSteps, nullptr);
    if (at["approve"] && at["approve"].IsMap()) link_texts(at["approve"]["question"], Scope::kSteps, &step);
    if (step.action.type == kNest) check_nesting(at, step);
  }

  void check_need(const YAML::Node& need, const Step& step) {
    if (need.Scalar() == step.id) return wrong(need, fmt::format("'{}' needs itself", step.id));
    if (!known_ids_.contains(need.Scalar()))
      wrong(need, fmt::format("no step is named '{}'{}", need.Scalar(), suggestion(need.Scalar(), ids_)));
  }

  // Every text inside `at`; what they refer to joins the needs of `waits`, if there is one.
  void link_texts(const YAML::Node& at, Scope scope, Step* waits) {
    if (!at.IsDefined()) return;
    if (at.IsSequence())
      for (const YAML::Node& item : at) link_texts(item, scope, waits);
    if (at.IsMap())
      for (const auto& entry : at) link_texts(entry.second, scope, waits);
    if (!at.IsScalar()) return;
    const auto names = names_in(Value(at.Scalar()));
    if (!names.ok()) return wrong(at, names.error().what);
    for (const std::string& name : *names) link_name(at, name, scope, waits);
  }

  void link_name(const YAML::Node& at, const std::string& name, Scope scope, Step* waits) {
    if (const auto reference = step_reference(name)) {
      const std::string id(reference->step);
      if (reference->name.empty())
        return wrong(at, fmt::format("'{}': say what of it, as in {}.succeeded", name, name));
      if (scope == Scope::kParameters)
        return wrong(at, fmt::format("'{}': no step has run yet when preconditions are checked", name));
      if (waits && id == waits->id) return wrong(at, fmt::format("'{}': it refers to itself", name));
      if (!known_ids_.contains(id))
        return wrong(at, fmt::format("'{}': no step is named '{}'{}", name, id, suggestion(id, ids_)));
      if (waits && std::ranges::find(waits->needs, id) == waits->needs.end()) waits->needs.push_back(id);
      return;
    }
    if (name.starts_with("run.")) {
      const std::vector<std::string> known(kRunNames.begin(), kRunNames.end());
      if (std::ranges::find(known, name.substr(4)) == known.end())
        wrong(at, fmt::format("a run has no '{}'{}", name.substr(4), suggestion(name.substr(4), known)));
      return;
    }
    if (std::ranges::find(parameters_, name) != parameters_.end()) return;
    if (parameters_.empty()) return wrong(at, fmt::format("'{}': the plan has no parameters", name));
    wrong(at, fmt::format("no parameter is named '{}'{}", name, suggestion(name, parameters_)));
  }

  void check_nesting(const YAML::Node& at, const Step& step) {
    const auto plan = step.action.with.find(kNest);
    const bool named = plan != step.action.with.end() && plan->second.text() &&
                       plan->second.text()->find('$') == std::string::npos && !plan->second.text()->empty();
    if (!named) wrong(at, "'with: {plan: NAME}' is missing: the plan that it nests, by its name");
    for (const char* key : {"retry", "timeout", "undo"})
      if (at[key])
        wrong(at[key], fmt::format("'{}' belongs to the steps of the nested plan, not to its nesting", key));
    if (step.on_failure == OnFailure::kContinue)
      wrong(at["on_failure"], "a nested plan that fails ends the run; let its own steps say 'continue'");
  }

  void check_cycles() {
    const std::vector<size_t> cycle = Graph(plan_.steps).cycle();
    if (cycle.empty()) return;
    std::string path;
    for (const size_t step : cycle) path += (path.empty() ? "" : " needs ") + plan_.steps[step].id;
    wrong(nodes_.at(plan_.steps[cycle[0]].id), fmt::format("these wait for each other for ever: {}", path));
  }

  void wrong(const YAML::Node& at, const std::string& what) { reader_.wrong(at, what); }

  Reader& reader_;
  const YAML::Node& node_;
  Plan& plan_;
  std::vector<std::string> parameters_;
  std::vector<std::string> ids_;  // in the file's order
  std::unordered_set<std::string> known_ids_;
  std::map<std::string, YAML::Node> nodes_;  // by step; of a name that is there twice, the first
};

}  // namespace

bool is_free_name(std::string_view name) {
  for (const std::string_view taken : {"steps", "run", "group", "and", "or", "not", "true", "false", "null"})
    if (name == taken) return false;
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z';
}

std::optional<StepReference> step_reference(std::string_view name) {
  constexpr std::string_view kPrefix = "steps.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view rest = name.substr(kPrefix.size());
  const size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return StepReference{rest, {}};
  return StepReference{rest.substr(0, dot), rest.substr(dot + 1)};
}

void link_plan(Reader& reader, const YAML::Node& node, Plan& plan) {
  if (node.IsMap()) Linker(reader, node, plan).run();
}

}  // namespace daruma::run
