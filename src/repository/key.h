// repository/key.h: the master key, what is derived from it, and the file it lives in.
//
// Format:  docs/format/keys.md.
// Secrets: key bytes are wiped when their owner dies, and appear in no message.
// Threads: const methods may be called concurrently.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/id.h"
#include "os/random.h"

namespace daruma {

using RepositoryId = Id<struct RepositoryTag>;
using PageHash = Id<struct PageHashTag>;
using FrameId = Id<struct FrameIdTag>;
using MapId = Id<struct MapIdTag>;  // of leaf maps, file tables and manifests

// 32 secret bytes. Moves wipe what they leave.
class SecretKey {
 public:
  static constexpr size_t kSize = 32;
  SecretKey() = default;
  explicit SecretKey(BytesView bytes);
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();
  BytesView view() const { return bytes_; }
  std::span<std::byte, kSize> writable() { return bytes_; }

 private:
  std::array<std::byte, kSize> bytes_{};
};

struct KeyFile {
  RepositoryId repository;
  uint32_t epoch = 1;
  SecretKey master;
};

std::string print_key_file(const KeyFile& key);
// kInvalid: not a key file, or damaged (a cut or changed line fails the check); the message says which.
Result<KeyFile> parse_key_file(std::string_view text);

// The bytes of `keys/<epoch>`: the master key wrapped by a passphrase. Takes about half a second by design.
Result<Bytes> wrap_with_passphrase(const KeyFile& key, std::string_view passphrase, Random& random);
// kRefused: wrong passphrase. kCorrupt: not such an object, or damaged; found before anything is stretched.
Result<KeyFile> unwrap_with_passphrase(BytesView object, uint32_t epoch, std::string_view passphrase);
// Whether the object is whole and of this repository, without the passphrase. kCorrupt: it is not.
Status check_passphrase_object(BytesView object, const RepositoryId& repository);

enum class HashDomain : uint8_t { kPage = 1, kFrame = 2, kLeaf = 3, kTable = 4, kManifest = 5 };

// What is derived from the master key, ready to use.
class Keys {
 public:
  explicit Keys(const KeyFile& file);
  ~Keys();
  Keys(Keys&&) noexcept;

  const SecretKey& wrap_key() const { return wrap_; }
  const RepositoryId& repository() const { return repository_; }
  uint32_t epoch() const { return epoch_; }

  // H(domain, data) of docs/format/keys.md.
  std::array<std::byte, 16> hash(HashDomain domain, BytesView data) const;
  PageHash page_hash(BytesView page) const { return {hash(HashDomain::kPage, page)}; }

 private:
  struct HashStates;
  RepositoryId repository_;
  uint32_t epoch_;
  SecretKey wrap_;
  std::unique_ptr<HashStates> states_;
};

}  // namespace daruma
