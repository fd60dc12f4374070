// cli/session.h: what most commands need from a configuration: the key, the repository, the state directory.
//
// Threads: as its parts.
#pragma once

#include <memory>

#include "cli/app.h"
#include "repository/configured.h"
#include "server/protection.h"
#include "server/state.h"

namespace daruma {

using Session = ConfiguredRepository;

// The repository of the configuration, with its key: see repository/configured.h.
Result<Session> open_session(App& app);
Result<StateDirectory> open_state(App& app);

// The datastores meant by the words of a command; none means all. kInvalid: unknown, with the names there
// are.
Result<std::vector<const DatastoreConfig*>> chosen_datastores(const App& app,
                                                              const std::vector<std::string>& names);

// As libpq wants it, the password read from where the configuration says.
Result<postgres::ConnectionSettings> connection_settings(App& app, const DatastoreConfig& datastore);
Result<ProtectedDatastore> protected_datastore(App& app, const DatastoreConfig& datastore);

// Threads for hashing and compression.
unsigned worker_count();

}  // namespace daruma
