// tests/backend.h: the whole booking backend of a test's own: PostgreSQL, Redis, HotelDataAPI and two
// workers of lastminutestay-api, each the real program, on ports that were free.
//
// What a test takes for granted and does not get ends the program with the reason and the service's output.
// Owns:    all of these processes and their directory; they end with it, even when the program dies.
// Threads: asking (get, send, book) from any; everything else one at a time, and it lives on the thread
//          that made it.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lastminutestay/tests/reply.h"
#include "support/postgres_server.h"
#include "support/redis_server.h"
#include "support/tcp_proxy.h"

namespace lastminutestay {

struct BackendOptions {
  int workers = 2;
  uint32_t hotels = 40;
  bool network = false;  // the API reaches PostgreSQL through network(), which can break
  std::map<std::string, std::string> settings = {};     // "CACHE_FRESH_FOR" -> "1s": of the API's environment
  std::map<std::string, std::string> environment = {};  // the rest of it
  std::function<void(const daruma::Path& logs)> prepare_logs = {};  // before anything is logged
};

class Backend {
 public:
  explicit Backend(BackendOptions options = {});
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // Each request on a connection of its own.
  Reply get(const std::string& target, const Headers& headers = {}) const;
  Reply send(const std::string& method, const std::string& target, const std::string& body = "",
             const Headers& headers = {}) const;

  // The manual's search, one night for two.
  static constexpr const char* kSearch = "/api/hotels/search?checkIn=2024-06-21&checkOut=2024-06-22&guests=2";
  static constexpr const char* kBooking =
      R"({"roomId":"test-room-id","checkIn":"2024-06-21","checkOut":"2024-06-22","guests":2})";
  Reply book(const std::string& body, const std::string& key = "") const;  // as the test customer
  std::string token(const std::vector<std::string>& arguments = {}) const;
  const std::string& test_token() const { return test_token_; }

  void provider_is(const std::string& behaviour);  // {"silent":true}
  std::string breaker_state() const;               // "OPEN"
  // The check of this name in /monitoring/health/detailed: "pass", "warn", "fail".
  std::string health_of(const std::string& dependency) const;

  // Runs scripts/integrity_check.sql as the manual does.
  daruma::ProcessExit check_integrity();
  std::vector<std::string> error_lines() const;  // of logs/error.log
  std::vector<std::string> access_lines() const;
  // Metrics' value of a series; 0 when it is not there.
  double metric(const std::string& series) const;

  std::vector<int> workers() const;  // their pids
  void signal_api(int number);       // to the supervisor
  const daruma::Path& logs() const { return logs_; }
  daruma::PostgresServer& postgres() { return postgres_; }
  daruma::RedisServer& redis() { return redis_; }
  daruma::TcpProxy& network() { return *network_; }
  daruma::Clock& clock() { return *clock_; }
  int port() const { return port_; }

  // Tries until it holds; ends the program after a minute, naming `what`.
  void wait_until(const std::string& what, const std::function<bool()>& holds) const;

 private:
  daruma::Command command(const std::string& program, const std::vector<std::string>& arguments) const;
  void must(const std::string& program, const std::vector<std::string>& arguments) const;
  [[noreturn]] void fail(const std::string& what) const;

  const BackendOptions options_;
  daruma::PostgresServer postgres_;
  std::unique_ptr<daruma::TcpProxy> network_;
  daruma::RedisServer redis_;
  daruma::ScratchDir scratch_;
  daruma::Path logs_;
  std::unique_ptr<daruma::Clock> clock_ = daruma::real_clock();
  std::unique_ptr<daruma::ProcessRunner> processes_ = daruma::real_processes(*clock_);
  int port_, provider_port_;
  std::string test_token_;
  std::unique_ptr<daruma::Process> provider_, api_;
};

}  // namespace lastminutestay
