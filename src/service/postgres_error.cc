#include "service/postgres_error.h"

#include <fmt/format.h>

namespace daruma::service {

namespace {

struct Meaning {
  std::string_view prefix;  // of the SQLSTATE
  Errc code;
};

// The first that fits; the longer before the shorter.
constexpr Meaning kMeanings[] = {
    {"23505", Errc::kExists},       // unique_violation
    {"23P01", Errc::kExists},       // exclusion_violation
    {"22", Errc::kInvalid},         // data exception
    {"23", Errc::kInvalid},         // integrity constraint violation
    {"40001", Errc::kUnavailable},  // serialization_failure
    {"40P01", Errc::kUnavailable},  // deadlock_detected
    {"55P03", Errc::kUnavailable},  // lock_not_available
    {"57014", Errc::kUnavailable},  // query_canceled
    {"57P", Errc::kUnavailable},    // shutting down, starting, crashed
    {"53", Errc::kUnavailable},     // insufficient resources
    {"08", Errc::kUnavailable},     // connection exception
    {"25006", Errc::kUnavailable},  // read_only_sql_transaction: a standby, soon promoted
};

constexpr std::string_view kQuotes[] = {"\"", "«", "»", "“", "„", "「", "'"};

}  // namespace

Errc code_of_sqlstate(std::string_view sqlstate) {
  for (const Meaning& meaning : kMeanings)
    if (sqlstate.starts_with(meaning.prefix)) return meaning.code;
  return Errc::kFailed;
}

Error postgres_error(std::string_view name, std::string_view sqlstate, std::string_view message) {
  if (sqlstate.starts_with("22")) {
    for (const std::string_view quote : kQuotes) message = message.substr(0, message.find(quote));
    while (message.ends_with(' ') || message.ends_with(':')) message.remove_suffix(1);
  }
  while (message.ends_with('\n')) message.remove_suffix(1);
  if (sqlstate.empty()) return {Errc::kUnavailable, fmt::format("{}: {}", name, message)};
  return {code_of_sqlstate(sqlstate), fmt::format("{}: {}: {}", name, sqlstate, message)};
}

bool is_stale_plan(std::string_view sqlstate) { return sqlstate == "26000" || sqlstate == "0A000"; }

}  // namespace daruma::service
