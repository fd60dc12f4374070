#include "datastore/postgres/json_fields.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

namespace daruma::postgres {
namespace json = boost::json;

namespace {

const json::array kNoElements;
const json::object kNoFields;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

}  // namespace

Result<json::object> parse_json_object(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code failed;
  json::value value = json::parse({text.data(), text.size()}, failed, {}, options);
  if (failed) return Error{Errc::kCorrupt, fmt::format("{} is not JSON: {}", what, failed.message())};
  if (!value.is_object()) return Error{Errc::kCorrupt, fmt::format("{} is not a JSON object", what)};
  return std::move(value.get_object());
}

bool JsonFields::has(std::string_view key) const { return object_.contains({key.data(), key.size()}); }

void JsonFields::fail(std::string_view key, std::string_view wanted) {
  if (failure_) return;
  failure_ = Error{Errc::kCorrupt, fmt::format("{}: '{}' is not {}", what_, key, wanted)};
}

Status JsonFields::status() const {
  if (failure_) return *failure_;
  return {};
}

std::string JsonFields::text(std::string_view key) {
  const json::value* value = object_.if_contains({key.data(), key.size()});
  if (value && value->is_string()) return std::string(view(value->get_string()));
  fail(key, "a text");
  return {};
}

uint64_t JsonFields::number(std::string_view key) {
  const json::value* value = object_.if_contains({key.data(), key.size()});
  if (value && value->is_uint64()) return value->get_uint64();
  if (value && value->is_int64() && value->get_int64() >= 0) return static_cast<uint64_t>(value->get_int64());
  fail(key, "a whole number");
  return 0;
}

uint32_t JsonFields::number32(std::string_view key) {
  const uint64_t wide = number(key);
  if (wide > UINT32_MAX) fail(key, "a number of 32 bits");
  return static_cast<uint32_t>(wide);
}

uint64_t JsonFields::decimal(std::string_view key) {
  const std::string digits = text(key);
  uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || at != end) fail(key, "a whole number in quotes");
  return value;
}

Lsn JsonFields::lsn(std::string_view key) {
  if (const auto lsn = parse_lsn(text(key)); lsn.ok()) return *lsn;
  fail(key, "a WAL position");
  return {};
}

Instant JsonFields::time(std::string_view key) {
  if (const auto time = parse_rfc3339(text(key)); time.ok()) return *time;
  fail(key, "a time");
  return {};
}

bool JsonFields::flag(std::string_view key) {
  const json::value* value = object_.if_contains({key.data(), key.size()});
  if (value && !value->is_bool()) fail(key, "true or false");
  return value && value->is_bool() && value->get_bool();
}

std::optional<Instant> JsonFields::time_if_any(std::string_view key) {
  if (!has(key)) return std::nullopt;
  return time(key);
}

const json::array& JsonFields::array(std::string_view key) {
  const json::value* value = object_.if_contains({key.data(), key.size()});
  if (value && value->is_array()) return value->get_array();
  if (value) fail(key, "a list");
  return kNoElements;
}

const json::object& JsonFields::object(std::string_view key) {
  const json::value* value = object_.if_contains({key.data(), key.size()});
  return value ? as_object(*value, key) : kNoFields;
}

const json::object& JsonFields::as_object(const json::value& element, std::string_view key) {
  if (element.is_object()) return element.get_object();
  fail(key, "an object");
  return kNoFields;
}

}  // namespace daruma::postgres
