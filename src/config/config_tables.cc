#include "config/config_tables.h"

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

// What a datastore of this kind cannot have.
void check_datastore(Reader& reader, const YAML::Node& node, const DatastoreConfig& datastore) {
  if (datastore.kind == DatastoreKind::kRedis && datastore.capture)
    reader.wrong(node, "'capture' is of kind postgres; this version does not store the log of Redis");
}

// The words of the command line of a process, or none.
void check_services(Reader& reader, const YAML::Node& node, const Config& config) {
  std::vector<std::string> known;
  for (const DatastoreConfig& datastore : config.datastores) known.push_back(datastore.name);
  for (const ServiceConfig& service : config.services) known.push_back(service.name);
  for (const ServiceConfig& service : config.services) {
    const YAML::Mark at = node["services"][service.name].Mark();
    if (service.runtime == Runtime::kProcess && service.command.empty())
      reader.problem(
          at, fmt::format("services.{}: 'command' is missing; the runtime process runs it", service.name));
    std::vector<std::string> named = service.needs;
    if (service.health && !service.health->datastore.empty()) named.push_back(service.health->datastore);
    for (const std::string& need : named)
      if (std::ranges::find(known, need) == known.end())
        reader.problem(at, fmt::format("services.{}: nothing is named '{}'{}", service.name, need,
                                       suggestion(need, known)));
  }
  for (const DatastoreConfig& datastore : config.datastores)
    if (!datastore.service.empty() && !config.service(datastore.service))
      reader.problem(node["datastores"][datastore.name].Mark(),
                     fmt::format("datastores.{}.service: no service is named '{}'{}", datastore.name,
                                 datastore.service, suggestion(datastore.service, known)));
}

