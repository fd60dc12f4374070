// Whether each step is one, and gets what it needs.

#include <algorithm>

#include <fmt/format.h>

#include "base/closest.h"
#include "run/check_parts.h"
#include "run/graph.h"
#include "run/parameter.h"
#include "run/plan_links.h"
#include "run/step_inputs.h"

namespace daruma::run {
namespace {

constexpr std::string_view kEnds[] = {"failed", "succeeded", "skipped", "began_at", "ended_at"};
constexpr Duration kLongestPatience = std::chrono::hours(24);

template <class T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> names;
  for (const T& item : items) names.push_back(item.name);
  return names;
}

class StepChecker {
 public:
  StepChecker(const Plan& plan, const CheckWorld& world, Findings& findings)
      : plan_(plan), world_(world), findings_(findings), graph_(plan.steps) {
    for (const StepType& type : world.types) type_names_.emplace_back(type.name);
  }

  void run() {
    for (const Parameter& parameter : plan_.parameters)
      if (parameter.standard)
        check_named(0, "params." + parameter.name, kind_of(parameter), *parameter.standard);
    for (size_t i = 0; i < plan_.preconditions.size(); ++i) {
      const std::string place = fmt::format("preconditions[{}]", i);
      const StepType* type = check_action(plan_.preconditions[i], 0, place, std::nullopt);
      if (type && type->effect != Effect::kObserve)
        findings_.error(0, place,
                        fmt::format("{} changes something; a precondition may only look", type->name));
    }
    for (size_t i = 0; i < plan_.steps.size(); ++i) check_step(i);
  }

 private:
  void check_step(size_t at) {
    const Step& step = plan_.steps[at];
    const std::string place = place_of(step);
    for (const std::string& need : step.needs)
      if (!graph_.find(need))
        findings_.error(step.line, place, fmt::format("it needs '{}', and no step is named so", need));
    const StepType* type = check_action(step.action, step.line, place, at);
    if (step.when)
      for (const std::string& name : step.when->names())
        check_reference(name, step.line, place + ".when", InputRow::Kind::kAny, at);
    if (step.approve)
      for (const std::string* text : {&step.approve->question.ja, &step.approve->question.en})
        if (const auto names = names_in(Value(*text)); names.ok())
          for (const std::string& name : *names)
            check_reference(name, step.line, place + ".approve", InputRow::Kind::kAny, at);
    if (step.undo) check_action(*step.undo, step.line, place + ".undo", std::nullopt);
    if (!step.raise.empty()) check_plan_name(step.raise, step.line, place + ".raise");
    check_patience(step, type);
  }

  // Waits that have no end, or none that anybody would wait for.
  void check_patience(const Step& step, const StepType* type) {
    const std::string place = place_of(step);
    if (step.retry && step.retry->times == 0 && step.retry->within == Duration{})
      findings_.error(step.line, place + ".retry", "it would never end; set 'for' or 'times'");
    if (!type) return;
    const Duration timeout = step.timeout.value_or(type->timeout);
    if (type->act && timeout <= Duration{})
      findings_.error(step.line, place, "it may wait for ever; set 'timeout'");
    if (timeout > kLongestPatience)
      findings_.warning(step.line, place + ".timeout",
                        fmt::format("{} is longer than a day; nobody waits so long for a recovery",
                                    human_duration(timeout)));
    if (type->name == "manual" && !step.timeout)
      findings_.warning(step.line, place, "it waits for a person for ever; set 'timeout'");
  }

