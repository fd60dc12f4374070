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

enum class DatastoreKind : uint8_t { kPostgres, kRedis };

struct DatastoreConfig {
  std::string name;
  DatastoreKind kind = DatastoreKind::kPostgres;
  ConnectionConfig connection;
  std::string service = {};  // the service that runs it; empty: none of ours
  std::optional<Path> data_directory;
  std::optional<CaptureConfig> capture;  // nullopt: snapshots only
  SnapshotsConfig snapshots;
  ObjectiveConfig objective;
};

enum class Runtime : uint8_t { kProcess, kSystemd, kDocker, kPm2 };

// How to ask a service whether it is well. Exactly one is set.
struct HealthConfig {
  std::string http = {};       // a URL; 200 is well
  std::string tcp = {};        // HOST:PORT; a connection is well
  std::string datastore = {};  // a datastore that answers is well
};

enum class RestartPolicy : uint8_t { kAlways, kOnFailure, kNever };

// What the runtime `process` does when the service ends by itself (requirement A7).
struct RestartConfig {
  RestartPolicy policy = RestartPolicy::kOnFailure;
  Duration backoff = std::chrono::seconds(1);  // before the first restart; doubles with each one
  Duration backoff_most = std::chrono::seconds(30);
  uint32_t limit = 10;  // restarts within `within`; one more and it stays stopped
  Duration within = std::chrono::minutes(5);
};

// What the runtime `process` lets a service use.
struct LimitsConfig {
  std::optional<uint64_t> memory;  // bytes of address space of each of its processes
  std::optional<uint32_t> open_files;
  std::optional<uint32_t> processes;
};

struct ServiceLogsConfig {
  Path error;   // one JSON object a line (requirement L10)
  Path access;  // the same
};

struct ServiceConfig {
  std::string name;
  Runtime runtime = Runtime::kProcess;
  std::string called = {};                // unit, container or pm2's name; empty: the service's own name
  std::vector<std::string> command = {};  // runtime process: what to run, the words of an argument list
  Path directory = {};                    // where it runs; docker: the folder of its compose file
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to ours; no secrets
  std::vector<std::string> needs = {};  // services and datastores that must be well before it
  std::optional<HealthConfig> health;
  std::optional<ServiceLogsConfig> logs;
  std::string breakers = {};  // the URL that lists its circuit breakers (requirement L6)
  RestartConfig restart = {};
  LimitsConfig limits = {};
};

// Who must agree before a destructive step (design, "Runs").
struct ApprovalConfig {
  uint32_t count = 1;                    // different people
  std::vector<std::string> groups = {};  // groups of the operating system; empty: anybody who may reach us
  bool by_starter = false;               // whoever started the run may be one of them
  Duration expires = std::chrono::hours(1);
};

struct TargetConfig {
  std::string name;  // production, staging or sandbox
  std::optional<ApprovalConfig> approval;
};

enum class ChannelKind : uint8_t { kSlack, kWebhook, kEmail, kCommand };

// Where notices go (requirement A15). `url` is a secret: Slack's and most webhooks' addresses are passwords.
struct ChannelConfig {
  std::string name;
  ChannelKind kind = ChannelKind::kWebhook;
  std::optional<SecretReference> url;     // slack, webhook; email: smtp://HOST:PORT
  std::vector<std::string> to = {};       // email
  std::string from = {};                  // email
  std::vector<std::string> command = {};  // command: gets the notice as JSON on standard input
};

// All paths are absolute.
struct Config {
  Path file;  // where it was read from; empty: from the command line alone
  Path state;
  RepositoryConfig repository;
  std::vector<DatastoreConfig> datastores;
  std::vector<ServiceConfig> services;
  std::vector<ChannelConfig> channels;
  std::vector<TargetConfig> targets;
  std::vector<std::string> plans;

  // nullptr: no datastore has this name.
  const DatastoreConfig* datastore(std::string_view name) const;
  const ServiceConfig* service(std::string_view name) const;
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
