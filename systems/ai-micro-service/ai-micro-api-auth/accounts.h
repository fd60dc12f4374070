// ai-micro-api-auth/accounts.h: the table authdb.users.
//
// Errors:  as service/postgres.h.
// Threads: the worker's one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/postgres.h"

namespace aimicro {

struct Account {
  std::string id, email, password_hash;
  std::vector<std::string> roles;
  bool active = false;
};

class Accounts {
 public:
  Accounts(daruma::service::PostgresPool& pool, const daruma::Clock& clock) : pool_(pool), clock_(clock) {}

  // kExists: the address is taken.
  daruma::service::Task<daruma::Result<Account>> add(std::string email, std::string password_hash);
  daruma::service::Task<daruma::Result<std::optional<Account>>> with_email(std::string email);
  daruma::service::Task<daruma::Result<std::optional<Account>>> with_id(std::string id);
  daruma::service::Task<daruma::Status> set_password_hash(std::string id, std::string password_hash);

 private:
  daruma::service::Task<daruma::Result<std::optional<Account>>> find(
      const daruma::service::Statement& statement, std::string value);

  daruma::service::PostgresPool& pool_;
  const daruma::Clock& clock_;
};

// Lower case, without blanks around it; nullopt: not an address.
std::optional<std::string> normal_email(std::string_view text);

}  // namespace aimicro
