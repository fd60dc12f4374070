// Fuzzes the reader of tokens: nothing unsigned passes, and what is signed is read as written or refused.
//
// Input:  a byte that picks the way, then a token as it is; or, up to a zero byte, a header, and then claims,
//         which are signed here with the right key: so the parsers behind the signature are reached.
// Checks: errors are kInvalid; claims that were read are signed and read again as the same.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "fuzz.h"
#include "service/base64url.h"
#include "service/token.h"

namespace daruma::service {
namespace {

constexpr Instant kNow{1'718'841'600'000'000};
const std::string kSecret = "0123456789abcdef0123456789abcdef";

std::string sealed(std::string_view header, std::string_view claims) {
  const std::string text = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(claims));
  std::string mac(32, '\0');
  FUZZ_CHECK(HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
                  reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                  reinterpret_cast<unsigned char*>(mac.data()), nullptr));
  return text + "." + to_base64url(as_bytes(mac));
}

bool same(const Claims& a, const Claims& b) {
  return a.subject == b.subject && a.id == b.id && a.issuer == b.issuer && a.audience == b.audience &&
         a.roles == b.roles && a.issued == b.issued && a.expires == b.expires;
}

void check_signed(const TokenKey& key, std::string_view input) {
  const size_t zero = std::min(input.find('\0'), input.size());
  const auto claims =
      key.check(sealed(input.substr(0, zero), input.substr(std::min(zero + 1, input.size()))), kNow);
  FUZZ_CHECK(claims.ok() || claims.is(Errc::kInvalid));
  if (!claims.ok()) return;
  FUZZ_CHECK(kNow < claims->expires + 30s);
  const auto again = key.check(*key.sign(*claims), kNow);
  FUZZ_CHECK(again.ok() ? same(*claims, *again) : again.error().what == "the token is too long");
}

}  // namespace
}  // namespace daruma::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace daruma;
  using namespace daruma::service;
  static const std::unique_ptr<TokenKey> key = *TokenKey::shared_secret(kSecret);
  static const std::unique_ptr<TokenKey> stranger =
      *TokenKey::ed25519_pem(TokenKey::generate_ed25519()->public_key);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  if (input[0] % 2 == 0) {
    // Nobody guesses a signature; a seed holds one that is right.
    static_cast<void>(key->check(input.substr(1), kNow));
    FUZZ_CHECK(stranger->check(input.substr(1), kNow).is(Errc::kInvalid));
  } else {
    check_signed(*key, input.substr(1));
  }
  return 0;
}
