// The reference and the schema of daruma.yaml, from the table of its settings.

#include <fmt/format.h>

#include "cli/help.h"
#include "cli/json.h"
#include "config/config_tables.h"

namespace daruma {
namespace {

using settings::Setting;
using Kind = Setting::Kind;

bool is_mapping(const Setting& setting) {
  return setting.kind == Kind::kMapping || setting.kind == Kind::kExactlyOne || setting.kind == Kind::kOpen;
}

// What a value is, in a few words.
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
      return "a mapping with exactly one of its settings";
    case Kind::kOpen:
      return "a mapping; it may hold more, for plans to come";
    case Kind::kMapping:
      break;
  }
  return "a mapping";
}

// Settings below lists and names stand under the path that one would write: copies[].url,
// datastores.NAME.kind.
void add_rows(const Setting& setting, const std::string& path, std::string& out) {
  if (setting.kind == Kind::kList) return add_rows(setting.inner[0], path + "[]", out);
  if (setting.kind == Kind::kNamed) return add_rows(setting.inner[0], path + ".NAME", out);
  for (const Setting& row : setting.inner) {
    const std::string name = path.empty() ? row.name : path + "." + row.name;
    const std::string standard = row.required           ? "required"
                                 : row.standard.empty() ? ""
                                                        : fmt::format("`{}`", row.standard);
    out += fmt::format("| `{}` | {} | {} | {} |\n", name, in_words(row), standard, row.help);
    add_rows(row, name, out);
  }
}

Json schema_of(const Setting& setting);

Json mapping_schema(const Setting& setting) {
  Json out = Json::object();
  out.set("type", "object");
  if (setting.kind == Kind::kNamed)
    return std::move(out.set("additionalProperties", schema_of(setting.inner[0])));
  Json properties = Json::object();
  Json required = Json::array();
  bool any_required = false;
  for (const Setting& row : setting.inner) {
    properties.set(row.name, schema_of(row));
    if (row.required) required.push(row.name);
    any_required = any_required || row.required;
  }
  out.set("properties", std::move(properties)).set("additionalProperties", setting.kind == Kind::kOpen);
  if (any_required) out.set("required", std::move(required));
  if (setting.kind == Kind::kExactlyOne) out.set("minProperties", 1).set("maxProperties", 1);
  return out;
}

Json plain_schema(const Setting& setting) {
  Json out = Json::object();
  if (setting.kind == Kind::kList)
    return std::move(out.set("type", "array").set("items", schema_of(setting.inner[0])));
  if (setting.kind == Kind::kBoolean) return std::move(out.set("type", "boolean"));
  if (setting.kind == Kind::kInteger)
    return std::move(out.set("type", "integer").set("minimum", setting.least).set("maximum", setting.most));
  out.set("type", "string");
  if (setting.choices.empty()) return out;
  Json choices = Json::array();
  for (const std::string& choice : setting.choices) choices.push(choice);
  return std::move(out.set("enum", std::move(choices)));
}

Json default_of(const Setting& setting) {
  if (setting.kind == Kind::kBoolean) return setting.standard == "true";
  if (setting.kind == Kind::kInteger) return std::stoll(setting.standard);
  return setting.standard;
}

Json schema_of(const Setting& setting) {
  Json out =
      is_mapping(setting) || setting.kind == Kind::kNamed ? mapping_schema(setting) : plain_schema(setting);
  if (!setting.help.empty()) out.set("description", setting.help);
  if (!setting.standard.empty()) out.set("default", default_of(setting));
  return out;
}

}  // namespace

std::string settings_markdown() {
  std::string out =
      "# Settings of daruma.yaml\n\n"
      "Made by `daruma help settings` from the table in `src/config/config_tables.cc`; a test keeps them "
      "equal.\n\n"
      "The file is the one of `-c FILE`, else `daruma.yaml` in the working directory, else "
      "`/etc/daruma/daruma.yaml`.\n"
      "Relative paths stand on the file's folder. `[]` stands for an element of a list, `NAME` for a name "
      "you choose.\n"
      "A setting that is not in this table is an error. Editors can complete and check the file by its "
      "schema,\n"
      "`daruma.schema.json` beside this page.\n\n"
      "| setting | value | when left out | what it is |\n| --- | --- | --- | --- |\n";
  add_rows(config_table().setting, "", out);
  return out;
}

std::string settings_schema() {
  Json out = Json::object();
  out.set("$schema", "http://json-schema.org/draft-07/schema#").set("title", "daruma.yaml");
  return out.merge(schema_of(config_table().setting)).pretty();
}

}  // namespace daruma
