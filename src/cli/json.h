// cli/json.h: JSON values under construction, for --json. Keys keep the order in which they were set.
//
// Instants become RFC 3339, so that no command decides for itself how a time is written.
// Threads: a value belongs to one thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "base/time.h"

namespace daruma {

class Json {
 public:
  Json();  // null
  Json(const char* text);
  Json(std::string_view text);
  Json(const std::string& text);
  Json(bool value);
  Json(double value);
  Json(Instant instant);
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) Json(Integer value)
      : Json(from_integer(static_cast<int64_t>(value), std::signed_integral<Integer>)) {}
  Json(Json&& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json object();
  static Json array();

  // On an object; a key set twice keeps its place and takes the new value.
  Json& set(std::string_view key, Json value);
  // On an array.
  Json& push(Json value);

  std::string compact() const;  // one line, without its end
  std::string pretty() const;   // two spaces per level, ending in a line's end

 private:
  static Json from_integer(int64_t value, bool is_signed);
  std::unique_ptr<boost::json::value> value_;
};

}  // namespace daruma
