#include "repository/aead.h"

#include <openssl/evp.h>

#include "repository/key.h"

namespace daruma {
namespace {

struct Context {
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  ~Context() { EVP_CIPHER_CTX_free(cipher); }
};
thread_local Context encrypting;
thread_local Context decrypting;

const unsigned char* raw(BytesView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
int length_of(BytesView bytes) {
  DR_CHECK(bytes.size() <= (size_t{1} << 30));
  return static_cast<int>(bytes.size());
}

}  // namespace

void seal_append(Bytes& out, const SecretKey& key, const AeadNonce& nonce, BytesView additional,
                 BytesView plain) {
  EVP_CIPHER_CTX* cipher = encrypting.cipher;
  const size_t at = out.size();
  out.resize(at + plain.size() + kAeadTagSize);
  int written = 0;
  DR_CHECK(EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, raw(key.view()), raw(nonce)) == 1);
  DR_CHECK(EVP_EncryptUpdate(cipher, nullptr, &written, raw(additional), length_of(additional)) == 1);
  DR_CHECK(EVP_EncryptUpdate(cipher, raw(out.data() + at), &written, raw(plain), length_of(plain)) == 1);
  DR_CHECK(EVP_EncryptFinal_ex(cipher, raw(out.data() + at + plain.size()), &written) == 1);
  DR_CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, kAeadTagSize, out.data() + at + plain.size()) ==
           1);
}

Result<Bytes> open_sealed(const SecretKey& key, const AeadNonce& nonce, BytesView additional,
                          BytesView sealed) {
  const Error corrupt{Errc::kCorrupt, "sealed bytes do not verify"};
  if (sealed.size() < kAeadTagSize) return corrupt;
  EVP_CIPHER_CTX* cipher = decrypting.cipher;
  const BytesView body = sealed.first(sealed.size() - kAeadTagSize);
  std::array<std::byte, kAeadTagSize> tag;
  std::copy(sealed.end() - kAeadTagSize, sealed.end(), tag.begin());
  Bytes plain(body.size());
  int written = 0;
  DR_CHECK(EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), nullptr, raw(key.view()), raw(nonce)) == 1);
  DR_CHECK(EVP_DecryptUpdate(cipher, nullptr, &written, raw(additional), length_of(additional)) == 1);
  DR_CHECK(EVP_DecryptUpdate(cipher, raw(plain.data()), &written, raw(body), length_of(body)) == 1);
  DR_CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, kAeadTagSize, tag.data()) == 1);
  unsigned char none = 0;
  if (EVP_DecryptFinal_ex(cipher, &none, &written) != 1) return corrupt;
  return plain;
}

}  // namespace daruma
