#include "run/steps/postgres_database.h"

#include <fmt/format.h>

#include <algorithm>

#include "run/steps/inputs.h"

namespace daruma::run {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string literal(std::string_view text) {
  std::string out = text.find('\\') == std::string_view::npos ? "'" : " E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

// Settings that are lists keep their quotes inside: quoted again they would be one name.
bool is_list(std::string_view setting) {
  static constexpr std::string_view kLists[] = {"search_path", "temp_tablespaces", "local_preload_libraries",
                                                "session_preload_libraries", "DateStyle"};
  return std::ranges::find(kLists, setting) != std::end(kLists);
}

// How CREATE DATABASE says what `production` is.
Result<std::string> like(PostgresSession& session, const std::string& production) {
  DR_TRY(const auto table,
         session.ask("SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, "
                     "(SELECT spcname FROM pg_tablespace s WHERE s.oid = dattablespace), datconnlimit::text "
                     "FROM pg_database WHERE datname = $1",
                     {production}));
  if (table.rows.empty()) return std::string(" TEMPLATE template0");
  const auto cell = [&](size_t i) { return table.rows[0].at(i).value_or(""); };
  DR_TRY(const std::string owner, session.quoted(cell(0)));
  DR_TRY(const std::string tablespace, session.quoted(cell(4)));
  return fmt::format(
      " TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {} TABLESPACE {} CONNECTION LIMIT {}",
      owner, literal(cell(1)), literal(cell(2)), literal(cell(3)), tablespace, cell(5));
}

Status copy_rights(PostgresSession& session, const std::string& from, const std::string& to) {
  DR_TRY(const auto rights,
         session.ask(
             "SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, "
             "a.is_grantable FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1",
             {from}));
  if (rights.rows.empty()) return {};
  DR_OK(session.run(fmt::format("REVOKE ALL ON DATABASE {} FROM PUBLIC", to)));
  for (const auto& row : rights.rows) {
    std::string grantee = "PUBLIC";
    if (!row.at(0).value_or("").empty()) {
      DR_TRY(grantee, session.quoted(*row[0]));
    }
    DR_OK(session.run(fmt::format("GRANT {} ON DATABASE {} TO {}{}", row.at(1).value_or(""), to, grantee,
                                  row.at(2) == "t" ? " WITH GRANT OPTION" : "")));
  }
  return {};
}

Status copy_settings(PostgresSession& session, const std::string& from, const std::string& to) {
  DR_TRY(const auto settings,
         session.ask(
             "SELECT CASE s.setrole WHEN 0 THEN '' ELSE pg_get_userbyid(s.setrole) END, unnest(s.setconfig) "
             "FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = $1",
             {from}));
  for (const auto& row : settings.rows) {
    const std::string line = row.at(1).value_or("");
    const std::string name = line.substr(0, line.find('='));
    const std::string value = line.substr(std::min(name.size() + 1, line.size()));
    std::string whom = "DATABASE " + to;
    if (!row.at(0).value_or("").empty()) {
      DR_TRY(const std::string role, session.quoted(*row[0]));
      whom = fmt::format("ROLE {} IN DATABASE {}", role, to);
    }
    DR_OK(session.run(
        fmt::format("ALTER {} SET {} TO {}", whom, name, is_list(name) ? value : literal(value))));
  }
  return {};
}

}  // namespace

Result<DatabasePair> database_pair(const StepContext& context) {
  DatabasePair names = database_pair_by_hand(context);
  for (const std::string& name : {names.production, names.side})
    if (name.empty() || name.size() > kLongestName)
      return Error{Errc::kInvalid, fmt::format("'{}' is no name of a database", name),
                   fmt::format("1 to {} bytes", kLongestName)};
  if (names.production == names.side)
    return Error{Errc::kInvalid, fmt::format("'{}' cannot stand beside itself", names.side)};
  return names;
}

DatabasePair database_pair_by_hand(const StepContext& context) {
  DatabasePair names;
  names.production = text_input(context, "database");
  names.side = text_input(context, "side");
  if (names.side.empty()) names.side = names.production + "_restore";
  names.maintenance = names.production == "postgres" || names.side == "postgres" ? "template1" : "postgres";
  return names;
}

Result<std::optional<DatabaseInfo>> find_database(PostgresSession& session, const std::string& name) {
  DR_TRY(const auto table,
         session.ask("SELECT oid::text, datallowconn FROM pg_database WHERE datname = $1", {name}));
  if (table.rows.empty()) return std::optional<DatabaseInfo>();
  return std::optional(DatabaseInfo{table.rows[0].at(0).value_or(""), table.rows[0].at(1) == "t"});
}

Status create_alike(PostgresSession& session, const DatabasePair& names) {
  DR_TRY(const std::string side, session.quoted(names.side));
  DR_TRY(const std::string how, like(session, names.production));
  DR_OK(session.run(fmt::format("CREATE DATABASE {}{}", side, how)));
  DR_OK(copy_rights(session, names.production, side));
  return copy_settings(session, names.production, side);
}

std::string digits_of(Instant now) {
  std::string out;
  for (const char c : to_rfc3339(now))
    if (is_digit(c) && out.size() < 14) out += c;
  return out;
}

std::string aside_name(const std::string& database, Instant now) {
  return database + "_before_" + digits_of(now);
}

bool is_aside_name(std::string_view name, std::string_view mark) {
  const size_t at = name.rfind(mark);
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view digits = name.substr(at + mark.size());
  return digits.size() == 14 && std::ranges::all_of(digits, is_digit);
}

}  // namespace daruma::run
