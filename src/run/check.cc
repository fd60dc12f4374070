#include "run/check.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "base/closest.h"
#include "run/check_parts.h"

namespace daruma::run {
namespace {

// Texts that lack a language; of a draft only how many, for nobody has translated it yet.
class Texts {
 public:
  Texts(const Plan& plan, Findings& findings) : draft_(plan.head.status == "draft"), findings_(findings) {}

  void look(const Text& text, int line, const std::string& place) {
    if (text.ja.empty() == text.en.empty()) return;
    ++lacking_;
    if (!draft_)
      findings_.warning(line, place,
                        text.ja.empty() ? "there is no Japanese text" : "there is no English text");
  }
  void end() {
    if (draft_ && lacking_ > 0)
      findings_.warning(0, "head.status",
                        fmt::format("a draft: {} texts are in one language only", lacking_));
  }

 private:
  const bool draft_;
  Findings& findings_;
  size_t lacking_ = 0;
};

void check_texts(const Plan& plan, Findings& findings) {
  Texts texts(plan, findings);
  texts.look(plan.title, 0, "title");
  texts.look(plan.impact, 0, "impact");
  for (const Detection& detection : plan.detect) texts.look(detection.words, 0, "detect");
  for (const Text& text : plan.prevent) texts.look(text, 0, "prevent");
  for (const Parameter& parameter : plan.parameters)
    texts.look(parameter.help, 0, "params." + parameter.name);
  for (const Step& step : plan.steps) {
    texts.look(step.title, step.line, place_of(step) + ".title");
    if (step.approve) texts.look(step.approve->question, step.line, place_of(step) + ".approve");
  }
  texts.end();
}

void check_head(const Plan& plan, const CheckWorld& world, Findings& findings) {
  const Head& head = plan.head;
  for (const auto& [name, value] : {std::pair("version", head.version), std::pair("updated", head.updated),
                                    std::pair("status", head.status)})
    if (value.empty()) findings.warning(0, "head", fmt::format("'{}' is missing", name));
  if (head.review_due.empty())
    findings.warning(0, "head", "'review_due' is missing: nobody will notice when the plan is out of date");
  else if (world.now && head.review_due < to_rfc3339(*world.now).substr(0, 10))
    findings.warning(
        0, "head.review_due",
        fmt::format("the review was due on {}; read the plan again, then write a new date", head.review_due));
}

std::vector<std::string> channels_of(const Config& config) {
  std::vector<std::string> names;
  for (const ChannelConfig& channel : config.channels) names.push_back(channel.name);
  return names;
}

void check_names(const std::vector<std::string>& names, const std::vector<std::string>& known,
                 std::string_view thing, const std::string& place, Findings& findings) {
  for (const std::string& name : names)
    if (std::ranges::find(known, name) == known.end())
      findings.error(0, place,
                     fmt::format("no {} is named '{}'{}", thing, name,
                                 known.empty() ? "; daruma.yaml has none" : suggestion(name, known)));
}

void check_people(const Plan& plan, const CheckWorld& world, Findings& findings) {
  if (plan.contacts.empty() && plan.level >= 2)
    findings.warning(0, "contacts", fmt::format("a plan of level {} names nobody to call", plan.level));
  if (plan.finish.notify.empty())
    findings.warning(0, "finish.notify", "nobody is told how it ended; name a channel");
  if (!world.config) return;
  const std::vector<std::string> channels = channels_of(*world.config);
  check_names(plan.finish.notify, channels, "channel", "finish.notify", findings);
  check_names(plan.contacts, channels, "channel", "contacts", findings);
}

// What notices the case must be there.
void check_detection(const Plan& plan, const CheckWorld& world, Findings& findings) {
  if (!world.config) return;
  std::vector<std::string> known, probes;
  for (const ServiceConfig& service : world.config->services) known.push_back(service.name);
  for (const DatastoreConfig& datastore : world.config->datastores) known.push_back(datastore.name);
  for (const Detection& detection : plan.detect)
    if (!detection.probe.empty()) probes.push_back(detection.probe);
  check_names(probes, known, "service or datastore", "detect", findings);
}

void check_groups(const Plan& plan, const CheckWorld& world, Findings& findings) {
  if (!world.has_group) return;
  for (const Step& step : plan.steps) {
    std::vector<std::string> groups = step.approve ? step.approve->groups : std::vector<std::string>();
    const auto more = step.action.with.find("groups");
    if (step.action.type == "approve" && more != step.action.with.end() && more->second.list())
      for (const Value& group : *more->second.list()) groups.push_back(to_text(group));
    for (const std::string& group : groups)
      if (group.find('$') == std::string::npos && !world.has_group(group))
        findings.error(step.line, place_of(step),
                       fmt::format("this host has no group '{}': nobody could ever approve", group));
  }
}

// A value for each parameter, so that the plan can be laid flat.
Value::Map example_arguments(const Plan& plan) {
  Value::Map arguments;
  for (const Parameter& parameter : plan.parameters) {
    if (parameter.standard) continue;
    const bool choice = parameter.type == ParameterType::kChoice && !parameter.choices.empty();
    const Value value = choice                                       ? Value(parameter.choices[0])
                        : parameter.type == ParameterType::kInteger  ? Value(1)
                        : parameter.type == ParameterType::kBoolean  ? Value(true)
                        : parameter.type == ParameterType::kDuration ? Value("1s")
                        : parameter.type == ParameterType::kTime     ? Value("2026-01-01T00:00:00Z")
                                                                     : Value("example");
    arguments.emplace(parameter.name, value);
  }
  return arguments;
}

// The plan with all it nests; by itself where that is not known or not possible.
FrozenPlan flat(const Plan& plan, const CheckWorld& world, Findings& findings) {
  if (world.find_plan) {
    auto frozen = freeze(plan, example_arguments(plan), world.find_plan);
    if (frozen.ok()) return *std::move(frozen);
    findings.error(0, "plan", frozen.error().what);
  }
  FrozenPlan alone;
  alone.plan = plan;
  alone.scopes.push_back({"", {}});
  return alone;
}

}  // namespace

std::string_view to_string(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::vector<Finding> Findings::take() {
  std::ranges::stable_sort(all_, [](const Finding& a, const Finding& b) {
    return std::tuple(a.severity, a.line) < std::tuple(b.severity, b.line);
  });
  return std::move(all_);
}

const StepType* type_in(const CheckWorld& world, std::string_view name) {
  const auto found = std::ranges::find(world.types, name, &StepType::name);
  return found == world.types.end() ? nullptr : &*found;
}

std::string place_of(const Step& step) { return "steps." + step.id; }

std::vector<Finding> check_plan(const Plan& plan, const CheckWorld& world) {
  Findings findings;
  check_head(plan, world, findings);
  check_texts(plan, findings);
  check_people(plan, world, findings);
  check_detection(plan, world, findings);
  check_groups(plan, world, findings);
  check_steps(plan, world, findings);
  check_order(flat(plan, world, findings), world, findings);
  return findings.take();
}

Status check_arguments(const FrozenPlan& plan, const Config& config) {
  std::vector<std::string> services, datastores;
  for (const ServiceConfig& service : config.services) services.push_back(service.name);
  for (const DatastoreConfig& datastore : config.datastores) datastores.push_back(datastore.name);
  for (const Parameter& parameter : plan.plan.parameters) {
    const bool service = parameter.type == ParameterType::kService;
    if (!service && parameter.type != ParameterType::kDatastore) continue;
    const std::string name = Value(plan.scopes[0].arguments).text_at(parameter.name);
    const auto& known = service ? services : datastores;
    if (name.empty() || std::ranges::find(known, name) != known.end()) continue;
    const std::string_view thing = service ? "service" : "datastore";
    return Error{Errc::kInvalid,
                 fmt::format("parameter '{}': no {} is named '{}'{}", parameter.name, thing, name,
                             known.empty() ? fmt::format("; daruma.yaml has no {}s", thing)
                                           : suggestion(name, known))};
  }
  return {};
}

std::string to_line(const Finding& finding, const Path& file) {
  const std::string line = finding.line == 0 ? "" : fmt::format(":{}", finding.line);
  return fmt::format("{}{}: {}: {}: {}", file.string(), line, to_string(finding.severity), finding.place,
                     finding.what);
}

}  // namespace daruma::run
