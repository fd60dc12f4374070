// cli/config.h: daruma.yaml, read into plain structs, every mistake reported with its place.
//
// Format:  docs/configuration.md (printed by `daruma help settings`) and docs/daruma.schema.json, both made
// from the
//          tables in config.cc, as the parser is.
// Errors:  kInvalid; `what` holds one line "FILE:LINE:COLUMN: problem" for each problem found, in the file's
// order. Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/file_system.h"

namespace daruma {

// Where a secret is found; never the secret. Exactly one is set.
struct SecretReference {
  std::string environment = {};  // the name of a variable
  Path file = {};
};

// What opens the repository. Exactly one is set.
struct KeyConfig {
  Path file = {};
  std::string passphrase_environment = {};
};

struct CopyConfig {
  std::string name = {};
  std::string url = {};  // file:///DIR or s3://BUCKET/PREFIX
  std::string medium = {};
  std::string site = {};
};

struct RepositoryConfig {
  KeyConfig key;
  std::vector<CopyConfig> copies;  // at least one; names and URLs differ
};

struct ConnectionConfig {
  std::string host;  // a name, an address or the folder of a socket
  uint16_t port = 0;
  std::string user;  // empty: the operating system's
  std::string dbname;
  std::string sslmode;  // one of libpq's
  std::optional<SecretReference> password;
};

enum class WhenStalled : uint8_t { kWait };

struct AcknowledgeConfig {
  std::vector<std::string> copies;  // names out of repository.copies
};

struct CaptureConfig {
  std::string slot;
  bool synchronous = false;
  AcknowledgeConfig acknowledge;
  WhenStalled when_stalled = WhenStalled::kWait;
};

// How many of the newest snapshots stay, one for each hour, day, week, month.
struct KeepConfig {
  uint32_t hourly = 0;
  uint32_t daily = 0;
  uint32_t weekly = 0;
  uint32_t monthly = 0;
};

struct SnapshotsConfig {
  std::optional<Duration> every;   // nullopt: only when asked
  std::optional<KeepConfig> keep;  // nullopt: all
};

struct ObjectiveConfig {
  std::optional<Duration> rpo;
  std::optional<Duration> rto;
};

enum class DatastoreKind : uint8_t { kPostgres };

struct DatastoreConfig {
  std::string name;
  DatastoreKind kind = DatastoreKind::kPostgres;
  ConnectionConfig connection;
  std::optional<Path> data_directory;
  std::optional<CaptureConfig> capture;  // nullopt: snapshots only
  SnapshotsConfig snapshots;
  ObjectiveConfig objective;
};

enum class Runtime : uint8_t { kProcess, kSystemd, kDocker, kPm2 };

struct ServiceConfig {
  std::string name;
  Runtime runtime = Runtime::kProcess;
};

struct TargetConfig {
  std::string name;  // production, staging or sandbox
};

// All paths are absolute.
struct Config {
  Path file;  // where it was read from; empty: from the command line alone
  Path state;
  RepositoryConfig repository;
  std::vector<DatastoreConfig> datastores;
  std::vector<ServiceConfig> services;
  std::vector<TargetConfig> targets;
  std::vector<std::string> plans;

  // nullptr: no datastore has this name.
  const DatastoreConfig* datastore(std::string_view name) const;
};

// Reads the text of a configuration. `file` is its absolute path: relative paths stand on its folder, and
// messages name it. Pure.
Result<Config> parse_config(const std::string& text, const Path& file);

// Reads `chosen` (from -c), else daruma.yaml in `working_directory`, else /etc/daruma/daruma.yaml.
// kNotFound: there is none; `what` names the places looked at. kInvalid: as above, or larger than 1 MiB.
Result<Config> load_config(FileSystem& fs, const Path& working_directory, const std::optional<Path>& chosen);

// The secret itself, without the line's end. kNotFound: the variable is not set, or no such file. kInvalid:
// empty. The value never reaches an error.
Result<std::string> read_secret(FileSystem& fs, const SecretReference& reference);

}  // namespace daruma
