#include "service/token.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <algorithm>
#include <boost/json.hpp>

#include "service/base64url.h"
#include "service/json_text.h"

namespace daruma::service {
namespace {

namespace json_lib = boost::json;

constexpr size_t kLongestToken = 8 << 10;
constexpr size_t kShortestSecret = 32;  // as many as the hash has: RFC 7518, section 3.2
constexpr Duration kClocksDiffer = 30s;
constexpr int64_t kLastSecond = 253'402'300'799;  // of the year 9999

template <auto Free>
struct FreeBy {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Mac = std::unique_ptr<EVP_MAC, FreeBy<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeBy<EVP_MAC_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Error bad(std::string what) { return {Errc::kInvalid, "the token " + std::move(what)}; }

std::string header_of(std::string_view algorithm) {
  return to_base64url(as_bytes(fmt::format(R"({{"alg":"{}","typ":"JWT"}})", algorithm)));
}

// Not through a Duration, whose nanoseconds end in the year 2262.
int64_t seconds_of(Instant instant) {
  const int64_t part = instant.micros % 1'000'000;
  return (instant.micros - part) / 1'000'000 - (part < 0 ? 1 : 0);
}

// --- claims as JSON

void append_text(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += fmt::format("{}\"{}\":", out.size() > 1 ? "," : "", name);
  append_json_string(out, value);
}

std::string to_json(const Claims& claims) {
  std::string out = "{";
  append_text(out, "sub", claims.subject);
  append_text(out, "jti", claims.id);
  append_text(out, "iss", claims.issuer);
  append_text(out, "aud", claims.audience);
  if (!claims.roles.empty()) {
    out += out.size() > 1 ? ",\"roles\":[" : "\"roles\":[";
    for (size_t i = 0; i < claims.roles.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, claims.roles[i]);
    }
    out += ']';
  }
  return out + fmt::format("{}\"iat\":{},\"exp\":{}}}", out.size() > 1 ? "," : "", seconds_of(claims.issued),
                           seconds_of(claims.expires));
}

// Parses into memory that is ours: a token costs no allocation.
class Parsed {
 public:
  // False: not one JSON object.
  bool parse(std::string_view text) {
    boost::system::error_code failure;
    value_.emplace(json_lib::parse(text, failure, json_lib::storage_ptr(&memory_)));
    return !failure && value_->is_object();
  }
  const json_lib::value* find(std::string_view name) const { return value_->get_object().if_contains(name); }

 private:
  unsigned char buffer_[4096];
  json_lib::monotonic_resource memory_{buffer_, sizeof buffer_};
  std::optional<json_lib::value> value_;
};

Status read_text(const Parsed& parsed, std::string_view name, std::string& out) {
  const json_lib::value* value = parsed.find(name);
  if (!value) return {};
  if (!value->is_string()) return bad(fmt::format("has a \"{}\" that is no text", name));
  out = value->get_string();
  return {};
}

// Leaves `out` alone when there is none.
Status read_time(const Parsed& parsed, std::string_view name, std::optional<Instant>& out) {
  const json_lib::value* value = parsed.find(name);
  if (!value) return {};
  const int64_t* seconds = value->if_int64();
  if (!seconds || *seconds < 0 || *seconds > kLastSecond)
    return bad(fmt::format("has an \"{}\" that is no time in whole seconds", name));
  out = Instant{*seconds * 1'000'000};
  return {};
}

Status read_roles(const Parsed& parsed, std::vector<std::string>& roles) {
  const json_lib::value* value = parsed.find("roles");
  if (!value) return {};
  if (!value->is_array()) return bad("has \"roles\" that are no list");
  for (const json_lib::value& role : value->get_array()) {
    if (!role.is_string()) return bad("has a role that is no text");
    roles.emplace_back(role.get_string());
  }
  return {};
}

// "aud" may be a list; then `wanted` stands for it if it is among them, else the first.
Status read_audience(const Parsed& parsed, const std::string& wanted, std::string& out) {
  const json_lib::value* value = parsed.find("aud");
  if (!value || !value->is_array()) return read_text(parsed, "aud", out);
  for (const json_lib::value& audience : value->get_array()) {
    if (!audience.is_string()) return bad("has an \"aud\" that is no text");
    if (out.empty() || audience.get_string() == wanted) out = audience.get_string();
  }
  return {};
}

// --- keys

class KeyBase : public TokenKey {
 public:
  explicit KeyBase(std::string_view algorithm) : algorithm_(algorithm), header_(header_of(algorithm)) {}

