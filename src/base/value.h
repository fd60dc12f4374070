// base/value.h: a value as JSON knows them: the inputs and outputs of steps, the bodies of journal events.
//
// Equal values have equal texts: to_json sorts the keys and writes no spaces, so that a hash over it is
// stable. Numbers are whole (64 bits, signed) or floating; a whole number stays whole.
// Threads: plain values.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace daruma {

class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::map<std::string, Value, std::less<>>;

  Value() = default;  // null
  Value(bool value) : data_(value) {}
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) Value(Integer value) : data_(static_cast<int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(List list) : data_(std::move(list)) {}
  Value(Map map) : data_(std::move(map)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  // nullptr: it is of another kind.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* floating() const { return std::get_if<double>(&data_); }
  const std::string* text() const { return std::get_if<std::string>(&data_); }
  const List* list() const { return std::get_if<List>(&data_); }
  const Map* map() const { return std::get_if<Map>(&data_); }
  List* list() { return std::get_if<List>(&data_); }
  Map* map() { return std::get_if<Map>(&data_); }

  // The entry of a map; nullptr: not a map, or no such key.
  const Value* find(std::string_view key) const;
  // The text, number or boolean under a key; `otherwise` when it is not there or of another kind.
  std::string text_at(std::string_view key, std::string otherwise = {}) const;
  int64_t integer_at(std::string_view key, int64_t otherwise = 0) const;
  bool boolean_at(std::string_view key, bool otherwise = false) const;
  // Sets an entry of a map; null becomes a map first. Any other kind is a bug.
  Value& set(std::string key, Value value);

  bool operator==(const Value&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Map> data_;
};

// One line, keys sorted, no spaces; invalid UTF-8 becomes U+FFFD.
std::string to_json(const Value& value);
// What a person reads of a value inside a sentence: text as it is, anything else as JSON.
std::string to_text(const Value& value);
// kInvalid: not JSON, nested deeper than 64, or a number beyond 64 bits.
Result<Value> parse_json(std::string_view text);

}  // namespace daruma
