#include "base/digest.h"

#include <openssl/sha.h>

namespace daruma {

Sha256 sha256(BytesView bytes) {
  Sha256 digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string sha256_hex(BytesView bytes) { return to_hex(sha256(bytes)); }

}  // namespace daruma