  Result<std::string> sign(const Claims& claims) const override {
    std::string token = header_ + "." + to_base64url(as_bytes(to_json(claims)));
    DR_TRY(const std::string signature, signature_of(token));
    return token + "." + to_base64url(as_bytes(signature));
  }

  Result<Claims> check(std::string_view token, Instant now) const override {
    if (token.size() > kLongestToken) return bad("is too long");
    const size_t first = token.find('.'), second = token.rfind('.');
    if (first == second) return bad("has not the form HEADER.CLAIMS.SIGNATURE");
    DR_OK(check_header(token.substr(0, first)));
    const auto signature = from_base64url(token.substr(second + 1));
    if (!signature.ok() || !is_signature(token.substr(0, second), *signature))
      return bad("has a wrong signature");
    return read_claims(token.substr(first + 1, second - first - 1), now);
  }

  void expect(std::string issuer, std::string audience) override {
    issuer_ = std::move(issuer);
    audience_ = std::move(audience);
  }

 protected:
  virtual Result<std::string> signature_of(std::string_view signed_part) const = 0;
  virtual bool is_signature(std::string_view signed_part, std::string_view signature) const = 0;

 private:
  Status check_header(std::string_view encoded) const {
    if (encoded == header_) return {};
    const auto text = from_base64url(encoded);
    Parsed header;
    if (!text.ok() || !header.parse(*text)) return bad("has a malformed header");
    std::string algorithm, type;
    DR_OK(read_text(header, "alg", algorithm));
    DR_OK(read_text(header, "typ", type));
    if (algorithm != algorithm_) return bad(fmt::format("is not signed by {}", algorithm_));
    std::ranges::transform(type, type.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    if (type != "JWT") return bad("is of another type than JWT");
    if (header.find("crit")) return bad("asks for extensions that are not known here");
    return {};
  }

  Result<Claims> read_claims(std::string_view encoded, Instant now) const {
    const auto text = from_base64url(encoded);
    Parsed parsed;
    if (!text.ok() || !parsed.parse(*text)) return bad("has malformed claims");
    Claims claims;
    DR_OK(read_text(parsed, "sub", claims.subject));
    DR_OK(read_text(parsed, "jti", claims.id));
    DR_OK(read_text(parsed, "iss", claims.issuer));
    DR_OK(read_audience(parsed, audience_, claims.audience));
    DR_OK(read_roles(parsed, claims.roles));
    std::optional<Instant> issued, expires, not_before;
    DR_OK(read_time(parsed, "iat", issued));
    DR_OK(read_time(parsed, "exp", expires));
    DR_OK(read_time(parsed, "nbf", not_before));
    if (!expires) return bad("does not say when it expires");
    if (now >= *expires + kClocksDiffer) return bad("has expired at " + to_rfc3339(*expires));
    if (not_before && now + kClocksDiffer < *not_before)
      return bad("is not valid before " + to_rfc3339(*not_before));
    if (!issuer_.empty() && claims.issuer != issuer_) return bad("is from another issuer");
    if (!audience_.empty() && claims.audience != audience_) return bad("is for somebody else");
    claims.issued = issued.value_or(Instant{});
    claims.expires = *expires;
    return claims;
  }

  const std::string algorithm_;
  const std::string header_;  // as we write it: nearly every token's, so it need not be parsed
  std::string issuer_, audience_;
};

class SecretKey final : public KeyBase {
 public:
  explicit SecretKey(std::string_view secret) : KeyBase("HS256") {
    const Mac hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    DR_CHECK(hmac);
    keyed_.reset(EVP_MAC_CTX_new(hmac.get()));
    std::string digest = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    DR_CHECK(keyed_ && EVP_MAC_init(keyed_.get(), raw(secret), secret.size(), parameters) == 1);
  }

 private:
  Result<std::string> signature_of(std::string_view signed_part) const override { return mac(signed_part); }
  bool is_signature(std::string_view signed_part, std::string_view signature) const override {
    return equal_in_constant_time(mac(signed_part), signature);
  }

  // A copy of the context that has taken the key in already: that is what makes it cheap.
  std::string mac(std::string_view text) const {
    const MacContext context(EVP_MAC_CTX_dup(keyed_.get()));
    std::string out(32, '\0');
    size_t size = 0;
    DR_CHECK(context && EVP_MAC_update(context.get(), raw(text), text.size()) == 1 &&
             EVP_MAC_final(context.get(), raw(out), &size, out.size()) == 1 && size == out.size());
    return out;
  }

