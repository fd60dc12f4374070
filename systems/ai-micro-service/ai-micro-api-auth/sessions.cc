#include "ai-micro-api-auth/sessions.h"

#include <sodium.h>

#include "base/digest.h"
#include "library/common.h"

namespace aimicro {

using daruma::Duration;
using daruma::Errc;
using daruma::Error;
using daruma::Result;
using daruma::sha256_hex;
using daruma::Status;
using daruma::service::RedisReply;
using daruma::service::Task;

namespace {

constexpr std::chrono::seconds kCommandTime(1);

// KEYS: address, account. ARGV: limits of both. Returns the seconds to wait, 0 to go on.
constexpr const char* kCountTry = R"(
local function count(key, seconds)
  local n = redis.call('INCR', key)
  if n == 1 then redis.call('EXPIRE', key, seconds) end
  return n
end
if count(KEYS[1], 60) > tonumber(ARGV[1]) then return math.max(1, redis.call('TTL', KEYS[1])) end
if count(KEYS[2], 900) > tonumber(ARGV[2]) then return math.max(1, redis.call('TTL', KEYS[2])) end
return 0)";

// KEYS: account.
constexpr const char* kForgive = R"(
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end
return 'OK')";

// KEYS: token, family, account. ARGV: user, family, seconds.
constexpr const char* kBegin = R"(
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'family', ARGV[2], 'used', '0')
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
redis.call('DEL', KEYS[3])
return 'OK')";

// KEYS: old token, new token. ARGV: seconds, grace in milliseconds. Returns {what, user}.
constexpr const char* kRotate = R"(
local t = redis.call('HMGET', KEYS[1], 'user', 'family', 'used')
if not t[1] then return {'unknown', ''} end
local family = 'auth:family:' .. t[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if t[3] ~= '0' then
  if now - tonumber(t[3]) < tonumber(ARGV[2]) and redis.call('EXISTS', family) == 1 then
    return {'just rotated', t[1]}
  end
  redis.call('DEL', family)
  return {'reused', t[1]}
end
if redis.call('EXPIRE', family, ARGV[1]) == 0 then return {'unknown', ''} end
redis.call('HSET', KEYS[1], 'used', string.format('%.0f', now))
redis.call('HSET', KEYS[2], 'user', t[1], 'family', t[2], 'used', '0')
redis.call('EXPIRE', KEYS[2], ARGV[1])
return {'rotated', t[1]})";

// KEYS: token.
constexpr const char* kEnd = R"(
local family = redis.call('HGET', KEYS[1], 'family')
if family then redis.call('DEL', 'auth:family:' .. family) end
redis.call('DEL', KEYS[1])
return 'OK')";

std::string token_key(std::string_view token) { return "auth:token:" + sha256_hex(token); }
std::string account_key(std::string_view email) { return "auth:tries:account:" + sha256_hex(email); }

std::string seconds_of(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

std::string milliseconds_of(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

std::vector<std::string> script(const char* text, std::vector<std::string> keys,
                                std::vector<std::string> arguments) {
  std::vector<std::string> all;
  all.emplace_back("EVAL");
  all.emplace_back(text);
  all.push_back(std::to_string(keys.size()));
  for (std::string& key : keys) all.push_back(std::move(key));
  for (std::string& argument : arguments) all.push_back(std::move(argument));
  return all;
}

}  // namespace

std::string Sessions::new_token() {
  std::array<std::byte, 32> bytes;
  random_.fill(bytes);
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.resize(text.find('\0'));
  return text;
}

Task<Result<RedisReply>> Sessions::run(std::vector<std::string> arguments) {
  return redis_.command(std::move(arguments), clock_.after(kCommandTime));
}

Task<Result<Duration>> Sessions::count_try(std::string address, std::string account, int64_t tries_max) {
  auto arguments = script(kCountTry, {"auth:tries:address:" + address, account_key(account)},
                          {std::to_string(settings_.tries_of_address), std::to_string(tries_max)});
  auto reply = co_await run(std::move(arguments));
  if (!reply.ok()) co_return std::move(reply).error();
  co_return Duration(std::chrono::seconds(reply->number));
}

Task<void> Sessions::forgive_try(std::string account) {
  auto arguments = script(kForgive, {account_key(account)}, {});
  const auto reply = co_await run(std::move(arguments));
  static_cast<void>(reply);  // the count ends by itself
}

Task<Result<std::string>> Sessions::begin(std::string user, std::string email) {
  std::string token = new_token();
  const std::string family = sha256_hex(new_token()).substr(0, 32);
  auto arguments = script(kBegin, {token_key(token), "auth:family:" + family, account_key(email)},
                          {user, family, seconds_of(settings_.refresh_time)});
  auto reply = co_await run(std::move(arguments));
  if (!reply.ok()) co_return std::move(reply).error();
  co_return token;
}

Task<Result<Rotated>> Sessions::rotate(std::string token) {
  Rotated rotated;
  rotated.token = new_token();
  auto arguments = script(kRotate, {token_key(token), token_key(rotated.token)},
                          {seconds_of(settings_.refresh_time), milliseconds_of(settings_.reuse_grace)});
  auto reply = co_await run(std::move(arguments));
  if (!reply.ok()) co_return std::move(reply).error();
  if (reply->list.size() != 2)
    co_return Error{Errc::kFailed, "Redis: the answer to a rotation has another shape than expected"};
  rotated.user = reply->list[1].text;
  const std::string& what = reply->list[0].text;
  rotated.kind = what == "rotated"        ? Rotated::Kind::kRotated
                 : what == "just rotated" ? Rotated::Kind::kJustRotated
                 : what == "reused"       ? Rotated::Kind::kReused
                                          : Rotated::Kind::kUnknown;
  if (rotated.kind != Rotated::Kind::kRotated) rotated.token.clear();
  co_return rotated;
}

Task<Status> Sessions::end(std::string token) {
  auto arguments = script(kEnd, {token_key(token)}, {});
  auto reply = co_await run(std::move(arguments));
  if (!reply.ok()) co_return std::move(reply).error();
  co_return Status();
}

}  // namespace aimicro
