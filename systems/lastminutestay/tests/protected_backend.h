// tests/protected_backend.h: the booking backend as Daruma runs and protects it: PostgreSQL, Redis,
// HotelDataAPI and lastminutestay-api are services of the runtime `process` in a daruma.yaml of its own, on
// ports that were free, and the shipped plans are its plans.
//
// What a test takes for granted and does not get ends the program with the reason, after the services were
// ended.
// Owns:    all of these processes and their directory.
// Threads: one; asking the API (get, send) from any.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "lastminutestay/tests/reply.h"
#include "os/process.h"
#include "runtime/runtime.h"
#include "support/caretaker.h"
#include "support/postgres_server.h"

namespace lastminutestay {

// How `daruma recover` ended, and what it said.
struct PlanRun {
  int code = 0;
  std::string output;
  std::string id;  // of the run; empty when none began
};

class ProtectedBackend {
 public:
  ProtectedBackend();
  ~ProtectedBackend();
  ProtectedBackend(const ProtectedBackend&) = delete;
  ProtectedBackend& operator=(const ProtectedBackend&) = delete;

  using Arguments = std::vector<std::string>;
  // Any command of `daruma`, with the customer's token in its environment.
  daruma::ProcessExit command(const Arguments& arguments) const;
  // `daruma recover PLAN`, with the parameters that are this backend's own: addresses, folders, the
  // business date.
  PlanRun recover(const std::string& plan, const Arguments& more = {}) const;
  // What the journal says of a run: a step's "state", "error", "outputs".
  boost::json::object step(const PlanRun& run, const std::string& id) const;
  std::string state_of(const PlanRun& run, const std::string& id) const;

  Reply get(const std::string& target) const;
  Reply send(const std::string& method, const std::string& target, const std::string& body = "",
             const Headers& headers = {}) const;
  Reply book(int night) const;  // of test-room-id, one night from 2024-07-01 on
  void provider_is(const std::string& behaviour) const;
  std::string breaker_state() const;

  // The repository is made, `daruma serve` stores the log, and there is a snapshot.
  void store_the_log();
  // Returns when all that was committed is in the repository.
  void wait_until_stored();

  daruma::PostgresServer& postgres() { return postgres_; }
  // One statement that must succeed, and its first value.
  std::vector<daruma::postgres::SqlRow> sql(const std::string& statement,
                                            const std::string& database = "postgres");
  std::string value(const std::string& statement, const std::string& database = "postgres");
  std::string bookings(const std::string& database = "lastminutestay") {
    return value("SELECT count(*) FROM bookings", database);
  }
  std::unique_ptr<daruma::runtime::ServiceRuntime> service(const std::string& name) const;
  daruma::runtime::ServiceStatus status(const std::string& name) const;
  // To every process of a service.
  void signal(const std::string& name, int number) const;
  // One command to Redis, as text.
  std::string redis(const Arguments& command) const;

  // Everything a plan could change: processes, databases and their rows, keys, breakers, files.
  std::string picture();
  const daruma::Path& directory() const { return postgres_.directory(); }
  const daruma::Path& dumps() const { return dumps_; }
  daruma::Clock& clock() const { return *clock_; }
  void wait_until(const std::string& what, const std::function<bool()>& holds) const;

 private:
  void fill();
  void configure();
  void start_all();
  void stop_all() const;
  std::map<std::string, std::string> api_environment() const;
  daruma::ProcessExit run(const Arguments& argv,
                          const std::map<std::string, std::string>& environment = {}) const;
  std::string must(const Arguments& argv, const std::map<std::string, std::string>& environment = {}) const;
  [[noreturn]] void fail(const std::string& what) const;

  daruma::PostgresServer postgres_;
  daruma::Caretaker caretaker_{postgres_.directory()};
  std::unique_ptr<daruma::Clock> clock_ = daruma::real_clock();
  std::unique_ptr<daruma::FileSystem> fs_ = daruma::real_file_system();
  std::unique_ptr<daruma::ProcessRunner> processes_ = daruma::real_processes(*clock_);
  daruma::Path home_, dumps_;
  int api_port_, provider_port_, redis_port_;
  daruma::Config config_;
  std::string token_;
  std::unique_ptr<daruma::Process> serving_;
};

}  // namespace lastminutestay
