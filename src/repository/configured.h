// repository/configured.h: the repository that daruma.yaml names: its store, its key, and the two together.
//
// Threads: plain functions.
// Owns:    what they return; file system, clock and randomness are borrowed and outlive it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/config.h"
#include "repository/repository.h"

namespace daruma {

// The value of a secret: read_secret, or one that also remembers what must be taken out of texts.
using ReadSecret = std::function<Result<std::string>(const SecretReference&)>;

struct ConfiguredRepository {
  std::unique_ptr<ObjectStore> store;
  std::unique_ptr<Repository> repository;
};

// The directory of a file:// URL. kInvalid: a kind of URL that this version does not know.
Result<Path> directory_of(const std::string& url);

// Opens the copy named in the configuration, without a repository in it being needed.
Result<std::unique_ptr<ObjectStore>> open_configured_store(FileSystem& fs, Random& random,
                                                           const RepositoryConfig& config);
// The key, from its file or by the passphrase. kNotFound: no such file. kInvalid: damaged.
Result<KeyFile> read_configured_key(FileSystem& fs, ObjectStore& store, const KeyConfig& config,
                                    const ReadSecret& secret);
Result<ConfiguredRepository> open_configured_repository(FileSystem& fs, Clock& clock, Random& random,
                                                        const RepositoryConfig& config,
                                                        const ReadSecret& secret);

}  // namespace daruma
