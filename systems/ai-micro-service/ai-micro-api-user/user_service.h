// ai-micro-api-user/user_service.h: profiles: what people tell about themselves.
//
//   GET /api/profile        mine; where I have none yet, an empty one of version 0
//   PUT /api/profile        {"displayName","organisation","bio","language","timeZone"}; with If-Match only
//                           when nobody changed it in the meantime (412)
//   GET /api/profiles/{id}  somebody's: my own, or anybody's with the role admin
//
// Tokens are checked here, with the public key: sessions go on while the auth service is down (requirement
// A20).
// Threads: the worker's one.
#pragma once

#include <memory>

#include "library/keys.h"
#include "library/origins.h"
#include "service/postgres.h"
#include "service/program.h"

namespace aimicro {

class UserService final : public daruma::service::Service {
 public:
  explicit UserService(daruma::service::Worker& worker) : worker_(worker) {}
  daruma::Status start(daruma::service::Router& router) override;
  daruma::service::Task<void> stop() override { return pool_->close(); }

 private:
  using Request = daruma::service::Request;
  using Response = daruma::service::Response;
  using Claims = daruma::service::Claims;

  daruma::service::Task<Response> show(Request& request, std::string user);
  daruma::service::Task<Response> show_somebody(Request& request, const Claims& claims);
  daruma::service::Task<Response> put(Request& request, std::string user);

  daruma::service::Worker& worker_;
  std::unique_ptr<daruma::service::PostgresPool> pool_;
  std::unique_ptr<daruma::service::TokenKey> key_;
  Origins origins_;
};

std::vector<daruma::service::Setting> user_settings();

}  // namespace aimicro
