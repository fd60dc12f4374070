// service/token.h: bearer tokens: JSON Web Tokens, signed and checked with OpenSSL.
//
// Two kinds of key: HS256 (one secret of 32 bytes or more for both sides) and EdDSA (Ed25519: whoever
// checks needs only the public key, so sessions go on while the one that signs is down; requirement A20).
// The algorithm is the key's, never the token's: "alg" must name it, "none" never passes. Compares are in
// constant time.
// Source:  RFC 7515, 7519, 8037, 8725 (best current practice).
// Threads: any; immutable but for expect(), which comes first.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "service/http.h"

namespace daruma::service {

struct Claims {
  std::string subject = {};             // sub
  std::string id = {};                  // jti
  std::string issuer = {};              // iss
  std::string audience = {};            // aud
  std::vector<std::string> roles = {};  // roles
  Instant issued = {};                  // iat, whole seconds
  Instant expires;                      // exp, whole seconds; always there
  bool has_role(std::string_view role) const;
};

class TokenKey {
 public:
  virtual ~TokenKey() = default;
  // kInvalid: shorter than 32 bytes.
  static Result<std::unique_ptr<TokenKey>> shared_secret(std::string_view secret);
  // PEM; a private key signs and checks, a public key only checks. kInvalid: not an Ed25519 key.
  static Result<std::unique_ptr<TokenKey>> ed25519_pem(std::string_view pem);
  // A new Ed25519 pair, as PEM texts.
  struct PemPair {
    std::string private_key, public_key;
  };
  static Result<PemPair> generate_ed25519();

  // kRefused: a public key cannot sign.
  virtual Result<std::string> sign(const Claims& claims) const = 0;
  // Signature, "typ" (JWT), "exp" and "nbf" (with 30 s for clocks that differ), issuer and audience where the
  // key was told to expect them. kInvalid: says what is wrong, never the token. HS256 costs less than 5 µs,
  // EdDSA about 150.
  virtual Result<Claims> check(std::string_view token, Instant now) const = 0;
  virtual void expect(std::string issuer, std::string audience) = 0;
};

// The claims of "Authorization: Bearer TOKEN". kNotFound: there is no such header; kInvalid: there is, and it
// is no good. Answer either with unauthorized(error).
Result<Claims> bearer(const Request& request, const TokenKey& key, Instant now);
// 401 with WWW-Authenticate as RFC 6750 says.
Response unauthorized(const Error& error);

// Equal, in a time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace daruma::service
