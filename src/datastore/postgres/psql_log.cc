#include "datastore/postgres/psql_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "datastore/postgres/dump_files.h"

namespace daruma::postgres {
namespace {

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

// Takes "SEVERITY:  SQLSTATE: " off the front; the severity is in the server's language.
std::string take_sqlstate(std::string_view& text) {
  constexpr size_t kLongestSeverity = 64;
  const size_t colon = text.find(":  ");
  if (colon == std::string_view::npos || colon > kLongestSeverity) return "";
  const std::string_view state = text.substr(colon + 3, 5);
  if (!is_sqlstate(state) || text.substr(colon + 8, 2) != ": ") return "";
  text.remove_prefix(colon + 10);
  return std::string(state);
}

}  // namespace

std::string to_text(const Complaint& complaint) {
  return fmt::format("{}{}{}", complaint.line.empty() ? "" : "line " + complaint.line + ": ",
                     complaint.sqlstate.empty() ? "" : complaint.sqlstate + ": ", complaint.message);
}

std::optional<Complaint> parse_complaint(std::string_view line) {
  constexpr std::string_view kPsql = "psql:";
  if (!line.starts_with(kPsql)) return std::nullopt;
  line.remove_prefix(kPsql.size());
  Complaint complaint;
  constexpr std::string_view kInput = "<stdin>:";
  if (line.starts_with(kInput)) {
    line.remove_prefix(kInput.size());
    const size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
    complaint.line = line.substr(0, digits);
    line.remove_prefix(std::min(digits + 1, line.size()));
  }
  while (line.starts_with(' ')) line.remove_prefix(1);
  complaint.sqlstate = take_sqlstate(line);
  // Success, warnings and "no data" are not errors.
  for (const std::string_view harmless : {"00", "01", "02"})
    if (complaint.sqlstate.starts_with(harmless)) return std::nullopt;
  complaint.message = line;
  return complaint;
}

bool is_allowed(const Complaint& complaint, const std::vector<std::string>& allowed) {
  return std::ranges::any_of(allowed, [&](const std::string& entry) {
    const size_t colon = entry.find(": ");
    if (complaint.sqlstate.empty() || complaint.sqlstate != entry.substr(0, colon)) return false;
    return colon == std::string::npos || matches(complaint.message, entry.substr(colon + 2));
  });
}

std::vector<std::string> allowed_for(const std::string& role) {
  return {fmt::format("42710: role \"{}\" already exists", role), "55006: current user cannot be dropped"};
}

}  // namespace daruma::postgres
