#include "repository/key.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <charconv>
#include <optional>

#include "base/digest.h"
#include "repository/aead.h"

namespace daruma {
namespace {

constexpr char kContext[crypto_kdf_CONTEXTBYTES + 1] = "daruma01";
constexpr uint64_t kWrapSubkey = 1;
constexpr uint64_t kHashSubkey = 2;

unsigned char* raw_out(std::span<std::byte> bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }
const unsigned char* raw(BytesView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

SecretKey derive(const SecretKey& master, uint64_t subkey) {
  SecretKey key;
  crypto_kdf_derive_from_key(raw_out(key.writable()), SecretKey::kSize, subkey, kContext, raw(master.view()));
  return key;
}

std::string check_of(std::string_view lines) { return sha256_hex(lines).substr(0, 8); }

std::array<std::byte, 16> first_half(const Sha256& digest) {
  std::array<std::byte, 16> out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

// The rest of the line "NAME rest" if the next line of `text` is one; eats the line.
std::optional<std::string> take_line(std::string_view& text, std::string_view name) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name)) return std::nullopt;
  std::string rest(text.substr(name.size(), end - name.size()));
  text.remove_prefix(end + 1);
  return rest;
}

constexpr std::string_view kKeyComment = "# The key of a Daruma repository.";

Error damaged_key(const std::string& why) {
  return {Errc::kInvalid, "the key file is damaged: " + why,
          "restore it from the copy you keep apart from the repository"};
}

std::string strip_comments(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with('#')) out += line;
    text.remove_prefix(line.size());
  }
  return out;
}

}  // namespace

