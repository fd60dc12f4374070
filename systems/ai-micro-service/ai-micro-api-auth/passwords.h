// ai-micro-api-auth/passwords.h: passwords as argon2id hashes, made and checked away from the event loop.
//
// Source:  RFC 9106; libsodium's crypto_pwhash_str, whose text form carries algorithm and cost.
// Threads: the worker's one; the hashing runs on threads of its own, at most as many as the settings say.
#pragma once

#include <string>

#include "library/offload.h"

namespace aimicro {

struct PasswordCost {
  unsigned long long passes = 2;
  size_t memory_bytes = 64 << 20;
};

class Passwords {
 public:
  // Makes the hash that stands for accounts which do not exist: takes as long as one log-in.
  Passwords(PasswordCost cost, unsigned threads, size_t waiting_max);

  struct Verdict {
    bool right = false;
    std::string better_hash;  // not empty: right, and the cost has changed since the hash was made
  };
  // kUnavailable: too many are being hashed.
  daruma::service::Task<daruma::Result<std::string>> hash(std::string password);
  daruma::service::Task<daruma::Result<Verdict>> check(std::string password, std::string hash);
  // As long as check() of a wrong password, for an account that does not exist.
  daruma::service::Task<daruma::Result<Verdict>> check_nobody(std::string password);

 private:
  PasswordCost cost_;
  std::string nobody_;
  Offload offload_;
};

// At once, for commands. Ends the program when the memory is not to be had.
std::string hash_password(const std::string& password, PasswordCost cost);

// Why a new password is not taken; "" when it is.
std::string fault_of_password(std::string_view password, std::string_view email);

}  // namespace aimicro
