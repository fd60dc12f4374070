#include "run/plan_schema.h"

#include <fmt/format.h>

#include "config/settings_reference.h"
#include "run/manual_lint.h"
#include "run/parameter.h"
#include "run/plan_links.h"
#include "run/plan_reader.h"

namespace daruma::run {
namespace {

// Any value may be a reference instead, so kinds are told in words only.
Value inputs_schema(const StepType& type) {
  Value::Map properties;
  Value::List required;
  for (const InputRow& row : type.inputs) {
    properties.emplace(row.name,
                       Value::Map{{"description", fmt::format("{}: {}", to_string(row.kind), row.help)}});
    if (row.required && row.standard.empty()) required.push_back(row.name);
  }
  Value out(Value::Map{{"properties", std::move(properties)}, {"additionalProperties", type.name == kNest}});
  if (!required.empty()) out.set("required", std::move(required));
  return out;
}

// Sets the types that a step may have, and per type what it takes.
void add_types(Value& steps, std::span<const StepType> types) {
  if (types.empty()) return;
  Value& step = steps.map()->at("additionalProperties");
  Value::List names, rules;
  for (const StepType& type : types) {
    names.push_back(type.name);
    const Value of_this_type(
        Value::Map{{"properties", Value::Map{{"do", Value::Map{{"const", type.name}}}}}});
    const Value takes(Value::Map{{"properties", Value::Map{{"with", inputs_schema(type)}}}});
    rules.push_back(Value::Map{{"if", of_this_type}, {"then", takes}});
  }
  step.map()->at("properties").map()->at("do").set("enum", std::move(names));
  step.set("allOf", std::move(rules));
}

}  // namespace

std::string plan_reference() {
  std::string out =
      "## Every setting\n\n"
      "`[]` stands for an element of a list, `NAME` for a name you choose. What is not in this table is an\n"
      "error. `{ja: …, en: …}` is a text in both languages; a draft may lack one.\n\n"
      "| setting | value | when left out | what it is |\n| --- | --- | --- | --- |\n";
  out += settings::reference_rows(plan_table().setting);
  out += "\n## Types of parameters\n\n| type | its values |\n| --- | --- |\n";
  for (const ParameterTypeRow& row : parameter_types())
    out += fmt::format("| `{}` | {} |\n", row.word, row.values);
  out +=
      "\n## Dangers that import finds in manuals\n\n| rule | what is wrong, and what to do | |\n"
      "| --- | --- | --- |\n";
  for (const DangerRule& rule : danger_rules())
    out += fmt::format("| `{}` | {} | {} |\n", rule.id, rule.en, rule.ja);
  return out;
}

std::string plan_schema(std::span<const StepType> types) {
  Value out = settings::schema_of(plan_table().setting);
  add_types(out.map()->at("properties").map()->at("steps"), types);
  return settings::schema_text(std::move(out), "a recovery plan of Daruma");
}

}  // namespace daruma::run