  // `at` is the step whose references must stand before it; nullopt: an undo, or a precondition.
  const StepType* check_action(const Action& action, int line, const std::string& place,
                               std::optional<size_t> at) {
    const StepType* type = type_in(world_, action.type);
    if (!type) {
      findings_.error(line, place,
                      fmt::format("no step type is named '{}'{}", action.type, suggested_type(action.type)));
      return nullptr;
    }
    std::vector<std::string> rows;
    for (const InputRow& row : type->inputs) {
      rows.emplace_back(row.name);
      const auto given = action.with.find(row.name);
      if (given != action.with.end() && !given->second.is_null())
        check_input(*type, row, given->second, line, fmt::format("{}.with.{}", place, row.name), at);
      else if (row.required && row.standard.empty())
        findings_.error(line, place,
                        fmt::format("input '{}' of {} is missing: {}", row.name, type->name, row.help));
    }
    for (const auto& [name, value] : action.with) {
      if (std::ranges::find(rows, name) != rows.end()) continue;
      const InputRow any{.name = name, .kind = InputRow::Kind::kAny, .help = ""};
      if (type->name == kNest)
        check_input(*type, any, value, line, fmt::format("{}.with.{}", place, name), at);
      else
        findings_.error(
            line, fmt::format("{}.with", place),
            rows.empty() ? fmt::format("{} takes no inputs, so no '{}'", type->name, name)
                         : fmt::format("{} has no input '{}'{}", type->name, name, suggestion(name, rows)));
    }
    if (const std::string missing = missing_alternative(*type, action.with); !missing.empty())
      findings_.error(line, place, missing);
    if (type->name.starts_with("exec")) check_program(action, line, place);
    return type;
  }

  // A table of many types is no help; the nearest, or those of the same family.
  std::string suggested_type(const std::string& word) const {
    if (closest(word, type_names_)) return suggestion(word, type_names_);
    std::vector<std::string> family;
    const std::string head = word.substr(0, word.find('.') + 1);
    for (const std::string& name : type_names_)
      if (!head.empty() && name.starts_with(head)) family.push_back(name);
    return family.empty() ? "; docs/steps.md lists them" : suggestion(word, family);
  }

  void check_input(const StepType& type, const InputRow& row, const Value& value, int line,
                   const std::string& place, std::optional<size_t> at) {
    const auto names = names_in(value);
    if (!names.ok()) return findings_.error(line, place, names.error().what);
    const bool alone = value.text() && value.text()->starts_with('$') && !value.text()->starts_with("${");
    for (const std::string& name : *names)
      check_reference(name, line, place, alone ? row.kind : InputRow::Kind::kAny, at);
    if (!names->empty()) return check_container(row, value, line, place);
    const auto literal = fill(value, [](std::string_view) { return std::nullopt; });  // "$$" becomes "$"
    const auto typed = literal.ok() ? input_value(row, *literal) : literal;
    if (!typed.ok()) return findings_.error(line, place, typed.error().what);
    if (const std::string problem = literal_problem(type, row, *typed, world_.config); !problem.empty())
      return findings_.error(line, place, problem);
    check_named(line, place, row.kind, *typed);
    if (row.name == "services" || row.name == "channels" || row.name == "channel")
      check_list(row, *typed, line, place);
  }

  // Whatever the references in it stand for, a list stays a list, and a text is no mapping.
  void check_container(const InputRow& row, const Value& value, int line, const std::string& place) {
    const bool text_in_mapping = row.kind == InputRow::Kind::kMap && value.text() &&
                                 !(value.text()->starts_with('$') && !value.text()->starts_with("${"));
    if (!value.list() && !value.map() && !text_in_mapping) return;
    if (const auto typed = input_value(row, value); !typed.ok())
      return findings_.error(line, place, typed.error().what);
    if (value.list() && row.name == "services") check_list(row, value, line, place);
  }

  // That a literal service or datastore is there.
  void check_named(int line, const std::string& place, InputRow::Kind kind, const Value& value) {
    if (!world_.config || !value.text()) return;
    if (kind == InputRow::Kind::kService)
      check_known(*value.text(), names_of(world_.config->services), "service", line, place);
    if (kind == InputRow::Kind::kDatastore)
      check_known(*value.text(), names_of(world_.config->datastores), "datastore", line, place);
  }

  void check_list(const InputRow& row, const Value& value, int line, const std::string& place) {
    if (!world_.config) return;
    const bool services = row.name == "services";
    const auto known = services ? names_of(world_.config->services) : names_of(world_.config->channels);
    const Value::List items = value.list() ? *value.list() : Value::List{value};
    for (const Value& item : items)
      if (item.text() && item.text()->find('$') == std::string::npos)
        check_known(*item.text(), known, services ? "service" : "channel", line, place);
  }

