#include "ai-micro-api-auth/passwords.h"

#include <sodium.h>

#include "library/common.h"

namespace aimicro {

using daruma::Result;
using daruma::service::Task;

namespace {

constexpr size_t kCharactersMin = 10;
constexpr size_t kBytesMax = 256;

struct Hashed {
  bool made = false;
  std::string text;
};

Hashed try_hash(const std::string& password, PasswordCost cost) {
  char out[crypto_pwhash_STRBYTES];
  const bool made = crypto_pwhash_str_alg(out, password.data(), password.size(), cost.passes,
                                          cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0;
  return {made, made ? out : ""};
}

Passwords::Verdict check_now(std::string password, const std::string& hash, PasswordCost cost) {
  Passwords::Verdict verdict;
  verdict.right = crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
  if (verdict.right && crypto_pwhash_str_needs_rehash(hash.c_str(), cost.passes, cost.memory_bytes) != 0)
    verdict.better_hash = try_hash(password, cost).text;
  sodium_memzero(password.data(), password.size());
  return verdict;
}

}  // namespace

std::string hash_password(const std::string& password, PasswordCost cost) {
  DR_CHECK(sodium_init() >= 0);
  const Hashed hashed = try_hash(password, cost);
  DR_CHECK(hashed.made);
  return hashed.text;
}

Passwords::Passwords(PasswordCost cost, unsigned threads, size_t waiting_max)
    : cost_(cost), nobody_(hash_password("nobody has this password", cost)), offload_(threads, waiting_max) {}

Task<Result<std::string>> Passwords::hash(std::string password) {
  std::function<Hashed()> work = [password = std::move(password), cost = cost_]() mutable {
    Hashed hashed = try_hash(password, cost);
    sodium_memzero(password.data(), password.size());
    return hashed;
  };
  auto hashed = co_await offload_.run<Hashed>(std::move(work));
  if (!hashed.ok()) co_return std::move(hashed).error();
  if (!hashed->made) co_return daruma::Error{daruma::Errc::kUnavailable, "no memory to hash a password"};
  co_return hashed->text;
}

Task<Result<Passwords::Verdict>> Passwords::check(std::string password, std::string hash) {
  std::function<Verdict()> work = [password = std::move(password), hash = std::move(hash), cost = cost_] {
    return check_now(password, hash, cost);
  };
  co_return co_await offload_.run<Verdict>(std::move(work));
}

Task<Result<Passwords::Verdict>> Passwords::check_nobody(std::string password) {
  auto verdict = co_await check(std::move(password), nobody_);
  if (verdict.ok()) verdict->right = false;
  co_return verdict;
}

std::string fault_of_password(std::string_view password, std::string_view email) {
  const auto characters = characters_in(password);
  if (!characters) return "the password is not UTF-8";
  if (*characters < kCharactersMin) return "the password is shorter than 10 characters";
  if (password.size() > kBytesMax) return "the password is longer than 256 bytes";
  if (password == email) return "the password is the e-mail address";
  if (password.find_first_not_of(password.front()) == std::string_view::npos)
    return "the password is one character repeated";
  return "";
}

}  // namespace aimicro
