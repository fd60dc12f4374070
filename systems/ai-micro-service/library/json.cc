#include "library/json.h"

#include <algorithm>
#include <boost/json.hpp>

namespace aimicro {
namespace {

using daruma::Errc;
using daruma::Error;
using daruma::Result;

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string_view(text)); }

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Result<Fields> read_fields(std::string_view body, const std::vector<std::string>& needed,
                           const std::vector<std::string>& optional) {
  boost::system::error_code broken;
  boost::json::parse_options options;
  options.max_depth = 4;
  const auto value = boost::json::parse(body, broken, {}, options);
  if (broken || !value.is_object()) return Error{Errc::kInvalid, "the body is not a JSON object"};
  Fields fields;
  for (const auto& [name, field] : value.get_object()) {
    const std::string key(name);
    if (!contains(needed, key) && !contains(optional, key))
      return Error{Errc::kInvalid, "the field '" + key.substr(0, 40) + "' is not known here"};
    if (!field.is_string()) return Error{Errc::kInvalid, "the field '" + key + "' must be a text"};
    const auto& text = field.get_string();
    if (text.find('\0') != boost::json::string::npos)
      return Error{Errc::kInvalid, "the field '" + key + "' has a zero byte"};
    fields[key] = std::string(text);
  }
  for (const std::string& name : needed)
    if (!fields.contains(name)) return Error{Errc::kInvalid, "the field '" + name + "' is missing"};
  return fields;
}

JsonObject& JsonObject::add_json(std::string_view name, std::string_view json) {
  if (!inside_.empty()) inside_ += ',';
  inside_ += quoted(name);
  inside_ += ':';
  inside_ += json;
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, std::string_view text) {
  return add_json(name, quoted(text));
}

JsonObject& JsonObject::add_number(std::string_view name, int64_t number) {
  return add_json(name, std::to_string(number));
}

JsonObject& JsonObject::add_list(std::string_view name, const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) list += (list.size() > 1 ? "," : "") + quoted(text);
  return add_json(name, list + "]");
}

}  // namespace aimicro
