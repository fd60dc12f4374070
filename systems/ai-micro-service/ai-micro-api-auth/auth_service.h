// ai-micro-api-auth/auth_service.h: who somebody is: register, log in, refresh, log out.
//
//   POST /auth/register  {"email","password"}  201 the account        409 taken
//   POST /auth/login     {"email","password"}  200 access token       401 wrong, 429 too often
//   POST /auth/refresh   (cookie)              200 access token       401 no or ended session
//   POST /auth/logout    (cookie)              204
//   GET  /.well-known/jwks.json                the public key
//
// The access token goes to the page's memory; the refresh token is a cookie that no script can read, sent
// to /auth only, and only from pages of the same site. Redis or PostgreSQL away: 503, and sessions that are
// there go on until their access token expires, because nobody asks us about it.
// Threads: the worker's one.
#pragma once

#include <memory>

#include "ai-micro-api-auth/accounts.h"
#include "ai-micro-api-auth/passwords.h"
#include "ai-micro-api-auth/sessions.h"
#include "library/keys.h"
#include "library/origins.h"
#include "service/program.h"

namespace aimicro {

class AuthService final : public daruma::service::Service {
 public:
  explicit AuthService(daruma::service::Worker& worker);
  daruma::Status start(daruma::service::Router& router) override;
  daruma::service::Task<void> stop() override;

 private:
  using Request = daruma::service::Request;
  using Response = daruma::service::Response;
  template <class T>
  using Task = daruma::service::Task<T>;

  Task<Response> register_account(Request& request);
  Task<Response> log_in(Request& request);
  Task<Response> refresh(Request& request);
  Task<Response> log_out(Request& request);

  // An answer to give instead of going on: the page may not call this, or tries too often.
  std::optional<Response> refuse_origin(const Request& request) const;
  Task<std::optional<Response>> refuse_haste(Request& request, std::string account, int64_t tries_max);
  struct Judged {
    std::optional<Account> account;
    daruma::Result<Passwords::Verdict> verdict = Passwords::Verdict{};
    bool database_failed = false;  // else, when the verdict is an error, it was the hashing
  };
  // Takes the same time whether there is such an account or not; then the verdict is never `right`.
  Task<Judged> judge(std::string email, std::string password);
  Task<Response> open_session(Request& request, Account account);
  Response token_answer(const Account& account, const std::string& refresh_token);
  void add_routes(daruma::service::Router& router);
  void watch_redis();

  std::string client_of(const Request& request) const;
  std::string cookie(const std::string& value, daruma::Duration age) const;
  daruma::service::Header cleared_cookie() const { return {"Set-Cookie", cookie("", {})}; }

  daruma::service::Worker& worker_;
  const daruma::Duration access_time_;
  const bool cookie_secure_, behind_proxy_;
  const int64_t failures_max_, registrations_max_;
  std::unique_ptr<daruma::service::PostgresPool> pool_;
  std::unique_ptr<daruma::service::Redis> redis_;
  std::unique_ptr<Passwords> passwords_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<Sessions> sessions_;
  Origins origins_;
  SigningKeys keys_;
};

std::vector<daruma::service::Setting> auth_settings();
PasswordCost password_cost(const daruma::service::Settings& settings);

}  // namespace aimicro