  MacContext keyed_;
};

class Ed25519Key final : public KeyBase {
 public:
  Ed25519Key(Key key, bool signs) : KeyBase("EdDSA"), key_(std::move(key)), signs_(signs) {}

 private:
  static constexpr size_t kSignatureSize = 64;

  Result<std::string> signature_of(std::string_view signed_part) const override {
    if (!signs_) return Error{Errc::kRefused, "a public key cannot sign a token"};
    const DigestContext context(EVP_MD_CTX_new());
    std::string out(kSignatureSize, '\0');
    size_t size = out.size();
    DR_CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
             EVP_DigestSign(context.get(), raw(out), &size, raw(signed_part), signed_part.size()) == 1 &&
             size == out.size());
    return out;
  }

  bool is_signature(std::string_view signed_part, std::string_view signature) const override {
    if (signature.size() != kSignatureSize) return false;
    const DigestContext context(EVP_MD_CTX_new());
    DR_CHECK(context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
    return EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(signed_part),
                            signed_part.size()) == 1;
  }

  const Key key_;
  const bool signs_;
};

// OpenSSL would ask for the passphrase of an encrypted key on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return 0; }

Key read_pem(std::string_view pem, decltype(&PEM_read_bio_PrivateKey) read) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(read(bio.get(), nullptr, no_passphrase, nullptr));
}

std::string pem_text(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace

bool Claims::has_role(std::string_view role) const { return std::ranges::find(roles, role) != roles.end(); }

Result<std::unique_ptr<TokenKey>> TokenKey::shared_secret(std::string_view secret) {
  if (secret.size() < kShortestSecret)
    return Error{
        Errc::kInvalid, fmt::format("a secret of {} bytes is too short to sign tokens", secret.size()),
        fmt::format("use {} random bytes or more, e.g. from `openssl rand -hex 32`", kShortestSecret)};
  return std::unique_ptr<TokenKey>(std::make_unique<SecretKey>(secret));
}

Result<std::unique_ptr<TokenKey>> TokenKey::ed25519_pem(std::string_view pem) {
  Key key = read_pem(pem, PEM_read_bio_PrivateKey);
  const bool signs = key != nullptr;
  if (!key) key = read_pem(pem, PEM_read_bio_PUBKEY);
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519)
    return Error{Errc::kInvalid, "this is not an Ed25519 key in PEM form",
                 "make one with `openssl genpkey -algorithm ed25519`"};
  return std::unique_ptr<TokenKey>(std::make_unique<Ed25519Key>(std::move(key), signs));
}

Result<TokenKey::PemPair> TokenKey::generate_ed25519() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Bio secret(BIO_new(BIO_s_mem())), open(BIO_new(BIO_s_mem()));
  if (!key || !secret || !open ||
      PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_PUBKEY(open.get(), key.get()) != 1)
    return Error{Errc::kFailed, "OpenSSL could not make an Ed25519 key"};
  return PemPair{pem_text(secret.get()), pem_text(open.get())};
}

Result<Claims> bearer(const Request& request, const TokenKey& key, Instant now) {
  static constexpr std::string_view kScheme = "bearer ";
  const std::string_view value = request.header("Authorization");
  if (value.empty()) return Error{Errc::kNotFound, "no token: send it as \"Authorization: Bearer TOKEN\""};
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  if (value.size() <= kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end(), value.begin(), [&](char b, char a) { return same(a, b); }))
    return Error{Errc::kInvalid, "the Authorization header is not of the form \"Bearer TOKEN\""};
  const size_t from = value.find_first_not_of(' ', kScheme.size());
  return key.check(value.substr(std::min(from, value.size())), now);
}

Response unauthorized(const Error& error) {
  Response response = problem(401, error.what);
  std::string challenge = "Bearer";
  if (error.code != Errc::kNotFound) {  // RFC 6750, section 3.1: whoever sent nothing is told no error code
    std::string description;
    for (const char c : error.what)
      if (c >= ' ' && c <= '~' && c != '"' && c != '\\') description += c;
    challenge += fmt::format(R"( error="invalid_token", error_description="{}")", description);
  }
  response.headers.push_back({"WWW-Authenticate", std::move(challenge)});
  return response;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace daruma::service
