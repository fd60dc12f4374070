// datastore/postgres/json_fields.h: typed fields of a JSON object that we wrote ourselves: read everything,
// then ask once whether it was there.
//
// Method:  as ByteReader: a missing field, or one of another type, reads as nothing and makes status() an
//          error that names the first such field.
// Owns:    nothing; the object and `what` (how errors call it) outlive the reader.
// Threads: one at a time.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "datastore/postgres/lsn.h"

namespace daruma::postgres {

// kCorrupt: not one whole JSON object. Bytes that are not UTF-8 are kept: names come from databases.
Result<boost::json::object> parse_json_object(std::string_view text, std::string_view what);

class JsonFields {
 public:
  JsonFields(const boost::json::object& object, std::string_view what) : object_(object), what_(what) {}

  std::string text(std::string_view key);
  uint64_t number(std::string_view key);
  uint32_t number32(std::string_view key);
  uint64_t decimal(std::string_view key);  // a number kept as text, because readers round large ones
  Lsn lsn(std::string_view key);
  Instant time(std::string_view key);
  // These may be absent: false, none, empty.
  bool flag(std::string_view key);
  std::optional<Instant> time_if_any(std::string_view key);
  const boost::json::array& array(std::string_view key);
  const boost::json::object& object(std::string_view key);
  // An element of an array that must be an object.
  const boost::json::object& as_object(const boost::json::value& element, std::string_view key);

  bool has(std::string_view key) const;
  void fail(std::string_view key, std::string_view wanted);
  Status status() const;

 private:
  const boost::json::object& object_;
  std::string_view what_;
  std::optional<Error> failure_;
};

}  // namespace daruma::postgres