  void check_known(const std::string& name, const std::vector<std::string>& known, std::string_view thing,
                   int line, const std::string& place) {
    if (std::ranges::find(known, name) != known.end()) return;
    findings_.error(line, place,
                    fmt::format("no {} is named '{}'{}", thing, name,
                                known.empty() ? "; daruma.yaml has none" : suggestion(name, known)));
  }

  void check_reference(const std::string& name, int line, const std::string& place, InputRow::Kind kind,
                       std::optional<size_t> at) {
    if (name.starts_with("run.")) return;
    if (const auto reference = step_reference(name)) {
      const auto step = graph_.find(reference->step);
      if (!step)
        return findings_.error(line, place,
                               fmt::format("'{}': no step is named '{}'", name, reference->step));
      if (at && !graph_.ancestors(*at)[*step])
        return findings_.error(line, place,
                               fmt::format("'{}': '{}' need not have ended before it; add it to 'needs'",
                                           name, reference->step));
      return check_output(*reference, plan_.steps[*step], name, line, place);
    }
    const auto parameter = std::ranges::find(plan_.parameters, name, &Parameter::name);
    if (parameter == plan_.parameters.end())
      return findings_.error(
          line, place,
          fmt::format("no parameter is named '{}'{}", name, suggestion(name, names_of(plan_.parameters))));
    check_parameter_kind(*parameter, kind, line, place);
  }

  void check_output(const StepReference& reference, const Step& step, const std::string& name, int line,
                    const std::string& place) {
    const StepType* type = type_in(world_, step.action.type);
    if (!type) return;
    std::vector<std::string> known(type->outputs.begin(), type->outputs.end());
    known.insert(known.end(), std::begin(kEnds), std::end(kEnds));
    const std::string output(reference.name.substr(0, reference.name.find('.')));
    if (std::ranges::find(known, output) == known.end())
      findings_.error(
          line, place,
          fmt::format("'{}': {} gives no '{}'{}", name, type->name, output, suggestion(output, known)));
  }

  static InputRow::Kind kind_of(const Parameter& parameter) {
    if (parameter.type == ParameterType::kService) return InputRow::Kind::kService;
    if (parameter.type == ParameterType::kDatastore) return InputRow::Kind::kDatastore;
    return InputRow::Kind::kAny;
  }

  // A parameter of a type that can never be what the input wants.
  void check_parameter_kind(const Parameter& parameter, InputRow::Kind kind, int line,
                            const std::string& place) {
    using Kind = InputRow::Kind;
    using Type = ParameterType;
    const Type type = parameter.type;
    const bool free = type == Type::kText || type == Type::kChoice;
    const bool fits = kind == Kind::kService     ? free || type == Type::kService
                      : kind == Kind::kDatastore ? free || type == Type::kDatastore
                      : kind == Kind::kInteger   ? free || type == Type::kInteger
                      : kind == Kind::kBoolean   ? free || type == Type::kBoolean
                      : kind == Kind::kDuration  ? free || type == Type::kDuration
                      : kind == Kind::kMap       ? false
                                                 : true;
    if (!fits)
      findings_.error(line, place,
                      fmt::format("parameter '{}' is of type {}, this input of kind {}", parameter.name,
                                  to_string(type), to_string(kind)));
  }

  void check_plan_name(const std::string& name, int line, const std::string& place) {
    if (!world_.find_plan) return;
    if (const auto plan = world_.find_plan(name); !plan.ok()) findings_.error(line, place, plan.error().what);
  }

  void check_program(const Action& action, int line, const std::string& place) {
    const auto command = action.with.find("command");
    if (!world_.has_program || command == action.with.end()) return;
    const Value::List* words = command->second.list();
    const std::string* program = words && !words->empty() ? (*words)[0].text() : command->second.text();
    if (!program || program->find('$') != std::string::npos || world_.has_program(*program)) return;
    findings_.error(
        line, place + ".with.command",
        fmt::format("this host has no program '{}'; install it, or name it by its path", *program));
  }

  const Plan& plan_;
  const CheckWorld& world_;
  Findings& findings_;
  const Graph graph_;
  std::vector<std::string> type_names_;
};

}  // namespace

void check_steps(const Plan& plan, const CheckWorld& world, Findings& findings) {
  StepChecker(plan, world, findings).run();
}

}  // namespace daruma::run
