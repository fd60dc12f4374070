// ai-micro-api-auth/sessions.h: refresh tokens in Redis, with rotation, and the count of log-in attempts.
//
// A refresh token is 32 random bytes; Redis knows its SHA-256 only. Tokens that came from one log-in are a
// family. A token is good once: using it makes the next of its family. One that is used again was stolen or
// copied, so the whole family ends, and with it the session of whoever has the newer one. Two pages of one
// browser that wake up together are no thieves: for a moment (the grace) the second is told to ask again,
// with the cookie that the first has got by then. So there is never more than one good token in a family.
//
//   auth:token:SHA256      hash: user, family, used (0, or when: ms); expires with the token
//   auth:family:FAMILY     user; expires with its newest token; gone = the session is over
//   auth:tries:address:A   attempts to log in from an address; expires after a minute
//   auth:tries:account:S   failed attempts for an account (hash of its address); expires after 15 minutes
//
// Each change is one script in Redis, so it happens whole or not at all, whoever else asks at the same time.
// Errors:  kUnavailable: Redis is away; kFailed: Redis said so.
// Source:  RFC 9700 (OAuth 2.0 best current practice), refresh token rotation.
// Threads: the worker's one.
#pragma once

#include <optional>
#include <string>

#include "os/random.h"
#include "service/redis.h"

namespace aimicro {

struct SessionSettings {
  daruma::Duration refresh_time = std::chrono::hours(24 * 14);
  daruma::Duration reuse_grace = std::chrono::seconds(10);
  int64_t tries_of_address = 30;  // per minute
};

struct Rotated {
  enum class Kind { kRotated, kJustRotated, kUnknown, kReused } kind = Kind::kUnknown;
  std::string user;
  std::string token;  // kRotated: the next one
};

class Sessions {
 public:
  Sessions(daruma::service::Redis& redis, daruma::Random& random, const daruma::Clock& clock,
           SessionSettings settings)
      : redis_(redis), random_(random), clock_(clock), settings_(settings) {}

  // Counts an attempt from an address, for an account (of which `tries_max` may fail in 15 minutes). Zero:
  // go on; else how long to wait.
  daruma::service::Task<daruma::Result<daruma::Duration>> count_try(std::string address, std::string account,
                                                                    int64_t tries_max);
  // Takes a counted attempt back: it was we who failed. Nothing happens when Redis is away.
  daruma::service::Task<void> forgive_try(std::string account);
  // Begins a family for who just logged in, and forgets the account's failed attempts. Returns the token.
  daruma::service::Task<daruma::Result<std::string>> begin(std::string user, std::string email);
  daruma::service::Task<daruma::Result<Rotated>> rotate(std::string token);
  // Ends the family of this token; an unknown one is success.
  daruma::service::Task<daruma::Status> end(std::string token);

  daruma::Duration refresh_time() const { return settings_.refresh_time; }

 private:
  std::string new_token();
  daruma::service::Task<daruma::Result<daruma::service::RedisReply>> run(std::vector<std::string> arguments);

  daruma::service::Redis& redis_;
  daruma::Random& random_;
  const daruma::Clock& clock_;
  SessionSettings settings_;
};

}  // namespace aimicro
