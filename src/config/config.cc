#include "config/config.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/size.h"
#include "config/config_tables.h"
#include "config/settings_file.h"
#include "os/environment.h"
#include "os/files.h"

namespace daruma {
namespace {

constexpr uint64_t kLargestConfig = kMiB;
constexpr uint64_t kLargestSecret = 64 * kKiB;

// "Every copy" is written out here, so that nobody below has to know what absence means.
void write_out_defaults(Config& config) {
  for (DatastoreConfig& datastore : config.datastores) {
    const bool redis = datastore.kind == DatastoreKind::kRedis;
    ConnectionConfig& connection = datastore.connection;
    if (connection.host.empty()) connection.host = redis ? "127.0.0.1" : "/run/postgresql";
    if (connection.port == 0) connection.port = redis ? 6379 : 5432;
  }
  for (DatastoreConfig& datastore : config.datastores)
    if (datastore.capture && datastore.capture->acknowledge.copies.empty())
      for (const CopyConfig& copy : config.repository.copies)
        datastore.capture->acknowledge.copies.push_back(copy.name);
}

}  // namespace

const DatastoreConfig* Config::datastore(std::string_view name) const {
  const auto found = std::ranges::find(datastores, name, &DatastoreConfig::name);
  return found == datastores.end() ? nullptr : &*found;
}

const ServiceConfig* Config::service(std::string_view name) const {
  const auto found = std::ranges::find(services, name, &ServiceConfig::name);
  return found == services.end() ? nullptr : &*found;
}

Result<Config> parse_config(const std::string& text, const Path& file) {
  Config config;
  config.file = file;
  DR_OK(settings::read_settings(
      text, file, {.largest = kLargestConfig, .hint = "`daruma help settings` explains every setting"},
      [&](settings::Reader& reader, const YAML::Node& node) { config_table().read(reader, node, config); }));
  write_out_defaults(config);
  return config;
}

Result<Config> load_config(FileSystem& fs, const Path& working_directory, const std::optional<Path>& chosen) {
  std::vector<Path> places{working_directory / "daruma.yaml", "/etc/daruma/daruma.yaml"};
  if (chosen) places = {working_directory / *chosen};
  for (const Path& place : places) {
    const Result<Bytes> bytes = read_file(fs, place, kLargestConfig);
    if (bytes.is(Errc::kNotFound)) continue;
    if (!bytes.ok()) return Error(bytes.error()).in("configuration");
    return parse_config(std::string(as_text(*bytes)), place.lexically_normal());
  }
  if (chosen)
    return Error{Errc::kNotFound, fmt::format("configuration {}: no such file", places[0].string())};
  return Error{
      Errc::kNotFound,
      fmt::format("no configuration: neither {} nor {} is there", places[0].string(), places[1].string()),
      "name it with -c FILE, or the repository itself with --repository URL --key FILE"};
}

Result<std::string> read_secret(FileSystem& fs, const SecretReference& reference) {
  std::string secret;
  std::string source;
  if (!reference.environment.empty()) {
    source = "environment variable " + reference.environment;
    const auto value = environment_variable(reference.environment);
    if (!value) return Error{Errc::kNotFound, source + " is not set; a secret is expected in it"};
    secret = *value;
  } else {
    source = "secret file " + reference.file.string();
    DR_TRY(const Bytes bytes, read_file(fs, reference.file, kLargestSecret));
    secret = as_text(bytes);
  }
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) return Error{Errc::kInvalid, source + " is empty; a secret is expected in it"};
  return secret;
}

}  // namespace daruma
