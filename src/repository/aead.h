// repository/aead.h: AES-256-GCM, the one cipher of the repository (docs/format/envelope.md).
//
// Threads: pure functions; a context per thread is reused inside.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/result.h"

namespace daruma {

class SecretKey;
inline constexpr size_t kAeadTagSize = 16;
using AeadNonce = std::array<std::byte, 12>;

// Appends ciphertext and tag of `plain` to `out`. A nonce must never be used twice with one key.
void seal_append(Bytes& out, const SecretKey& key, const AeadNonce& nonce, BytesView additional,
                 BytesView plain);

// kCorrupt: the tag does not match; nothing of the plaintext is returned.
Result<Bytes> open_sealed(const SecretKey& key, const AeadNonce& nonce, BytesView additional,
                          BytesView sealed);

}  // namespace daruma
