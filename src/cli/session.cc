#include "cli/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "os/environment.h"
#include "probe/postgres.h"

namespace daruma {
namespace {

std::string joined(const std::vector<DatastoreConfig>& datastores) {
  std::string out;
  for (const DatastoreConfig& datastore : datastores) out += (out.empty() ? "" : ", ") + datastore.name;
  return out.empty() ? "none" : out;
}

}  // namespace

Result<Session> open_session(App& app) {
  const auto secret = [&](const SecretReference& reference) { return read_secret(app.fs, reference); };
  return open_configured_repository(app.fs, app.clock, app.random, app.config->repository, secret);
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
  std::string password;
  if (datastore.connection.password) {
    DR_TRY(password, read_secret(app.fs, *datastore.connection.password));
  }
  return probe::settings_of(datastore.connection, password);
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
