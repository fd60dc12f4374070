#include "base/digest.h"

#include <fmt/format.h>
#include <openssl/sha.h>

namespace daruma {

Sha256 sha256(std::string_view bytes) {
  Sha256 digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  std::string out;
  for (const uint8_t byte : sha256(bytes)) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace daruma