void check_channels(Reader& reader, const YAML::Node& node, const Config& config) {
  for (const ChannelConfig& channel : config.channels) {
    const bool command = channel.kind == ChannelKind::kCommand, email = channel.kind == ChannelKind::kEmail;
    const std::string_view missing = command && channel.command.empty() ? "command"
                                     : !command && !channel.url         ? "url"
                                     : email && channel.to.empty()      ? "to"
                                     : email && channel.from.empty()    ? "from"
                                                                        : "";
    if (!missing.empty())
      reader.problem(node["channels"][channel.name].Mark(),
                     fmt::format("channels.{}: '{}' is missing", channel.name, missing));
  }
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
  check_services(reader, node, config);
  check_channels(reader, node, config);
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

Type<SecretReference> secret_reference() {
  return exactly_one<SecretReference>({
      field("env", &SecretReference::environment, variable(), optional(),
            "the environment variable that holds it"),
      field("file", &SecretReference::file, path(), optional(), "the file that holds it, and nothing else"),
  });
}

Type<ConnectionConfig> connection_table() {
  return mapping<ConnectionConfig>({
      field("host", &ConnectionConfig::host, text("a host"), optional(),
            "name, address, or the folder of the server's socket; without it, /run/postgresql, or 127.0.0.1 "
            "for "
            "Redis"),
      field("port", &ConnectionConfig::port, port(), optional(),
            "the server's port; without it, 5432 or 6379"),
      field("user", &ConnectionConfig::user, text("a role"), optional(),
            "a role with REPLICATION; without it, the operating system's user"),
      field("dbname", &ConnectionConfig::dbname, text("a database"), standard("postgres"),
            "the database for questions in SQL"),
      field("sslmode", &ConnectionConfig::sslmode,
            word_of({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
            standard("prefer"), "how the connection is protected; the words are libpq's"),
      field("password", &ConnectionConfig::password, secret_reference(), optional(),
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
  return mapping<DatastoreConfig>(
      {
          field("kind", &DatastoreConfig::kind,
                choice<DatastoreKind>(
                    {{"postgres", DatastoreKind::kPostgres}, {"redis", DatastoreKind::kRedis}}),
                required(), "what it is; of redis, plans can ask and act, snapshots come later"),
          field("connection", &DatastoreConfig::connection, connection_table(), required(),
                "how the server is reached"),
          field("service", &DatastoreConfig::service, name(), optional(), "the service that runs it"),
          field("data_directory", &DatastoreConfig::data_directory, path(), optional(),
                "the server's files, if they are on this host; plans set them aside and restore there"),
          field("capture", &DatastoreConfig::capture, capture_table(), optional(),
                "store the log as it is written; without it there are only snapshots, and nothing between "
                "them"),
          field("snapshots", &DatastoreConfig::snapshots, snapshots_table(), optional(),
                "when snapshots are taken, and how long they stay"),
          field("objective", &DatastoreConfig::objective, objective, optional(), "what is promised"),
      },
      check_datastore);
}

Type<ServiceConfig> service_table() {
  const auto health = exactly_one<HealthConfig>({
      field("http", &HealthConfig::http, text("a URL"), optional(), "well when it answers 200"),
      field("tcp", &HealthConfig::tcp, text("HOST:PORT"), optional(), "well when it accepts a connection"),
      field("datastore", &HealthConfig::datastore, name(), optional(), "well when this datastore answers"),
  });
  const auto logs = mapping<ServiceLogsConfig>({
      field("error", &ServiceLogsConfig::error, path(), optional(), "the error log, one JSON object a line"),
      field("access", &ServiceLogsConfig::access, path(), optional(),
            "the access log, one JSON object a line"),
  });
  const auto restart = mapping<RestartConfig>({
      field("policy", &RestartConfig::policy,
            choice<RestartPolicy>({{"always", RestartPolicy::kAlways},
                                   {"on-failure", RestartPolicy::kOnFailure},
                                   {"never", RestartPolicy::kNever}}),
            standard("on-failure"), "when it is started again after it ended by itself"),
      field("backoff", &RestartConfig::backoff, duration(), standard("1s"),
            "the pause before the first restart; it doubles with each"),
      field("backoff_most", &RestartConfig::backoff_most, duration(), standard("30s"), "the longest pause"),
      field("limit", &RestartConfig::limit, count(), standard("10"),
            "how many restarts within `within`; after one more it stays stopped"),
      field("within", &RestartConfig::within, duration(), standard("5m"),
            "the time in which they are counted"),
  });
  const auto limits = mapping<LimitsConfig>({
      field("memory", &LimitsConfig::memory, bytes(), optional(), "address space of each of its processes"),
      field("open_files", &LimitsConfig::open_files, count(), optional(),
            "open files of each of its processes"),
      field("processes", &LimitsConfig::processes, count(), optional(), "processes of its user"),
  });
  return mapping<ServiceConfig>({
      field("runtime", &ServiceConfig::runtime,
            choice<Runtime>({{"process", Runtime::kProcess},
                             {"systemd", Runtime::kSystemd},
                             {"docker", Runtime::kDocker},
                             {"pm2", Runtime::kPm2}}),
            required(), "what starts and stops it"),
      field("called", &ServiceConfig::called, text("a name"), optional(),
            "its unit, container or name in pm2; without it, the service's own name"),
      field("command", &ServiceConfig::command, list(text("a word")), optional(),
            "runtime process: the program and its arguments"),
      field("directory", &ServiceConfig::directory, path(), optional(),
            "where it runs; runtime docker: the folder of its compose file"),
      field("environment", &ServiceConfig::environment, variables(), optional(),
            "variables it gets; never secrets. Runtime process: of ours it has only PATH, HOME, LANG and the "
            "like"),
      field("needs", &ServiceConfig::needs, list(name()), optional(),
            "services and datastores that must be well before it starts"),
      field("health", &ServiceConfig::health, health, optional(), "how to ask whether it is well"),
      field("logs", &ServiceConfig::logs, logs, optional(), "the files it writes"),
      field("breakers", &ServiceConfig::breakers, text("a URL"), optional(),
            "the URL that lists its circuit breakers"),
      field("restart", &ServiceConfig::restart, restart, optional(),
            "runtime process: what happens when it ends by itself"),
      field("limits", &ServiceConfig::limits, limits, optional(), "runtime process: what it may use"),
  });
}

Type<ChannelConfig> channel_table() {
  return mapping<ChannelConfig>({
      field("kind", &ChannelConfig::kind,
            choice<ChannelKind>({{"slack", ChannelKind::kSlack},
                                 {"webhook", ChannelKind::kWebhook},
                                 {"email", ChannelKind::kEmail},
                                 {"command", ChannelKind::kCommand}}),
            required(), "how a notice is sent"),
      field("url", &ChannelConfig::url, secret_reference(), optional(),
            "where the address is: of Slack or a webhook, or smtp://HOST:PORT of a mail server"),
      field("to", &ChannelConfig::to, list(text("an address")), optional(), "email: who gets it"),
      field("from", &ChannelConfig::from, text("an address"), optional(), "email: whom it is from"),
      field("command", &ChannelConfig::command, list(text("a word")), optional(),
            "command: the program and its arguments; it reads the notice as JSON"),
  });
}

Type<TargetConfig> target_table() {
  const auto approval = mapping<ApprovalConfig>({
      field("count", &ApprovalConfig::count, count(), standard("1"), "how many different people must agree"),
      field("groups", &ApprovalConfig::groups, list(text("a group")), optional(),
            "groups of the operating system they must be in; without it, anybody who may reach Daruma"),
      field("by_starter", &ApprovalConfig::by_starter, boolean(), standard("false"),
            "whoever started the run may be one of them"),
      field("expires", &ApprovalConfig::expires, duration(), standard("1h"),
            "how long a request stands, and how long an approval holds"),
  });
  return open_mapping<TargetConfig>({
      field("approval", &TargetConfig::approval, approval, optional(),
            "who must agree before a destructive step; without it, whoever types the confirmation"),
  });
}

Type<Config> make_config_table() {
  return mapping<Config>(
      {
          field("state", &Config::state, path(), standard(".daruma"),
                "the folder of what this installation remembers: its writer, the newest state it saw, locks, "
                "the status of `serve`"),
          field("repository", &Config::repository, repository_table(), required(),
                "the encrypted store of snapshots and logs"),
          field("datastores", &Config::datastores, named(datastore_table()), optional(),
                "what has data to lose, by name"),
          field("services", &Config::services, named(service_table()), optional(),
                "what runs and has a health, by name"),
          field("channels", &Config::channels, named(channel_table()), optional(),
                "where notices go, by name"),
          field("targets", &Config::targets, named(target_table()), optional(),
                "where runs act: production, staging, sandbox"),
          field("plans", &Config::plans, list(text("a path or pattern")), optional(),
                "the files of recovery plans; a pattern is a folder and *.yaml"),
      },
      check_config);
}

}  // namespace

const Type<Config>& config_table() {
  static const Type<Config> table = make_config_table();
  return table;
}

}  // namespace daruma
