// library/json.h: the little JSON that the three APIs speak: flat objects in, small objects out.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace aimicro {

using Fields = std::map<std::string, std::string, std::less<>>;

// The texts of a JSON object whose values are all texts. `known`: the names that may be there; all of
// `needed` must be. kInvalid: says which name or byte is wrong, never a value.
daruma::Result<Fields> read_fields(std::string_view body, const std::vector<std::string>& needed,
                                   const std::vector<std::string>& optional = {});

// Writes one object; the caller sees to it that names differ.
class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string_view text);
  JsonObject& add(std::string_view name, const char* text) { return add(name, std::string_view(text)); }
  JsonObject& add(std::string_view name, const std::string& text) {
    return add(name, std::string_view(text));
  }
  JsonObject& add_number(std::string_view name, int64_t number);
  JsonObject& add_list(std::string_view name, const std::vector<std::string>& texts);
  // `json`: JSON already.
  JsonObject& add_json(std::string_view name, std::string_view json);
  std::string text() const { return "{" + inside_ + "}"; }

 private:
  std::string inside_;
};

}  // namespace aimicro
