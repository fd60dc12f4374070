#include "cli/json.h"

#include <boost/json.hpp>

#include "base/check.h"

namespace daruma {
namespace {

void write_pretty(const boost::json::value& value, const std::string& indent, std::string& out) {
  const std::string deeper = indent + "  ";
  const char* separator = "\n";
  if (value.is_object() && !value.get_object().empty()) {
    out += '{';
    for (const auto& entry : value.get_object()) {
      out += separator + deeper + boost::json::serialize(entry.key()) + ": ";
      write_pretty(entry.value(), deeper, out);
      separator = ",\n";
    }
    out += "\n" + indent + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    out += '[';
    for (const auto& item : value.get_array()) {
      out += separator + deeper;
      write_pretty(item, deeper, out);
      separator = ",\n";
    }
    out += "\n" + indent + "]";
  } else {
    out += boost::json::serialize(value);
  }
}

}  // namespace

Json::Json() : value_(std::make_unique<boost::json::value>()) {}
Json::Json(const char* text) : Json(std::string_view(text)) {}
Json::Json(std::string_view text)
    : value_(std::make_unique<boost::json::value>(boost::json::string_view(text.data(), text.size()))) {}
Json::Json(const std::string& text) : Json(std::string_view(text)) {}
Json::Json(bool value) : value_(std::make_unique<boost::json::value>(value)) {}
Json::Json(double value) : value_(std::make_unique<boost::json::value>(value)) {}
Json::Json(Instant instant) : Json(to_rfc3339(instant)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::from_integer(int64_t value, bool is_signed) {
  Json out;
  if (is_signed)
    *out.value_ = value;
  else
    *out.value_ = static_cast<uint64_t>(value);
  return out;
}

Json Json::object() {
  Json out;
  out.value_->emplace_object();
  return out;
}

Json Json::array() {
  Json out;
  out.value_->emplace_array();
  return out;
}

Json& Json::set(std::string_view key, Json value) {
  DR_CHECK(value_->is_object());
  value_->get_object().insert_or_assign(boost::json::string_view(key.data(), key.size()),
                                        std::move(*value.value_));
  return *this;
}

Json& Json::push(Json value) {
  DR_CHECK(value_->is_array());
  value_->get_array().push_back(std::move(*value.value_));
  return *this;
}

std::string Json::compact() const { return boost::json::serialize(*value_); }

std::string Json::pretty() const {
  std::string out;
  write_pretty(*value_, "", out);
  return out + "\n";
}

}  // namespace daruma
