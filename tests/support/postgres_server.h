// tests/support/postgres_server.h: a real PostgreSQL server of a test's own: a fresh cluster in a scratch
// directory, reached through a Unix socket there, so that servers of tests running in parallel never meet.
//
// What a test takes for granted and does not get ends the program with the reason and the server's log; what
// it asks about comes back as a value. PostgreSQL refuses root: then the server runs as user `postgres`, who
// owns the scratch directory. DARUMA_PG_BIN names a directory of server programs other than the newest.
//
// Owns:    the server, which ends even when the program dies, and its directory, which is removed at the end.
// Threads: one at a time; the thread that calls start() must outlive the server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datastore/postgres/sql.h"
#include "os/process.h"
#include "os/scratch_dir.h"

namespace daruma {

struct PostgresOptions {
  uint32_t wal_segment_mib = 16;
  bool checksums = true;
  // postgresql.conf, pg_hba.conf and pg_ident.conf lie in the directory `etc` beside the data, as on Debian.
  bool configuration_outside = false;
  bool tcp = false;                             // listen on 127.0.0.1 too, at a port that was free
  std::vector<std::string> configuration = {};  // lines for postgresql.conf
};

class PostgresServer {
 public:
  // A new cluster, not started; its superuser is `postgres`, and everybody local is trusted.
  explicit PostgresServer(PostgresOptions options = {});
  // A server over a data directory that is there, e.g. a restored one. The directory is given to the server's
  // user, who must be able to reach it (directory() of another server is such a place), and is not removed.
  explicit PostgresServer(Path data_directory, PostgresOptions options = {});
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  void start();  // returns when it takes connections
  void stop();   // fast shutdown
  void restart();
  void kill9();    // the server and all its children, by SIGKILL
  void promote();  // returns when it takes writes
  // kFailed: it ended instead of taking connections; the message has the end of its log. kCancelled: neither
  // in time.
  Status try_start(Duration patience);
  // Waits until a server that ends by itself has done so (recovery_target_action = shutdown).
  Result<ProcessExit> wait_for_end(Duration patience);

  // One statement that must succeed.
  std::vector<postgres::SqlRow> sql(const std::string& statement, const std::string& dbname = "postgres");
  // Its first column of its first row; there must be one.
  std::string value(const std::string& statement, const std::string& dbname = "postgres");
  Result<std::vector<postgres::SqlRow>> try_sql(const std::string& statement,
                                                const std::string& dbname = "postgres");

  postgres::ConnectionSettings settings(const std::string& user = "postgres") const;      // Unix socket
  postgres::ConnectionSettings tcp_settings(const std::string& user = "postgres") const;  // needs options.tcp

  // Runs a program of PostgreSQL's (psql, pg_dump, pg_controldata) as the server's user, connected to this
  // server.
  ProcessExit tool(const std::string& program, const std::vector<std::string>& arguments);

  // What makes another program run as the server's user, and end when we do: the beginning of its argv.
  std::vector<std::string> as_server_user() const;

  // Gives the server's data directory, which must not be in use, another name beside it.
  void set_data_aside(const std::string& name);
  // Returns when a server that recovers has ended its recovery and takes writes.
  void wait_for_writes();
  // A new file in the data directory, or over an old one.
  void write_file(const std::string& relative_path, const std::string& text);
  // A new directory beside the data, of the server's user: for a tablespace, a restore, a copy.
  Path make_directory(const std::string& name);
  const Path& directory() const { return scratch_.path(); }
  const Path& data() const { return data_; }
  const Path& programs() const { return programs_; }  // the directory of postgres, pg_dump and so on
  std::string log();

 private:
  void prepare();
  void move_configuration_out();
  void must_run(const std::string& program, const std::vector<std::string>& arguments);
  void give_to_server_user(const Path& path) const;
  [[noreturn]] void fail(const Error& error);
  void must(const Status& status);

  PostgresOptions options_;
  ScratchDir scratch_;
  std::unique_ptr<Clock> clock_ = real_clock();
  std::unique_ptr<ProcessRunner> processes_ = real_processes(*clock_);
  Path programs_;
  Path data_;
  uint16_t port_ = 5432;
  std::unique_ptr<Process> process_;
};

}  // namespace daruma
