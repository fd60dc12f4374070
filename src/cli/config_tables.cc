#include "cli/config_tables.h"

#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/closest.h"

namespace daruma {
namespace {

using namespace settings;  // the words of which tables are made

void check_copies(Reader& reader, const YAML::Node& node, const RepositoryConfig& repository) {
  const YAML::Node copies = node["copies"];
  if (!copies || !copies.IsSequence()) return;
  if (repository.copies.empty()) reader.wrong(copies, "'copies' is empty; at least one copy is needed");
  std::map<std::string, int> first_lines;
  for (size_t i = 0; i < repository.copies.size(); ++i)
    for (const std::string& value : {repository.copies[i].name, repository.copies[i].url}) {
      const int line = copies[i].Mark().line + 1;
      const auto [first, added] = first_lines.emplace(value, line);
      if (!added && !value.empty())
        reader.wrong(copies[i],
                     fmt::format("two copies are '{}', the first in line {}", value, first->second));
    }
}

void check_keep(Reader& reader, const YAML::Node& node, const KeepConfig& keep) {
  if (keep.hourly + keep.daily + keep.weekly + keep.monthly == 0)
    reader.wrong(node, "this would keep no snapshot; set one of hourly, daily, weekly, monthly above 0");
}

// The capture of each datastore against the rest of the file.
void check_captures(Reader& reader, const YAML::Node& node, const Config& config) {
  std::vector<std::string> copies;
  for (const CopyConfig& copy : config.repository.copies) copies.push_back(copy.name);
  std::map<std::tuple<std::string, uint16_t, std::string>, std::string> owners;
  for (const DatastoreConfig& datastore : config.datastores) {
    if (!datastore.capture) continue;
    const YAML::Node at = node["datastores"][datastore.name]["capture"];
    for (const std::string& copy : datastore.capture->acknowledge.copies)
      if (!copy.empty() && std::ranges::find(copies, copy) == copies.end())
        reader.problem(at.Mark(),
                       fmt::format("datastores.{}.capture.acknowledge.copies: no copy is named '{}'{}",
                                   datastore.name, copy, suggestion(copy, copies)));
    const ConnectionConfig& server = datastore.connection;
    const auto [owner, added] =
        owners.emplace(std::tuple(server.host, server.port, datastore.capture->slot), datastore.name);
    if (!added)
      reader.problem(at.Mark(),
                     fmt::format("datastores.{}.capture.slot: '{}' is also the slot of '{}'; a slot has one "
                                 "consumer, so give each datastore its own",
                                 datastore.name, datastore.capture->slot, owner->second));
  }
}

void check_targets(Reader& reader, const YAML::Node& node, const Config& config) {
  const std::vector<std::string> known{"production", "staging", "sandbox"};
  for (const TargetConfig& target : config.targets)
    if (std::ranges::find(known, target.name) == known.end())
      reader.problem(node["targets"].Mark(), fmt::format("unknown target '{}' in targets{}", target.name,
                                                         suggestion(target.name, known)));
}

void check_config(Reader& reader, const YAML::Node& node, const Config& config) {
  check_captures(reader, node, config);
  check_targets(reader, node, config);
}

Type<RepositoryConfig> repository_table() {
  const auto key = exactly_one<KeyConfig>({
      field("file", &KeyConfig::file, path(), optional(),
            "the key file; `daruma init` makes it where it is missing"),
      field("passphrase_env", &KeyConfig::passphrase_environment, variable(), optional(),
            "the environment variable that holds the passphrase"),
  });
  const auto copy = mapping<CopyConfig>({
      field("name", &CopyConfig::name, name(), required(), "what messages and other settings call it"),
      field("url", &CopyConfig::url, copy_url(), required(),
            "where it is: file:///DIRECTORY; s3://BUCKET/PREFIX is refused by this version"),
      field("medium", &CopyConfig::medium, name(), optional(),
            "what it is kept on, as in disk, object or tape; a note in this version"),
      field("site", &CopyConfig::site, name(), optional(), "where it stands; a note in this version"),
  });
  return mapping<RepositoryConfig>(
      {
          field("key", &RepositoryConfig::key, key, required(),
                "what opens it; without it nothing can be recovered"),
          field("copies", &RepositoryConfig::copies, list(copy), required(),
                "the places that hold it, each complete by itself; exactly one in this version"),
      },
      check_copies);
}

Type<ConnectionConfig> connection_table() {
  const auto secret = exactly_one<SecretReference>({
      field("env", &SecretReference::environment, variable(), optional(),
            "the environment variable that holds it"),
      field("file", &SecretReference::file, path(), optional(), "the file that holds it, and nothing else"),
  });
  return mapping<ConnectionConfig>({
      field("host", &ConnectionConfig::host, text("a host"), standard("/run/postgresql"),
            "name, address, or the folder of the server's socket"),
      field("port", &ConnectionConfig::port, port(), standard("5432"), "the server's port"),
      field("user", &ConnectionConfig::user, text("a role"), optional(),
            "a role with REPLICATION; without it, the operating system's user"),
      field("dbname", &ConnectionConfig::dbname, text("a database"), standard("postgres"),
            "the database for questions in SQL"),
      field("sslmode", &ConnectionConfig::sslmode,
            word_of({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
            standard("prefer"), "how the connection is protected; the words are libpq's"),
      field("password", &ConnectionConfig::password, secret, optional(),
            "where the password is; never the password itself"),
  });
}

Type<CaptureConfig> capture_table() {
  const auto acknowledge = mapping<AcknowledgeConfig>({
      field("copies", &AcknowledgeConfig::copies, list(name()), optional(),
            "the copies that must hold the log before it counts as safe; without it, every copy"),
  });
  return mapping<CaptureConfig>({
      field("slot", &CaptureConfig::slot, slot(), standard("daruma"),
            "the physical replication slot, and the name under which Daruma is a standby"),
      field("synchronous", &CaptureConfig::synchronous, boolean(), standard("false"),
            "serve as a synchronous standby; naming the slot in synchronous_standby_names stays the "
            "administrator's act"),
      field("acknowledge", &CaptureConfig::acknowledge, acknowledge, optional(), "what a commit waits for"),
      field("when_stalled", &CaptureConfig::when_stalled, choice<WhenStalled>({{"wait", WhenStalled::kWait}}),
            standard("wait"), "what becomes of commits while the log cannot be stored: they wait"),
  });
}

Type<SnapshotsConfig> snapshots_table() {
  const auto keep = mapping<KeepConfig>(
      {
          field("hourly", &KeepConfig::hourly, count(), standard("0"),
                "hours of which the last snapshot stays"),
          field("daily", &KeepConfig::daily, count(), standard("0"), "days of which the last snapshot stays"),
          field("weekly", &KeepConfig::weekly, count(), standard("0"),
                "weeks of which the last snapshot stays"),
          field("monthly", &KeepConfig::monthly, count(), standard("0"),
                "months of which the last snapshot stays"),
      },
      check_keep);
  return mapping<SnapshotsConfig>({
      field("every", &SnapshotsConfig::every, duration(), optional(),
            "how often `serve` takes one; without it, only `daruma backup` does"),
      field("keep", &SnapshotsConfig::keep, keep, optional(), "how many stay; this version keeps all"),
  });
}

Type<DatastoreConfig> datastore_table() {
  const auto objective = mapping<ObjectiveConfig>({
      field("rpo", &ObjectiveConfig::rpo, duration(), optional(), "the most that may be lost, as time"),
      field("rto", &ObjectiveConfig::rto, duration(), optional(),
            "the longest that recovery may take; a note in this version"),
  });
  return mapping<DatastoreConfig>({
      field("kind", &DatastoreConfig::kind, choice<DatastoreKind>({{"postgres", DatastoreKind::kPostgres}}),
            required(), "what it is"),
      field("connection", &DatastoreConfig::connection, connection_table(), required(),
            "how the server is reached"),
      field("data_directory", &DatastoreConfig::data_directory, path(), optional(),
            "the server's files, if they are on this host; not used in this version"),
      field("capture", &DatastoreConfig::capture, capture_table(), optional(),
            "store the log as it is written; without it there are only snapshots, and nothing between them"),
      field("snapshots", &DatastoreConfig::snapshots, snapshots_table(), optional(),
            "when snapshots are taken, and how long they stay"),
      field("objective", &DatastoreConfig::objective, objective, optional(), "what is promised"),
  });
}

Type<Config> make_config_table() {
  const auto service = open_mapping<ServiceConfig>({
      field("runtime", &ServiceConfig::runtime,
            choice<Runtime>({{"process", Runtime::kProcess},
                             {"systemd", Runtime::kSystemd},
                             {"docker", Runtime::kDocker},
                             {"pm2", Runtime::kPm2}}),
            required(), "what starts and stops it"),
  });
  return mapping<Config>(
      {
          field("state", &Config::state, path(), standard(".daruma"),
                "the folder of what this installation remembers: its writer, the newest state it saw, locks, "
                "the status of `serve`"),
          field("repository", &Config::repository, repository_table(), required(),
                "the encrypted store of snapshots and logs"),
          field("datastores", &Config::datastores, named(datastore_table()), optional(),
                "what has data to lose, by name"),
          field("services", &Config::services, named(service), optional(),
                "what runs and has a health, by name; not used in this version"),
          field("targets", &Config::targets, named(open_mapping<TargetConfig>({})), optional(),
                "where runs act: production, staging, sandbox; not used in this version"),
          field("plans", &Config::plans, list(text("a path or pattern")), optional(),
                "the files of recovery plans; not used in this version"),
      },
      check_config);
}

}  // namespace

const Type<Config>& config_table() {
  static const Type<Config> table = make_config_table();
  return table;
}

}  // namespace daruma
