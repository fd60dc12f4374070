// cli/demo/local_postgres.h: a PostgreSQL of the demo's own, in the scratch directory, reached through a
// socket there.
//
// Threads: one at a time. Owns: the server process, which ends with it.
#pragma once

#include <functional>
#include <memory>

#include "cli/app.h"
#include "datastore/postgres/sql.h"

namespace daruma {

class LocalPostgres {
 public:
  // kNotFound: no PostgreSQL server programs on this machine.
  static Result<LocalPostgres> create(App& app, const Path& scratch);

  Status initialize();  // initdb with page checksums
  // Waits until it takes connections. kFailed: it ended instead, with the end of its log.
  Status start();
  Status stop();
  Status kill9();  // the server and all its children, as a power failure would

  Result<std::unique_ptr<postgres::SqlConnection>> connect(const std::string& dbname = "lastminutestay");
  Result<std::string> value(const std::string& sql, const std::string& dbname = "lastminutestay");
  Status run(const std::string& sql, const std::string& dbname = "lastminutestay");

  const Path& data() const { return data_; }
  const Path& socket() const { return scratch_; }
  const std::string& version() const { return version_; }

 private:
  LocalPostgres(App& app, Path scratch)
      : app_(&app), scratch_(std::move(scratch)), data_(scratch_ / "data") {}
  App* app_;
  Path scratch_;
  Path data_;
  Path programs_;
  std::string version_;
  std::unique_ptr<Process> process_;
};

// Tries until `ready` says true or an error, or the time is over (kCancelled, naming `what`).
Status wait_until(App& app, const std::string& what, Duration within,
                  const std::function<Result<bool>()>& ready);

}  // namespace daruma
