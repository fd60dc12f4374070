#include "ai-micro-api-auth/accounts.h"

#include <algorithm>

#include "library/common.h"

namespace aimicro {

using daruma::Result;
using daruma::Status;
using daruma::service::Rows;
using daruma::service::SqlValues;
using daruma::service::Statement;
using daruma::service::Task;

namespace {

// Roles come as "user,admin": an array's own text form would need a parser.
#define ACCOUNT_COLUMNS "id, email, password_hash, array_to_string(roles, ','), state = 'active'"
constexpr Statement kAdd{
    "account_add", "INSERT INTO users (email, password_hash) VALUES ($1, $2) RETURNING " ACCOUNT_COLUMNS};
constexpr Statement kWithEmail{"account_with_email",
                               "SELECT " ACCOUNT_COLUMNS " FROM users WHERE email = $1"};
constexpr Statement kWithId{"account_with_id", "SELECT " ACCOUNT_COLUMNS " FROM users WHERE id = $1::uuid"};
constexpr Statement kSetHash{"account_set_hash",
                             "UPDATE users SET password_hash = $2, changed_at = now() WHERE id = $1::uuid"};
#undef ACCOUNT_COLUMNS

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

Account account_of(const Rows& rows) {
  Account account;
  account.id = rows.text(0, 0);
  account.email = rows.text(0, 1);
  account.password_hash = rows.text(0, 2);
  account.roles = split(rows.text(0, 3));
  account.active = rows.text(0, 4) == "t";
  return account;
}

}  // namespace

Task<Result<Account>> Accounts::add(std::string email, std::string password_hash) {
  SqlValues values;
  values.emplace_back(std::move(email));
  values.emplace_back(std::move(password_hash));
  auto rows = co_await pool_.run(kAdd, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  co_return account_of(*rows);
}

Task<Result<std::optional<Account>>> Accounts::find(const Statement& statement, std::string value) {
  SqlValues values;
  values.emplace_back(std::move(value));
  auto rows = co_await pool_.run(statement, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  std::optional<Account> account;
  if (rows->size() > 0) account = account_of(*rows);
  co_return account;
}

Task<Result<std::optional<Account>>> Accounts::with_email(std::string email) {
  return find(kWithEmail, std::move(email));
}

Task<Result<std::optional<Account>>> Accounts::with_id(std::string id) {
  return find(kWithId, std::move(id));
}

Task<Status> Accounts::set_password_hash(std::string id, std::string password_hash) {
  SqlValues values;
  values.emplace_back(std::move(id));
  values.emplace_back(std::move(password_hash));
  auto rows = co_await pool_.run(kSetHash, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  co_return Status();
}

std::optional<std::string> normal_email(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  const size_t at = text.find('@');
  const bool one_at = at != std::string_view::npos && text.find('@', at + 1) == std::string_view::npos;
  if (!one_at || at == 0 || at + 1 == text.size() || text.size() > 254 || !characters_in(text))
    return std::nullopt;
  std::string email(text);
  for (char& c : email) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return std::nullopt;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return email;
}

}  // namespace aimicro
