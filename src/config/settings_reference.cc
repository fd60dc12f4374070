#include "config/settings_reference.h"

#include <charconv>

#include <fmt/format.h>

namespace daruma::settings {
namespace {

using Kind = Setting::Kind;

bool is_mapping(const Setting& setting) {
  return setting.kind == Kind::kMapping || setting.kind == Kind::kExactlyOne || setting.kind == Kind::kOpen;
}

// A text in both languages; its rows are said once, not everywhere.
bool is_text_in_both(const Setting& setting) {
  return is_mapping(setting) && setting.inner.size() == 2 && setting.inner[0].name == "ja";
}

std::string in_words(const Setting& setting) {
  if (is_text_in_both(setting)) return "`{ja: …, en: …}`";
  switch (setting.kind) {
    case Kind::kText:
    case Kind::kBoolean:
    case Kind::kAny:
      return setting.words;
    case Kind::kInteger:
      return fmt::format("{}, {} to {}", setting.words, setting.least, setting.most);
    case Kind::kList: {
      const Setting& each = setting.inner[0];
      return is_mapping(each) && !is_text_in_both(each) ? "a list" : "a list; each is " + in_words(each);
    }
    case Kind::kNamed:
      return "a mapping from names";
    case Kind::kExactlyOne:
      return "a mapping with exactly one of its settings";
    case Kind::kOpen:
      return "a mapping; it may hold more, for plans to come";
    case Kind::kMapping:
      break;
  }
  return "a mapping";
}

void add_rows(const Setting& setting, const std::string& path, std::string& out) {
  if (setting.kind == Kind::kList) return add_rows(setting.inner[0], path + "[]", out);
  if (setting.kind == Kind::kNamed) return add_rows(setting.inner[0], path + ".NAME", out);
  if (is_text_in_both(setting)) return;
  for (const Setting& row : setting.inner) {
    const std::string name = path.empty() ? row.name : path + "." + row.name;
    const std::string standard = row.required           ? "required"
                                 : row.standard.empty() ? ""
                                                        : fmt::format("`{}`", row.standard);
    out += fmt::format("| `{}` | {} | {} | {} |\n", name, in_words(row), standard, row.help);
    add_rows(row, name, out);
  }
}

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
  if (setting.kind == Kind::kExactlyOne) out.set("minProperties", 1).set("maxProperties", 1);
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

std::string reference_rows(const Setting& setting) {
  std::string out;
  add_rows(setting, "", out);
  return out;
}

Value schema_of(const Setting& setting) {
  Value out =
      is_mapping(setting) || setting.kind == Kind::kNamed ? mapping_schema(setting) : plain_schema(setting);
  if (!setting.help.empty()) out.set("description", setting.help);
  if (!setting.standard.empty()) out.set("default", default_of(setting));
  return out;
}

std::string schema_text(Value schema, std::string_view title) {
  schema.set("$schema", "http://json-schema.org/draft-07/schema#").set("title", std::string(title));
  std::string text;
  write_pretty(schema, "", text);
  return text + "\n";
}

}  // namespace daruma::settings
