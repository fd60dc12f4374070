#include "run/plan_schema.h"

#include <charconv>

#include <fmt/format.h>

#include "run/manual_lint.h"
#include "run/parameter.h"
#include "run/plan_links.h"
#include "run/plan_reader.h"

namespace daruma::run {
namespace {

using settings::Setting;
using Kind = Setting::Kind;

bool is_mapping(const Setting& setting) {
  return setting.kind == Kind::kMapping || setting.kind == Kind::kExactlyOne || setting.kind == Kind::kOpen;
}

std::string in_words(const Setting& setting) {
  switch (setting.kind) {
    case Kind::kText:
    case Kind::kBoolean:
    case Kind::kAny:
      return setting.words;
    case Kind::kInteger:
      return fmt::format("{}, {} to {}", setting.words, setting.least, setting.most);
    case Kind::kList:
      return is_mapping(setting.inner[0]) ? "a list" : "a list; each is " + in_words(setting.inner[0]);
    case Kind::kNamed:
      return "a mapping from names";
    case Kind::kExactlyOne:
    case Kind::kOpen:
    case Kind::kMapping:
      break;
  }
  return "a mapping";
}

// A text in both languages; its rows are said once, not everywhere.
bool is_text_in_both(const Setting& setting) {
  return is_mapping(setting) && setting.inner.size() == 2 && setting.inner[0].name == "ja";
}

void add_rows(const Setting& setting, const std::string& path, std::string& out) {
  if (setting.kind == Kind::kList) return add_rows(setting.inner[0], path + "[]", out);
  if (setting.kind == Kind::kNamed) return add_rows(setting.inner[0], path + ".NAME", out);
  for (const Setting& row : setting.inner) {
    const std::string name = path.empty() ? row.name : path + "." + row.name;
    const bool both = is_text_in_both(row);
    const bool list_of_both = row.kind == Kind::kList && is_text_in_both(row.inner[0]);
    const std::string value = both           ? "`{ja: …, en: …}`"
                              : list_of_both ? "a list; each is `{ja: …, en: …}`"
                                             : in_words(row);
    const std::string standard = row.required           ? "required"
                                 : row.standard.empty() ? ""
                                                        : fmt::format("`{}`", row.standard);
    out += fmt::format("| `{}` | {} | {} | {} |\n", name, value, standard, row.help);
    if (!both && !list_of_both) add_rows(row, name, out);
  }
}

Value schema_of(const Setting& setting);

Value mapping_schema(const Setting& setting) {
  Value out(Value::Map{{"type", "object"}});
  if (setting.kind == Kind::kNamed) return out.set("additionalProperties", schema_of(setting.inner[0]));
  Value::Map properties;
  Value::List required;
  for (const Setting& row : setting.inner) {
    properties.emplace(row.name, schema_of(row));
    if (row.required) required.push_back(row.name);
  }
  out.set("properties", std::move(properties)).set("additionalProperties", setting.kind == Kind::kOpen);
  if (!required.empty()) out.set("required", std::move(required));
  return out;
}

// A plain scalar is read as text, whatever YAML takes it for: `version: 1.0`, `when: true`.
Value text_schema(const Setting& setting) {
  if (setting.choices.empty()) return Value::Map{{"type", Value::List{"string", "number", "boolean"}}};
  Value::List choices;
  for (const std::string& choice : setting.choices) {
    choices.push_back(choice);
    if (choice == "true" || choice == "false") choices.push_back(choice == "true");
  }
  return Value::Map{{"enum", std::move(choices)}};
}

Value plain_schema(const Setting& setting) {
  switch (setting.kind) {
    case Kind::kAny:
      return Value::Map();
    case Kind::kList:
      return Value::Map{{"type", "array"}, {"items", schema_of(setting.inner[0])}};
    case Kind::kBoolean:
      return Value::Map{{"type", "boolean"}};
    case Kind::kInteger:
      return Value::Map{{"type", "integer"}, {"minimum", setting.least}, {"maximum", setting.most}};
    default:
      return text_schema(setting);
  }
}

Value default_of(const Setting& setting) {
  int64_t number = 0;
  const std::string& text = setting.standard;
  if (setting.kind == Kind::kInteger) std::from_chars(text.data(), text.data() + text.size(), number);
  return setting.kind == Kind::kInteger   ? Value(number)
         : setting.kind == Kind::kBoolean ? Value(text == "true")
                                          : Value(text);
}

Value schema_of(const Setting& setting) {
  Value out =
      is_mapping(setting) || setting.kind == Kind::kNamed ? mapping_schema(setting) : plain_schema(setting);
  if (!setting.help.empty()) out.set("description", setting.help);
  if (!setting.standard.empty()) out.set("default", default_of(setting));
  return out;
}

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

void write_pretty(const Value& value, const std::string& indent, std::string& out) {
  const std::string inner = indent + "  ";
  std::string_view separator = "";
  if (const Value::Map* map = value.map(); map && !map->empty()) {
    out += "{";
    for (const auto& [key, item] : *map) {
      out += fmt::format("{}\n{}{}: ", separator, inner, to_json(Value(key)));
      write_pretty(item, inner, out);
      separator = ",";
    }
    out += "\n" + indent + "}";
  } else if (const Value::List* list = value.list(); list && !list->empty() && (*list)[0].map()) {
    out += "[";
    for (const Value& item : *list) {
      out += fmt::format("{}\n{}", separator, inner);
      write_pretty(item, inner, out);
      separator = ",";
    }
    out += "\n" + indent + "]";
  } else {
    out += to_json(value);
  }
}

}  // namespace

std::string plan_reference() {
  std::string out =
      "## Every setting\n\n"
      "`[]` stands for an element of a list, `NAME` for a name you choose. What is not in this table is an\n"
      "error. `{ja: …, en: …}` is a text in both languages; a draft may lack one.\n\n"
      "| setting | value | when left out | what it is |\n| --- | --- | --- | --- |\n";
  add_rows(plan_table().setting, "", out);
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
  Value out = schema_of(plan_table().setting);
  out.set("$schema", "http://json-schema.org/draft-07/schema#").set("title", "a recovery plan of Daruma");
  add_types(out.map()->at("properties").map()->at("steps"), types);
  std::string text;
  write_pretty(out, "", text);
  return text + "\n";
}

}  // namespace daruma::run
