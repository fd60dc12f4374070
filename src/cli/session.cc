#include "cli/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/size.h"
#include "os/environment.h"
#include "os/files.h"
#include "storage/directory_store.h"

namespace daruma {
namespace {

constexpr uint32_t kKeyEpoch = 1;
constexpr std::string_view kFileScheme = "file://";

std::string joined(const std::vector<DatastoreConfig>& datastores) {
  std::string out;
  for (const DatastoreConfig& datastore : datastores) out += (out.empty() ? "" : ", ") + datastore.name;
  return out.empty() ? "none" : out;
}

}  // namespace

Result<Path> directory_of(const std::string& url) {
  if (!url.starts_with(kFileScheme) || url.size() == kFileScheme.size() || url[kFileScheme.size()] != '/')
    return Error{Errc::kInvalid, fmt::format("'{}' is not a repository URL that this version knows", url),
                 "write file:///DIR"};
  return Path(url.substr(kFileScheme.size()));
}

Result<std::unique_ptr<ObjectStore>> open_store(App& app) {
  DR_TRY(const Path directory, directory_of(app.config->repository.copies.front().url));
  return open_directory_store(app.fs, app.random, directory);
}

Result<KeyFile> read_key(App& app, ObjectStore& store) {
  const KeyConfig& key = app.config->repository.key;
  if (!key.passphrase_environment.empty()) {
    DR_TRY(const std::string passphrase, read_secret(app.fs, {.environment = key.passphrase_environment}));
    const auto object = store.get(fmt::format("keys/{:08x}", kKeyEpoch));
    if (object.is(Errc::kNotFound))
      return Error{Errc::kNotFound, fmt::format("{} holds no key that a passphrase opens", store.url()),
                   "run `daruma init`, or name the key file"};
    DR_OK(object);
    return unwrap_with_passphrase(*object, kKeyEpoch, passphrase);
  }
  const auto text = read_file(app.fs, key.file, 64 * kKiB);
  if (text.is(Errc::kNotFound))
    return Error{Errc::kNotFound, fmt::format("there is no key file {}", key.file.string()),
                 "bring it from where you keep its copy; `daruma init` makes one for a new repository"};
  DR_OK(text);
  auto parsed = parse_key_file(as_text(*text));
  if (!parsed.ok()) return std::move(parsed).error().in(key.file.string());
  return parsed;
}

Result<Session> open_session(App& app) {
  Session session;
  auto store = open_store(app);
  if (store.is(Errc::kNotFound))
    return Error{Errc::kNotFound,
                 fmt::format("there is no repository in {}", app.config->repository.copies.front().url),
                 "is its disk mounted? `daruma init` makes a new, empty one; the URL may be wrong"};
  DR_TRY(session.store, std::move(store));
  DR_TRY(const KeyFile key, read_key(app, *session.store));
  std::vector<Copy> copies;
  for (const CopyConfig& copy : app.config->repository.copies)
    copies.push_back({copy.name, session.store.get()});
  DR_TRY(session.repository, Repository::open(std::move(copies), key, app.clock, app.random));
  return session;
}

Result<StateDirectory> open_state(App& app) {
  return StateDirectory::open(app.fs, app.clock, app.random, app.config->state);
}

Result<std::vector<const DatastoreConfig*>> chosen_datastores(const App& app,
                                                              const std::vector<std::string>& names) {
  std::vector<const DatastoreConfig*> chosen;
  for (const DatastoreConfig& datastore : app.config->datastores)
    if (datastore.kind == DatastoreKind::kPostgres &&
        (names.empty() || std::ranges::find(names, datastore.name) != names.end()))
      chosen.push_back(&datastore);
  for (const std::string& name : names)
    if (const DatastoreConfig* datastore = app.config->datastore(name); datastore && chosen.empty())
      return Error{Errc::kInvalid, fmt::format("datastore '{}' is not of kind postgres", name),
                   "this version takes snapshots of PostgreSQL; plans can act on the others"};
    else if (!datastore)
      return Error{Errc::kInvalid, fmt::format("there is no datastore '{}' in the configuration", name),
                   fmt::format("datastores: {}", joined(app.config->datastores))};
  if (chosen.empty())
    return Error{Errc::kInvalid, "the configuration names no datastore",
                 "add one under `datastores:` in daruma.yaml"};
  return chosen;
}

Result<postgres::ConnectionSettings> connection_settings(App& app, const DatastoreConfig& datastore) {
  const ConnectionConfig& config = datastore.connection;
  postgres::ConnectionSettings settings;
  settings.host = config.host;
  if (config.port != 0) settings.port = config.port;
  settings.user = config.user;
  if (!config.dbname.empty()) settings.dbname = config.dbname;
  settings.sslmode = config.sslmode;
  if (config.password) {
    DR_TRY(settings.password, read_secret(app.fs, *config.password));
  }
  return settings;
}

Result<ProtectedDatastore> protected_datastore(App& app, const DatastoreConfig& datastore) {
  ProtectedDatastore out;
  out.name = datastore.name;
  DR_TRY(out.connection, connection_settings(app, datastore));
  if (datastore.capture) out.slot = datastore.capture->slot;
  out.snapshot_every = datastore.snapshots.every;
  return out;
}

unsigned worker_count() { return std::clamp(std::thread::hardware_concurrency(), 1u, 8u); }

}  // namespace daruma
