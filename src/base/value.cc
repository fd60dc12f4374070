#include "base/value.h"

#include <cmath>

#include <boost/json.hpp>

#include "base/check.h"

namespace daruma {
namespace {

namespace json = boost::json;

constexpr size_t kDepthMost = 64;

// Any bytes as UTF-8: what is none becomes U+FFFD, so that a program's output never makes a text nobody can
// read.
std::string as_utf8(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xC2 && lead < 0xE0 ? 2
                          : lead >= 0xE0 && lead < 0xF0 ? 3
                          : lead >= 0xF0 && lead < 0xF5 ? 4
                                                        : 0;
    bool good = length != 0 && at + length <= text.size();
    for (size_t i = 1; good && i < length; ++i)
      good = (static_cast<unsigned char>(text[at + i]) & 0xC0) == 0x80;
    if (good && length > 2) {
      const auto second = static_cast<unsigned char>(text[at + 1]);
      good = !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F) &&
             !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F);
    }
    out.append(good ? std::string_view(text).substr(at, length) : std::string_view("\xEF\xBF\xBD"));
    at += good ? length : 1;
  }
  return out;
}

void write(const Value& value, std::string& out) {
  if (const auto* boolean = value.boolean()) {
    out += *boolean ? "true" : "false";
  } else if (const auto* integer = value.integer()) {
    out += std::to_string(*integer);
  } else if (const auto* floating = value.floating()) {
    out += std::isfinite(*floating) ? json::serialize(json::value(*floating)) : "null";
  } else if (const auto* text = value.text()) {
    out += json::serialize(json::string(as_utf8(*text)));
  } else if (const auto* list = value.list()) {
    out += '[';
    for (const Value& item : *list) {
      if (&item != list->data()) out += ',';
      write(item, out);
    }
    out += ']';
  } else if (const auto* map = value.map()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : *map) {
      if (!std::exchange(first, false)) out += ',';
      out += json::serialize(json::string(as_utf8(key)));
      out += ':';
      write(item, out);
    }
    out += '}';
  } else {
    out += "null";
  }
}

Result<Value> from_json(const json::value& value) {
  switch (value.kind()) {
    case json::kind::bool_:
      return Value(value.get_bool());
    case json::kind::int64:
      return Value(value.get_int64());
    case json::kind::uint64:
      return Error{Errc::kInvalid, "JSON: a number is larger than 64 bits with sign can hold"};
    case json::kind::double_:
      return Value(value.get_double());
    case json::kind::string:
      return Value(std::string(value.get_string()));
    case json::kind::array: {
      Value::List list;
      for (const json::value& item : value.get_array()) {
        DR_TRY(Value inner, from_json(item));
        list.push_back(std::move(inner));
      }
      return Value(std::move(list));
    }
    case json::kind::object: {
      Value::Map map;
      for (const auto& [key, item] : value.get_object()) {
        DR_TRY(Value inner, from_json(item));
        map.insert_or_assign(std::string(key), std::move(inner));
      }
      return Value(std::move(map));
    }
    case json::kind::null:
      break;
  }
  return Value();
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  const Map* entries = map();
  if (!entries) return nullptr;
  const auto found = entries->find(key);
  return found == entries->end() ? nullptr : &found->second;
}

std::string Value::text_at(std::string_view key, std::string otherwise) const {
  const Value* value = find(key);
  return value && value->text() ? *value->text() : std::move(otherwise);
}

int64_t Value::integer_at(std::string_view key, int64_t otherwise) const {
  const Value* value = find(key);
  return value && value->integer() ? *value->integer() : otherwise;
}

bool Value::boolean_at(std::string_view key, bool otherwise) const {
  const Value* value = find(key);
  return value && value->boolean() ? *value->boolean() : otherwise;
}

Value& Value::set(std::string key, Value value) {
  if (is_null()) data_ = Map();
  DR_CHECK(map());
  map()->insert_or_assign(std::move(key), std::move(value));
  return *this;
}

std::string to_json(const Value& value) {
  std::string out;
  write(value, out);
  return out;
}

std::string to_text(const Value& value) { return value.text() ? *value.text() : to_json(value); }

Result<Value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMost;
  json::error_code failure;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), failure, {}, options);
  if (failure) return Error{Errc::kInvalid, "not JSON: " + failure.message()};
  return from_json(parsed);
}

}  // namespace daruma
