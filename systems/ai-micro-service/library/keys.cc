#include "library/keys.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

#include "os/files.h"

namespace aimicro {

using daruma::as_bytes;
using daruma::as_text;
using daruma::Errc;
using daruma::Error;
using daruma::FileSystem;
using daruma::Path;
using daruma::Result;
using daruma::Status;
using daruma::service::TokenKey;

namespace {

constexpr uint64_t kPemMax = 16 << 10;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

std::string base64url(const unsigned char* bytes, size_t size) {
  std::string text(sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.resize(text.find('\0'));
  return text;
}

struct PublicHalf {
  std::string pem, x;  // x: the raw key in base64url
};

Result<PublicHalf> public_half(const std::string& private_pem) {
  const Bio in(BIO_new_mem_buf(private_pem.data(), static_cast<int>(private_pem.size())));
  const Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  unsigned char raw[32];
  size_t size = sizeof raw;
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), raw, &size) != 1 || size != sizeof raw)
    return Error{Errc::kInvalid, "not a private Ed25519 key in PEM form"};
  const Bio out(BIO_new(BIO_s_mem()));
  DR_CHECK(PEM_write_bio_PUBKEY(out.get(), key.get()) == 1);
  char* text = nullptr;
  const auto length = BIO_get_mem_data(out.get(), &text);
  return PublicHalf{std::string(text, static_cast<size_t>(length)), base64url(raw, size)};
}

// A name beside `file` that no other worker has: all of them start at once.
Path draft_of(const Path& file) {
  unsigned char salt[8];
  randombytes_buf(salt, sizeof salt);
  return file.string() + "." + base64url(salt, sizeof salt);
}

// Creates the file with all its bytes at once, or leaves what somebody else made in the meantime.
Status make_private_key(FileSystem& fs, const Path& file) {
  DR_TRY(const auto pair, TokenKey::generate_ed25519());
  const Path draft = draft_of(file);
  DR_OK(create_dirs(fs, file.parent_path()));
  DR_OK(replace_file(fs, draft, as_bytes(pair.private_key), 0600));
  Status linked = fs.link(draft, file);
  if (linked.is(Errc::kExists)) linked = {};
  DR_OK(fs.remove_file(draft));
  DR_OK(linked);
  return fs.sync_dir(file.parent_path());
}

Status publish(FileSystem& fs, const Path& file, const std::string& pem) {
  auto old = read_file(fs, file, kPemMax);
  if (old.ok() && as_text(*old) == pem) return {};
  DR_OK(create_dirs(fs, file.parent_path(), 0755));
  const Path draft = draft_of(file);
  DR_OK(replace_file(fs, draft, as_bytes(pem), 0644));
  DR_OK(fs.rename(draft, file));
  return fs.sync_dir(file.parent_path());
}

}  // namespace

Result<SigningKeys> signing_keys(FileSystem& fs, const Path& private_file, const Path& public_file) {
  DR_CHECK(sodium_init() >= 0);
  DR_TRY(const bool there, exists(fs, private_file));
  if (!there) DR_OK(make_private_key(fs, private_file));
  DR_TRY(const auto bytes, read_file(fs, private_file, kPemMax));
  const std::string pem(as_text(bytes));
  auto half = public_half(pem);
  if (!half.ok()) return std::move(half).error().in(private_file.string());
  DR_TRY(auto key, TokenKey::ed25519_pem(pem));
  key->expect(kIssuer, kAudience);
  DR_OK(publish(fs, public_file, half->pem));
  return SigningKeys{
      std::move(key), half->pem,
      fmt::format(R"({{"keys":[{{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","x":"{}"}}]}})",
                  half->x)};
}

Result<std::unique_ptr<TokenKey>> checking_key(FileSystem& fs, const Path& public_file) {
  auto bytes = read_file(fs, public_file, kPemMax);
  if (!bytes.ok())
    return Error{bytes.error().code, "the public key of the auth service: " + bytes.error().what,
                 "start the auth service once, or copy its public key here"};
  DR_TRY(auto key, TokenKey::ed25519_pem(as_text(*bytes)));
  key->expect(kIssuer, kAudience);
  return key;
}

}  // namespace aimicro