SecretKey::SecretKey(BytesView bytes) {
  DR_CHECK(bytes.size() == kSize);
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

SecretKey::~SecretKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

std::string print_key_file(const KeyFile& key) {
  const std::string lines = fmt::format("daruma-key 1\nrepository {}\nepoch {}\nkey {}\n",
                                        key.repository.hex(), key.epoch, to_hex(key.master.view()));
  return std::string(kKeyComment) +
         " Without it nothing in the repository can be read, by anybody.\n"
         "# Keep a copy where the repository is not.\n" +
         lines + "check " + check_of(lines) + "\n";
}

Result<KeyFile> parse_key_file(std::string_view with_comments) {
  const std::string text = strip_comments(with_comments);
  std::string_view rest = text;
  const auto version = take_line(rest, "daruma-key ");
  if (!version && with_comments.starts_with(kKeyComment)) return damaged_key("a line is missing");
  if (!version)
    return Error{Errc::kInvalid, "this is not a Daruma key file", "`daruma init` makes one; --key names it"};
  if (*version != "1")
    return Error{Errc::kInvalid, "key file version " + *version + " is newer than this program"};
  const auto repository = take_line(rest, "repository ");
  const auto epoch = take_line(rest, "epoch ");
  const auto key = take_line(rest, "key ");
  if (!repository || !epoch || !key) return damaged_key("a line is missing");
  const auto lines = std::string_view(text).substr(0, text.size() - rest.size());
  const auto check = take_line(rest, "check ");
  if (!check || !rest.empty()) return damaged_key("its last line is missing or not the last");
  if (*check != check_of(lines)) return damaged_key("its check does not match");

  KeyFile file;
  DR_TRY(file.repository, RepositoryId::parse(*repository));
  const auto parsed = std::from_chars(epoch->data(), epoch->data() + epoch->size(), file.epoch);
  DR_TRY(const Bytes master, from_hex(*key));
  if (parsed.ec != std::errc() || parsed.ptr != epoch->data() + epoch->size() ||
      master.size() != SecretKey::kSize)
    return damaged_key("a value has the wrong form");
  file.master = SecretKey(master);
  return file;
}

namespace {

constexpr std::string_view kPassphraseMagic = "DARUMAKY";
constexpr uint64_t kPassphraseMemoryMax = uint64_t{4} << 30;  // more is an attack on who opens it
constexpr uint64_t kPassphraseOperationsMax = 1000;

struct PassphraseHeader {
  uint64_t operations = crypto_pwhash_OPSLIMIT_MODERATE;
  uint64_t memory_bytes = crypto_pwhash_MEMLIMIT_MODERATE / 2;
  std::array<std::byte, crypto_pwhash_SALTBYTES> salt{};
};

Result<SecretKey> stretch(std::string_view passphrase, const PassphraseHeader& header) {
  SecretKey key;
  if (crypto_pwhash(raw_out(key.writable()), SecretKey::kSize, passphrase.data(), passphrase.size(),
                    raw(header.salt), header.operations, static_cast<size_t>(header.memory_bytes),
                    crypto_pwhash_ALG_ARGON2ID13) != 0)
    return Error{Errc::kFailed, fmt::format("argon2id needs {} bytes of memory and could not have them",
                                            header.memory_bytes)};
  return key;
}

std::array<std::byte, 16> checksum(BytesView bytes) { return first_half(sha256(bytes)); }

struct PassphraseObject {
  RepositoryId repository;
  PassphraseHeader header;
  AeadNonce nonce{};
  BytesView additional;
  BytesView sealed;
};

Result<PassphraseObject> parse_passphrase_object(BytesView object) {
  const Error corrupt{Errc::kCorrupt, "the passphrase key object is damaged or of another version",
                      "bring keys/ back from another copy, or use the key file"};
  ByteReader in(object);
  const bool magic = as_text(in.get_bytes(kPassphraseMagic.size())) == kPassphraseMagic;
  const auto version = in.get<uint16_t>();
  PassphraseObject parsed;
  parsed.repository.bytes = in.get_array<16>();
  parsed.header.operations = in.get<uint64_t>();
  parsed.header.memory_bytes = in.get<uint64_t>();
  parsed.header.salt = in.get_array<crypto_pwhash_SALTBYTES>();
  parsed.additional = object.first(object.size() - in.left());
  parsed.nonce = in.get_array<12>();
  parsed.sealed = in.get_bytes(SecretKey::kSize + kAeadTagSize);
  const size_t checked = object.size() - in.left();
  const auto check = in.get_array<16>();
  if (!magic || version != 1 || !in.at_end() || check != checksum(object.first(checked))) return corrupt;
  if (parsed.header.memory_bytes > kPassphraseMemoryMax ||
      parsed.header.operations > kPassphraseOperationsMax)
    return corrupt;
  return parsed;
}

}  // namespace

Result<Bytes> wrap_with_passphrase(const KeyFile& key, std::string_view passphrase, Random& random) {
  PassphraseHeader header;
  random.fill(header.salt);
  ByteWriter out;
  out.put_bytes(as_bytes(kPassphraseMagic));
  out.put<uint16_t>(1);
  out.put_bytes(key.repository.view());
  out.put(header.operations);
  out.put(header.memory_bytes);
  out.put_bytes(header.salt);
  AeadNonce nonce;
  random.fill(nonce);
  DR_TRY(const SecretKey sealing, stretch(passphrase, header));
  const Bytes additional = to_bytes(out.view());
  out.put_bytes(nonce);
  Bytes object = out.take();
  seal_append(object, sealing, nonce, additional, key.master.view());
  const auto check = checksum(object);
  object.insert(object.end(), check.begin(), check.end());
  return object;
}

Status check_passphrase_object(BytesView object, const RepositoryId& repository) {
  DR_TRY(const PassphraseObject parsed, parse_passphrase_object(object));
  if (parsed.repository != repository)
    return Error{Errc::kCorrupt,
                 "the passphrase key object belongs to repository " + parsed.repository.hex()};
  return {};
}

Result<KeyFile> unwrap_with_passphrase(BytesView object, uint32_t epoch, std::string_view passphrase) {
  DR_TRY(const PassphraseObject parsed, parse_passphrase_object(object));
  KeyFile file;
  file.epoch = epoch;
  file.repository = parsed.repository;
  DR_TRY(const SecretKey sealing, stretch(passphrase, parsed.header));
  auto master = open_sealed(sealing, parsed.nonce, parsed.additional, parsed.sealed);
  if (!master.ok())
    return Error{Errc::kRefused, "the passphrase does not open this repository",
                 "check the variable that passphrase_env names"};
  file.master = SecretKey(*master);
  sodium_memzero(master->data(), master->size());
  return file;
}

// One SHA-256 per domain that has already eaten the key block; copying it saves a block per page.
struct Keys::HashStates {
  std::array<EVP_MD_CTX*, 6> by_domain{};
  ~HashStates() {
    for (EVP_MD_CTX* context : by_domain) EVP_MD_CTX_free(context);
  }
};

Keys::Keys(const KeyFile& file)
    : repository_(file.repository),
      epoch_(file.epoch),
      wrap_(derive(file.master, kWrapSubkey)),
      states_(std::make_unique<HashStates>()) {
  const SecretKey hash_key = derive(file.master, kHashSubkey);
  for (size_t domain = 1; domain < states_->by_domain.size(); ++domain) {
    std::array<std::byte, 64> block{};
    std::copy(hash_key.view().begin(), hash_key.view().end(), block.begin());
    block[SecretKey::kSize] = static_cast<std::byte>(domain);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    DR_CHECK(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
    DR_CHECK(EVP_DigestUpdate(context, block.data(), block.size()) == 1);
    sodium_memzero(block.data(), block.size());
    states_->by_domain[domain] = context;
  }
}

Keys::~Keys() = default;
Keys::Keys(Keys&&) noexcept = default;

std::array<std::byte, 16> Keys::hash(HashDomain domain, BytesView data) const {
  struct Context {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(context); }
  };
  static thread_local Context scratch;
  Sha256 digest;
  const EVP_MD_CTX* primed = states_->by_domain[static_cast<size_t>(domain)];
  DR_CHECK(EVP_MD_CTX_copy_ex(scratch.context, primed) == 1);
  DR_CHECK(EVP_DigestUpdate(scratch.context, data.data(), data.size()) == 1);
  DR_CHECK(EVP_DigestFinal_ex(scratch.context, raw_out(digest), nullptr) == 1);
  return first_half(digest);
}

}  // namespace daruma
