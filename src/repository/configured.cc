#include "repository/configured.h"

#include <fmt/format.h>

#include "base/size.h"
#include "os/files.h"
#include "storage/directory_store.h"

namespace daruma {
namespace {

constexpr uint32_t kKeyEpoch = 1;
constexpr std::string_view kFileScheme = "file://";

}  // namespace

Result<Path> directory_of(const std::string& url) {
  if (!url.starts_with(kFileScheme) || url.size() == kFileScheme.size() || url[kFileScheme.size()] != '/')
    return Error{Errc::kInvalid, fmt::format("'{}' is not a repository URL that this version knows", url),
                 "write file:///DIR"};
  return Path(url.substr(kFileScheme.size()));
}

Result<std::unique_ptr<ObjectStore>> open_configured_store(FileSystem& fs, Random& random,
                                                           const RepositoryConfig& config) {
  DR_TRY(const Path directory, directory_of(config.copies.front().url));
  return open_directory_store(fs, random, directory);
}

Result<KeyFile> read_configured_key(FileSystem& fs, ObjectStore& store, const KeyConfig& key,
                                    const ReadSecret& secret) {
  if (!key.passphrase_environment.empty()) {
    DR_TRY(const std::string passphrase, secret({.environment = key.passphrase_environment}));
    const auto object = store.get(fmt::format("keys/{:08x}", kKeyEpoch));
    if (object.is(Errc::kNotFound))
      return Error{Errc::kNotFound, fmt::format("{} holds no key that a passphrase opens", store.url()),
                   "run `daruma init`, or name the key file"};
    DR_OK(object);
    return unwrap_with_passphrase(*object, kKeyEpoch, passphrase);
  }
  const auto text = read_file(fs, key.file, 64 * kKiB);
  if (text.is(Errc::kNotFound))
    return Error{Errc::kNotFound, fmt::format("there is no key file {}", key.file.string()),
                 "bring it from where you keep its copy; `daruma init` makes one for a new repository"};
  DR_OK(text);
  auto parsed = parse_key_file(as_text(*text));
  if (!parsed.ok()) return std::move(parsed).error().in(key.file.string());
  return parsed;
}

Result<ConfiguredRepository> open_configured_repository(FileSystem& fs, Clock& clock, Random& random,
                                                        const RepositoryConfig& config,
                                                        const ReadSecret& secret) {
  ConfiguredRepository session;
  auto store = open_configured_store(fs, random, config);
  if (store.is(Errc::kNotFound))
    return Error{Errc::kNotFound, fmt::format("there is no repository in {}", config.copies.front().url),
                 "is its disk mounted? `daruma init` makes a new, empty one; the URL may be wrong"};
  DR_TRY(session.store, std::move(store));
  DR_TRY(const KeyFile key, read_configured_key(fs, *session.store, config.key, secret));
  std::vector<Copy> copies;
  for (const CopyConfig& copy : config.copies) copies.push_back({copy.name, session.store.get()});
  DR_TRY(session.repository, Repository::open(std::move(copies), key, clock, random));
  return session;
}

}  // namespace daruma
