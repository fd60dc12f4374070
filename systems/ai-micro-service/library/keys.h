// library/keys.h: the pair of keys behind the access tokens: the auth service signs, the others check alone.
//
// Source:  RFC 8037 (Ed25519 as a JSON Web Key).
// Threads: any.
#pragma once

#include <string>

#include "os/file_system.h"
#include "service/token.h"

namespace aimicro {

inline constexpr const char* kIssuer = "ai-micro-service";
inline constexpr const char* kAudience = "ai-micro-service";

struct SigningKeys {
  std::unique_ptr<daruma::service::TokenKey> key;
  std::string public_pem;
  std::string jwks;  // {"keys":[…]}
};

// Reads the private key; makes it where it is missing (whoever comes first makes it, the others read it), and
// sees to it that the file of the public key fits. kInvalid: the file holds something else.
daruma::Result<SigningKeys> signing_keys(daruma::FileSystem& fs, const daruma::Path& private_file,
                                         const daruma::Path& public_file);

// What checks tokens of this system. kNotFound: the auth service has not made its keys yet.
daruma::Result<std::unique_ptr<daruma::service::TokenKey>> checking_key(daruma::FileSystem& fs,
                                                                        const daruma::Path& public_file);

}  // namespace aimicro
