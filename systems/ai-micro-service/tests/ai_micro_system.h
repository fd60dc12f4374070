// tests/ai_micro_system.h: the whole of ai-micro-service for a test: a real PostgreSQL, a real Redis with a
// password, and the five programs as processes on ports that were free, all in a scratch directory.
//
// What a test takes for granted and does not get ends the program with the reason.
// Owns:    all of them; they end with the test program.
// Threads: one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/http_talk.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"

namespace aimicro {

using Arguments = std::vector<std::string>;

class AiMicroSystem {
 public:
  AiMicroSystem();  // databases migrated, all five programs up
  ~AiMicroSystem();

  // Starts a program ("auth-service"), with more arguments than usual; returns when it is ready.
  void start(const std::string& program, const Arguments& more = {});
  void stop(const std::string& program);  // SIGTERM, waits for the end
  void restart(const std::string& program, const Arguments& more = {});
  // Runs a command of a program ("migrate"), to its end.
  daruma::ProcessExit command(const std::string& program, const Arguments& arguments);
  // Returns when the condition holds.
  void wait_until(const std::string& what, const std::function<bool()>& condition);
  // Returns when GET /health of the program gives this status.
  void wait_for_health(const std::string& program, int status);

  daruma::TalkAnswer ask(const std::string& program, const std::string& method, const std::string& target,
                         const daruma::TalkHeaders& headers = {}, std::string_view body = "");
  int port(const std::string& program) const { return ports_.at(program); }
  daruma::PostgresServer& postgres() { return postgres_; }
  daruma::RedisServer& redis() { return redis_; }
  daruma::Path files() const { return scratch_.path() / "files"; }
  daruma::Path private_key() const { return scratch_.path() / "keys" / "private.pem"; }
  std::string public_pem();
  // error.log and http.log of a program, one after the other.
  std::string logs(const std::string& program);
  // All logs and outputs of all programs.
  std::string everything_logged();
  daruma::FileSystem& fs() { return scratch_.fs(); }

 private:
  daruma::Command command_of(const std::string& program, const Arguments& arguments);
  std::string text_of(const daruma::Path& file);

  daruma::ScratchDir scratch_;
  std::unique_ptr<daruma::Clock> clock_ = daruma::real_clock();
  std::unique_ptr<daruma::ProcessRunner> runner_ = daruma::real_processes(*clock_);
  daruma::PostgresServer postgres_;
  daruma::RedisServer redis_;
  std::map<std::string, int> ports_;
  std::map<std::string, std::unique_ptr<daruma::Process>> processes_;
};

inline constexpr const char* kRedisPassword = "test-password-of-redis";
inline constexpr const char* kPrograms[] = {"auth-service", "user-service", "admin-service", "front-user",
                                            "front-admin"};

// Somebody who has logged in.
struct Visitor {
  std::string id, email, password, token, cookie;
  daruma::TalkHeaders bearer() const { return {{"Authorization", "Bearer " + token}}; }
  daruma::TalkHeaders with(daruma::TalkHeaders more) const;
};
// The value of a text field of a flat JSON object; "" when it is not there.
std::string field_of(const std::string& json, const std::string& name);
// "ai_micro_refresh=…" out of Set-Cookie.
std::string cookie_of(const daruma::TalkAnswer& answer);
std::string json_of(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace aimicro
